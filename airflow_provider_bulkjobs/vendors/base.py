# SPDX-License-Identifier: Apache-2.0
"""What a vendor is made of: fields, job kinds, and conversations.

A conversation is a generator: it yields a :class:`Request`, is sent the :class:`Response`, and yields again or
returns what it found out. It does no I/O, so the same one runs over requests, over aiohttp and in a test.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from json.decoder import JSONDecoder
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import quote, urlsplit

from airflow_provider_bulkjobs.errors import (
    BadArgumentError,
    BulkJobError,
    CredentialsError,
    InvalidItem,
    JobNotFoundError,
    PermissionDeniedError,
    TransientError,
    UnknownStateError,
    UnsafeAnswerError,
    VendorAnswerError,
)
from airflow_provider_bulkjobs.job import BulkJob, JobState
from airflow_provider_bulkjobs.redact import redact
from airflow_provider_bulkjobs.vendors.account import Account, Field, rate_field
from airflow_provider_bulkjobs.vendors.notes import Notes

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.vendors.operation import Operation
    from airflow_provider_bulkjobs.vendors.outcome import ResultsConversation

T = TypeVar("T")


@dataclass(slots=True)  # not frozen, as Response
class Request:
    """One request to the account's own host.

    :param path: from the base URL on, percent-encoded, with its query.
    :param form: form fields of the body.
    :param headers: headers this request needs beside the vendor's own.
    :param authorized: ``False`` for the token request, which carries its credentials itself.
    :param body: the body, as it goes over the wire.
    :param repeatable: ``False`` if the vendor would do twice what is asked for twice. Such a request is sent again
        only after an answer that proves that nothing was done.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = field(default=None, repr=False)  # it may hold the client secret
    authorized: bool = True
    body: bytes | None = field(default=None, repr=False)  # it holds people
    repeatable: bool = True


LARGE_BODY = 256 * 1024  # bytes of JSON: parsing more than that would hold an event loop for too long
MAX_CONTAINERS = 200_000  # objects and lists in a large body


class InterruptibleDecoder(JSONDecoder):
    """A decoder that other threads can run beside: in Python, not in C."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
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
        :raises UnsafeAnswerError: it has more objects and lists than any response needs.
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
            raise UnsafeAnswerError(
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


Conversation = Generator[Request, Response, T]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and the seconds it is good for."""

    value: str = field(repr=False)
    expires_in: float


@dataclass(frozen=True, slots=True)
class JobKind:
    """One family of jobs of a vendor.

    :param noun: what people call such a job: "contact import".
    :param status: the conversation that finds out how a job stands.
    :param cancel: the conversation that stops a job, where the vendor can.
    :param operations: what can be submitted as such a job.
    :param results: the conversation that tells how each item fared, where the vendor does.
    :param states: the vendor's words for the states of such a job.
    :param page: the page in the vendor's own pages where people would look for such a job, where there is one.
    """

    name: str
    noun: str
    status: Callable[[Account, str], Conversation[BulkJob]]
    cancel: Callable[[Account, str], Conversation[None]] | None = None
    operations: tuple[Operation, ...] = ()
    results: Callable[[Account, str], ResultsConversation] | None = None
    states: States | None = None
    page: Callable[[Account], str | None] = lambda _account: None

    def stop(self, account: Account, job_id: str) -> Conversation[bool]:
        """Stop a job; return ``False`` if it is over already, or gone."""
        if self.cancel is None:
            raise BadArgumentError(f"there is no way to stop a {self.noun}")
        try:
            yield from self.cancel(account, job_id)
        except JobNotFoundError:
            return False
        except VendorAnswerError as error:
            if isinstance(error, CredentialsError | PermissionDeniedError):
                raise
            job = yield from self.status(account, job_id)
            if not job.state.is_finished:
                raise
            return False
        return True


class Vendor(ABC):
    """Everything the package knows of a vendor, as data and pure functions.

    Subclass it, set the class attributes, and hand an instance to a
    :class:`~airflow_provider_bulkjobs.hooks.bulk_job.BulkJobHook` subclass.
    """

    conn_type: ClassVar[str]
    label: ClassVar[str]
    docs_url: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    kinds: ClassVar[tuple[JobKind, ...]]  # the first is the default
    requests_per_second: ClassVar[float] = 0.0  # the published limit; 0 where there is none
    bad_key_statuses: ClassVar[frozenset[int]] = frozenset({401})
    notes: ClassVar[Notes] = Notes()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give every vendor the field for the rate limit."""
        super().__init_subclass__(**kwargs)
        if "fields" in cls.__dict__:
            cls.fields = (*cls.fields, rate_field(cls.requests_per_second))

    @abstractmethod
    def base_url(self, account: Account) -> str:
        """Return the root that every request path is appended to, without a slash at its end."""

    @abstractmethod
    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:
        """Return the headers that authenticate a request."""

    @abstractmethod
    def check(self, account: Account) -> Conversation[str]:
        """Ask the cheapest question that needs the credentials; return a sentence that names the account."""

    def sign_in(self, account: Account) -> Conversation[Token] | None:  # noqa: ARG002
        """Return the conversation that fetches an access token, for vendors and accounts that use one."""
        return None

    @abstractmethod
    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return the vendor's own words from the body of an error answer."""

    def invalid_items(self, body: Mapping[str, Any]) -> list[InvalidItem]:  # noqa: ARG002
        """Return the items that an error response names as invalid, for vendors that name them by their position."""
        return []

    def is_throttled(self, response: Response) -> bool:
        """Tell whether an answer means "too many requests"."""
        return response.status == 429

    def pause_after(self, request: Request) -> float | None:  # noqa: ARG002
        """Return how many seconds to pause after "too many requests", where the answer does not tell."""
        return None


def origin(url: str) -> tuple[str, str]:
    """Return what credentials are bound to: scheme, and host with port, unless it is the usual one."""
    parts = urlsplit(url)
    usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return parts.scheme, parts.netloc.lower().removesuffix(usual)


def path_segment(job_id: str) -> str:
    """Return a job id as data: percent-encoded, so that it cannot change the path or the query."""
    return quote(job_id, safe="")


@dataclass(frozen=True, slots=True)
class States:
    """A vendor's words for the states of a job.

    :param vendor: the vendor's name, for messages.
    :param docs_url: where the words are documented.
    :param key: the key that the word stands under.
    """

    vendor: str
    docs_url: str
    key: str
    words: Mapping[str, JobState]

    def read(self, answer: Mapping[str, Any]) -> tuple[JobState, str]:
        """Return what an answer's word means, and the word.

        :raises TransientError: the answer has no state at all, which is nonsense and may pass.
        :raises UnknownStateError: the word is not among the documented ones.
        """
        word = answer.get(self.key)
        if word is None:
            raise TransientError(f"{self.vendor} answered without a {self.key!r}")
        state = self.words.get(word) if isinstance(word, str) else None
        if state is None:
            raise UnknownStateError(
                f"{self.vendor} answered {self.key}={redact(str(word))[:60]!r}, which is not a documented state "
                f"({', '.join(self.words)}); see {self.docs_url}"
            )
        return state, word


def listed(value: Any) -> list[Any]:
    """Return a vendor's list; a missing or null one is empty, a single object counts as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a vendor's object; a missing, null or malformed one is empty."""
    return value if isinstance(value, dict) else {}
