# SPDX-License-Identifier: Apache-2.0
"""Requests, responses, and flows of them, without I/O.

A flow is a generator: it yields a :class:`Request`, receives the :class:`Response`, and yields again or returns its
result. The same flow runs with requests, with aiohttp and in a test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from json.decoder import JSONDecoder
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from typing import Any, BinaryIO, Literal, TypeVar
from urllib.parse import quote, urlsplit

from airflow_provider_bulkjobs.exceptions import BulkJobError, TransientError, UntrustedResponseError

PUBLIC_MEMBERS = frozenset({"grant_type", "scope", "client_id"})  # members of a token request that are no secrets
T = TypeVar("T")


@dataclass(slots=True)  # not frozen, as Response
class Request:
    """One request to the account's own host, or for a file at a signed URL.

    :param path: relative to the base URL, percent-encoded, with the query; or the URL of another host that the vendor
        declares as its own (``Vendor.domains``). The token request may have any URL that the vendor declares.
    :param form: form fields of the body.
    :param headers: headers in addition to the vendor's own.
    :param authorized: ``False`` for the token request, which contains the credentials itself.
    :param secret_query: parameters of the token request's query that contain the credentials.
    :param body: the encoded body.
    :param open: opens a file that is streamed from disk as the body; called once per attempt. Only workers send files.
    :param idempotent: ``False`` if the vendor would execute a repeated request twice. Such a request is retried only
        if the response proves that it was not executed. ``None``: in a submit as its operation declares, elsewhere
        ``True``.
    :param signed: ``path`` is the signed URL of a file, on any host: the request has no credentials, does not wait for
        the rate limit, and does not pause the account.
    :param once: ``True`` if it is not sent again after a failure: the whole flow is run again instead, and replaces
        what the request may have left behind, such as a job that has received a part of its only upload.
    :param max_age: of a GET: a response that is younger than this many seconds may be shared by all flows of the
        account, and identical requests at the same time are sent once. 0: the response is not shared. If a shared
        response does not contain the job, raise :class:`JobNotFoundError`: the next poll gets another response.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # those of a token request are credentials
    form: Mapping[str, str] | None = field(default=None, repr=False)  # it may contain the client secret
    authorized: bool = True
    body: bytes | None = field(default=None, repr=False)  # it contains contacts
    open: Callable[[], BinaryIO] | None = field(default=None, repr=False)
    idempotent: bool | None = None
    secret_query: Mapping[str, str] | None = field(default=None, repr=False)
    max_age: float = 0.0
    once: bool = False
    signed: bool = False

    @property
    def credentials(self) -> list[str]:
        """What a token request sends and no message may contain: values of headers, form and query."""
        members = {**(self.form or {}), **(self.secret_query or {})}
        secret = [value for name, value in members.items() if name not in PUBLIC_MEMBERS]
        return secret if self.authorized else [*(value.rpartition(" ")[2] for value in self.headers.values()), *secret]


LARGE_BODY = 256 * 1024  # bytes of JSON: parsing more would block the event loop for too long
MAX_CONTAINERS = 200_000  # objects and lists in a large body


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs}  # noqa: C416  (dict() could not be interrupted)


class InterruptibleDecoder(JSONDecoder):
    """A pure Python decoder: unlike the one in C, it lets other threads run."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(object_pairs_hook=_object, **kwargs)
        self.scan_once = py_make_scanner(self)


@dataclass(slots=True)  # not frozen, which would triple the cost per poll
class Response:
    """A response: status, headers (with case-insensitive names) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    _json: dict[str, Any] | BulkJobError | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def json(self) -> dict[str, Any]:
        """The body, which must be a JSON object.

        :raises TransientError: it is not one, for example an incomplete body or a proxy's error page.
        :raises UntrustedResponseError: it has too many objects and lists.
        """
        if self._json is None:
            self._parse()
        if isinstance(self._json, BulkJobError):
            raise self._json
        return self._json or {}

    def parse_in_thread(self) -> None:
        """Parse a large body in a thread; :attr:`json` raises its errors.

        The C decoder holds the interpreter lock until it has finished, which blocks the event loop. The pure Python
        decoder releases it.
        """
        self._parse(InterruptibleDecoder)

    def _parse(self, decoder: type[JSONDecoder] | None = None) -> None:
        try:
            self._json = self._read_json(decoder)
        except BulkJobError as error:
            self._json = error

    def _read_json(self, decoder: type[JSONDecoder] | None) -> dict[str, Any]:
        # Garbage collection of this many objects would block the event loop, even if they are parsed in a thread.
        if len(self.body) > LARGE_BODY and self.body.count(b"{") + self.body.count(b"[") > MAX_CONTAINERS:
            raise UntrustedResponseError(
                f"the response has {len(self.body)} bytes and more than {MAX_CONTAINERS} objects and lists; "
                "it was not parsed"
            )
        try:
            value = json.loads(self.body, cls=decoder)
        except (ValueError, RecursionError):
            raise TransientError(f"the vendor returned {self.status} with a body that is not JSON") from None
        if not isinstance(value, dict):
            raise TransientError(f"the vendor returned {self.status} with JSON that is not an object")
        return value


Flow = Generator[Request, Response, T]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and its lifetime in seconds.

    :param base_url: the base URL of the API, if the vendor returns or discovers it.
    """

    value: str = field(repr=False)
    expires_in: float
    base_url: str | None = None


def origin(url: str) -> tuple[str, str]:
    """Return the origin that credentials are bound to: the scheme, and the host with any non-default port."""
    parts = urlsplit(url)
    default_port = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return parts.scheme, parts.netloc.lower().removesuffix(default_port)


@lru_cache(2000)  # every poll of a job needs it
def path_segment(job_id: str) -> str:
    """Return a job id percent-encoded, so that it cannot change the path or the query."""
    return quote(job_id, safe="")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to upload to a signed URL, with exactly these headers and without credentials.

    A file for the account's own host is a :class:`Request` with ``open``.

    :param open: opens the file; may be called repeatedly, once per attempt.
    """

    url: str
    headers: Mapping[str, str]
    open: Callable[[], BinaryIO]
    method: Literal["PUT", "POST"] = "PUT"


@dataclass(frozen=True, slots=True)
class SaveProgress:
    """Values that a submit must not forget once a step has succeeded, such as the id of a job that was created.

    They are stored with the checkpoint, added to earlier ones, and named in error messages. A submit that is resumed
    receives them in ``SubmitContext.progress``, and skips the steps that they prove. So they must not contain personal
    data, secrets or signed URLs. The flow receives ``None``.

    :param values: an empty one removes the earlier one.
    :param harmless: whether no record was imported, and none will be by the steps up to the next ``SaveProgress``,
        except by requests that are not idempotent: an empty job was created, or a file uploaded. If the submit ends
        then, it may be repeated from the start, also with other records; see ``Operation.withdraw``.
    """

    values: Mapping[str, str | int]
    harmless: bool = False
