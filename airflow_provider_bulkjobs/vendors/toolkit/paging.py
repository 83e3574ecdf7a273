# SPDX-License-Identifier: Apache-2.0
"""Pagination: one rule for repeated cursors and page limits, and the ways in which vendors name the next page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urljoin, urlsplit

from airflow_provider_bulkjobs.exceptions import TransientError, UntrustedResponseError
from airflow_provider_bulkjobs.protocol.flow import Flow, origin
from airflow_provider_bulkjobs.vendors.spec.body_path import value_at
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, request_details

Item = Mapping[str, Any]
# Requests a page and returns its items and the cursor of the next page, or ``None`` on the last page.
PageRequest = Callable[[str], Flow[tuple[list[Item], str | None]]]


class Pages:
    """The pages of one list.

    Reading stops when a cursor repeats, and after ``max_pages``. The list is then incomplete: the missing items are
    unknown, so it must never count as "no failures".

    :param list_name: the vendor and the list, for messages.
    :param request: requests one page by its cursor.
    :param cursor: the cursor of the first page.
    """

    def __init__(self, list_name: str, request: PageRequest, cursor: str = "", *, max_pages: int) -> None:
        self._list_name = list_name
        self._request = request
        self._next: str | None = cursor
        self._max_pages = max_pages
        self._read: set[str] = set()

    @property
    def has_next(self) -> bool:
        """Whether there is an unread page within the limit."""
        return self._next is not None and self._next not in self._read and len(self._read) < self._max_pages

    @property
    def is_complete(self) -> bool:
        """Whether the last page was read."""
        return self._next is None

    def read_next(self) -> Flow[list[Item]]:
        """Request the next page; return its items."""
        cursor = self._next or ""
        self._read.add(cursor)
        items, self._next = yield from self._request(cursor)
        return items

    def read_all(self) -> Flow[list[Item]]:
        """Request all pages; return their items. Raises like :meth:`require_complete`."""
        items: list[Item] = []
        while self.has_next:
            items += yield from self.read_next()
        self.require_complete()
        return items

    def results(self, read: Callable[[Item], ItemResult]) -> ResultsFlow:
        """Yield the results of the items, page by page. Raises like :meth:`require_complete`.

        :param read: returns the result of an item.
        """
        while self.has_next:
            yield [read(item) for item in (yield from self.read_next())]
        self.require_complete()

    def require_complete(self) -> None:
        """Check that the last page was read.

        :raises UntrustedResponseError: the pagination loops or exceeds ``max_pages``.
        """
        if not self.is_complete:
            raise UntrustedResponseError(f"{self._list_name} did not end after {len(self._read)} pages")


class NextPage(Protocol):
    """How a vendor names the next page of a list."""

    def __call__(self, path: str, body: Mapping[str, Any], items: list[Any], read: int) -> str | None:
        """Return the path of the next page, or ``None`` on the last page.

        :param path: the path of the first page.
        :param body: the response with this page.
        :param items: the items of this page.
        :param read: the number of items read so far, with this page.
        :raises TransientError: the response announces a next page, but not which.
        """


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor in the response, which is sent as a query parameter.

    :param at: the path of the cursor, or of the object that announces the next page. Missing or null: the last page.
    :param parameter: the query parameter.
    :param key: the key of the cursor in the object.
    """

    at: str
    parameter: str
    key: str | None = None

    def __call__(self, path: str, body: Mapping[str, Any], items: list[Any], read: int) -> str | None:  # noqa: ARG002
        """See :class:`NextPage`."""
        cursor = _announced(body, self.at)
        if cursor is None:
            return None
        if self.key is not None:
            cursor = cursor.get(self.key) if isinstance(cursor, dict) else None
        if isinstance(cursor, str | int) and not isinstance(cursor, bool) and cursor != "":
            return add_parameter(path, self.parameter, str(cursor))
        raise TransientError(f"the response has an invalid cursor for the next page in {self.at!r}")


@dataclass(frozen=True, slots=True)
class CursorInLink:
    """A cursor in the query of a link. The link itself is not followed, as it may lead to another host.

    :param at: the path of the link. Missing or null: the last page.
    :param parameter: the query parameter.
    """

    at: str
    parameter: str

    def __call__(self, path: str, body: Mapping[str, Any], items: list[Any], read: int) -> str | None:  # noqa: ARG002
        """See :class:`NextPage`."""
        link = _announced(body, self.at)
        if link is None:
            return None
        cursors = parse_qs(link.partition("?")[2]).get(self.parameter) if isinstance(link, str) else None
        if not cursors:
            raise TransientError(f"the response has a link to the next page in {self.at!r} without a cursor")
        return add_parameter(path, self.parameter, cursors[0])


@dataclass(frozen=True, slots=True)
class NextLink:
    """A link to the next page, relative or absolute. It is followed on the account's own host only.

    :param at: the path of the link. Missing or null: the last page. An empty page is the last one as well.
    :param base_url: the base URL of the account.
    """

    at: str
    base_url: str

    def __call__(self, path: str, body: Mapping[str, Any], items: list[Any], read: int) -> str | None:  # noqa: ARG002
        """See :class:`NextPage`.

        :raises UntrustedResponseError: the link is on another host, which must not receive the credentials.
        """
        link = _announced(body, self.at)
        if link is None:
            return None
        try:
            if not isinstance(link, str) or not link.strip():
                raise ValueError  # noqa: TRY301
            url = urljoin(f"{self.base_url}/", link)
            base, parts = urlsplit(self.base_url), urlsplit(url)
        except ValueError:
            raise TransientError(f"the response has an invalid {self.at.rpartition('.')[2]!r}") from None
        if origin(url) != origin(self.base_url):
            raise UntrustedResponseError("the vendor's next page is on another host; it was not requested")
        found = parts.path.removeprefix(base.path) if parts.path.startswith(f"{base.path}/") else parts.path
        # The path is usually encoded already; encoding the rest makes both transports send the same.
        following = quote(f"{found}?{parts.query}" if parts.query else found, safe="/?%&=+,;:@!$'()*~")
        return following if items else None


@dataclass(frozen=True, slots=True)
class Offset:
    """Pages by the number of items before them. Without ``more``, a page with fewer items than ``limit`` is the last.

    :param limit: the number of items per page, which the path of the first page requests.
    :param more: the path of the flag that says whether there is another page, if the vendor has one.
    :param echo: the path of the page's offset in the response, if the vendor repeats it: a different value means
        that it is the wrong page.
    """

    limit: int
    parameter: str = "offset"
    more: str | None = None
    echo: str | None = None

    def __call__(self, path: str, body: Mapping[str, Any], items: list[Any], read: int) -> str | None:
        """See :class:`NextPage`."""
        offset = read - len(items)
        echoed = offset if self.echo is None else value_at(body, self.echo)
        if echoed not in (offset, None):
            raise TransientError(f"the response is the page at offset {str(echoed)[:20]} instead of {offset}")
        has_more = len(items) >= self.limit if self.more is None else value_at(body, self.more)
        if not isinstance(has_more, bool):
            raise TransientError(f"the response does not say in {self.more!r} whether there is another page")
        if has_more and not items:
            raise TransientError("the response announces another page after an empty one")
        return add_parameter(path, self.parameter, str(read)) if has_more else None


def list_pages(
    vendor: str, name: str, path: str, *, items: str, following: NextPage, max_pages: int, max_age: float = 0.0
) -> Pages:
    """Return the pages of a list: of the details of a job, or of the jobs of an account.

    Items that are no objects become empty ones.

    :param vendor: the vendor's name, for messages.
    :param name: what is listed, for messages: ``import errors``.
    :param path: the path of the first page, with the query.
    :param items: the path of the list in the response.
    :param max_age: the seconds for which all flows of the account may share a page.
    """
    read = 0

    def request(page: str) -> Flow[tuple[list[Item], str | None]]:
        nonlocal read
        body = yield from request_details(vendor, page, max_age)
        found = value_at(body, items)
        if not isinstance(found, list):
            # Often the only source of failures, so a missing list must not count as "no failures".
            raise TransientError(f"{vendor} response has no list of {name}")
        read += len(found)
        try:
            return [as_dict(each) for each in found], following(path, body, found, read)
        except TransientError as error:
            raise error.reworded(f"{vendor}, list of {name}: {error.message}") from None

    return Pages(f"{vendor}: the list of {name}", request, path, max_pages=max_pages)


def add_parameter(path: str, name: str, value: str) -> str:
    """Return a path with another query parameter."""
    return f"{path}{'&' if '?' in path else '?'}{quote(name, safe='')}={quote(value, safe='')}"


def _announced(body: Mapping[str, Any], path: str) -> Any:
    """Return what announces the next page, or ``None`` if nothing does.

    :raises TransientError: something on the path is not an object, so it is unknown whether there is a next page.
    """
    value: Any = body
    for key in path.split("."):
        if not isinstance(value, dict):
            raise TransientError(f"the response does not say in {path!r} whether there is a next page")
        value = value.get(key)
        if value is None:
            return None
    return value
