# SPDX-License-Identifier: Apache-2.0
"""Pagination: one rule for repeated cursors and page limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_bulkjobs.exceptions import UntrustedResponseError
from airflow_provider_bulkjobs.protocol.flow import Flow

# Requests a page and returns its items and the cursor of the next page, or ``None`` on the last page.
PageRequest = Callable[[str], Flow[tuple[list[Any], str | None]]]


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

    def read_next(self) -> Flow[list[Any]]:
        """Request the next page; return its items."""
        cursor = self._next or ""
        self._read.add(cursor)
        items, self._next = yield from self._request(cursor)
        return items

    def require_complete(self) -> None:
        """Check that the last page was read.

        :raises UntrustedResponseError: the pagination loops or exceeds ``max_pages``.
        """
        if not self.is_complete:
            raise UntrustedResponseError(f"{self._list_name} did not end after {len(self._read)} pages")
