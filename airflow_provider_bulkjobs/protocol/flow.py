# SPDX-License-Identifier: Apache-2.0
"""Requests and responses, and the flows that are made of them, without I/O.

A flow is a generator: it yields a :class:`Request`, is sent the :class:`Response`, and yields again or returns what it
found out. The same flow runs over requests, over aiohttp and in a test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from json.decoder import JSONDecoder
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from typing import Any, BinaryIO, Literal, TypeVar
from urllib.parse import quote, urlsplit

from airflow_provider_bulkjobs.exceptions import BulkJobError, TransientError, UntrustedResponseError

T = TypeVar("T")


@dataclass(slots=True)  # not frozen, as Response
class Request:
    """One request to the account's own host.

    :param path: from the base URL on, percent-encoded, with its query.
    :param form: form fields of the body.
    :param headers: headers this request needs beside the vendor's own.
    :param authorized: ``False`` for the token request, which carries its credentials itself.
    :param body: the body, as it goes over the wire.
    :param idempotent: ``False`` if the vendor would do twice what is asked for twice. Such a request is sent again
        only after an answer that proves that nothing was done.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = field(default=None, repr=False)  # it may hold the client secret
    authorized: bool = True
    body: bytes | None = field(default=None, repr=False)  # it holds people
    idempotent: bool = True


LARGE_BODY = 256 * 1024  # bytes of JSON: parsing more than that would hold an event loop for too long


MAX_CONTAINERS = 200_000  # objects and lists in a large body


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs}  # noqa: C416  (dict() could not be interrupted)


class InterruptibleDecoder(JSONDecoder):
    """A decoder that other threads can run beside: in Python, not in C."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(object_pairs_hook=_object, **kwargs)
        self.scan_once = py_make_scanner(self)


@dataclass(slots=True)  # not frozen, which would triple the cost of what is made for every poll
class Response:
    """One answer: status, headers (their names in any case), and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    _json: dict[str, Any] | BulkJobError | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def json(self) -> dict[str, Any]:
        """The body, which must be a JSON object.

        :raises TransientError: it is not one: half a body, or a proxy's error page.
        :raises UntrustedResponseError: it has more objects and lists than any response needs.
        """
        if self._json is None:
            self._parse()
        if isinstance(self._json, BulkJobError):
            raise self._json
        return self._json or {}

    def parse_in_thread(self) -> None:
        """Parse a large body outside of the event loop; what is wrong with it is raised by :attr:`json`.

        The C decoder would hold the interpreter lock, and with it the loop, from its beginning to its end. The pure
        Python one can be interrupted.
        """
        self._parse(InterruptibleDecoder)

    def _parse(self, decoder: type[JSONDecoder] | None = None) -> None:
        try:
            self._json = self._read_json(decoder)
        except BulkJobError as error:
            self._json = error

    def _read_json(self, decoder: type[JSONDecoder] | None) -> dict[str, Any]:
        # Also what follows, the garbage collector's passes and freeing them, would hold the loop.
        if len(self.body) > LARGE_BODY and self.body.count(b"{") + self.body.count(b"[") > MAX_CONTAINERS:
            raise UntrustedResponseError(
                f"the response has {len(self.body)} bytes and more than {MAX_CONTAINERS} objects and lists; "
                "it was not read"
            )
        try:
            value = json.loads(self.body, cls=decoder)
        except (ValueError, RecursionError):
            raise TransientError(f"the vendor answered {self.status} with a body that is not JSON") from None
        if not isinstance(value, dict):
            raise TransientError(f"the vendor answered {self.status} with JSON that is not an object")
        return value


Flow = Generator[Request, Response, T]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and the seconds it is good for."""

    value: str = field(repr=False)
    expires_in: float


def origin(url: str) -> tuple[str, str]:
    """Return what credentials are bound to: scheme, and host with port, unless it is the usual one."""
    parts = urlsplit(url)
    usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return parts.scheme, parts.netloc.lower().removesuffix(usual)


def path_segment(job_id: str) -> str:
    """Return a job id as data: percent-encoded, so that it cannot change the path or the query."""
    return quote(job_id, safe="")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file for a signed address, which gets exactly these headers and never the credentials.

    :param open: opens what is to be sent, as often as it is called.
    """

    url: str
    headers: Mapping[str, str]
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Download:
    """A file with one item per row.

    :param url: where it is. It gets no credentials, whatever the vendor says.
    :param status: what being in the file means for an item.
    :param format: how the file is written, gzipped or not.
    :param own: ``url`` is a path on the account's own host, not taken from an answer; it gets the credentials.
    :param error_field: the column that tells what went wrong.
    """

    url: str
    status: str
    format: Literal["csv", "jsonl"] = "csv"
    error_field: str | None = None
    own: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
