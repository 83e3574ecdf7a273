# SPDX-License-Identifier: Apache-2.0
"""What a vendor is made of: fields, job kinds, and conversations.

A conversation is a generator: it yields a :class:`Request`, is sent the :class:`Response`, and yields again or
returns what it found out. It does no I/O, so the same one runs over requests, over aiohttp and in a test.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadArgumentError,
    InvalidItem,
    JobNotFoundError,
    PermissionDeniedError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response, Token
from airflow_provider_bulkjobs.protocol.job import BulkJob
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field, rate_field
from airflow_provider_bulkjobs.vendors.spec.item_result import ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.operation import Operation
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import VendorDocs

T = TypeVar("T")


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
    status: Callable[[Account, str], Flow[BulkJob]]
    cancel: Callable[[Account, str], Flow[None]] | None = None
    operations: tuple[Operation, ...] = ()
    results: Callable[[Account, str], ResultsFlow] | None = None
    states: States | None = None
    page: Callable[[Account], str | None] = lambda _account: None

    def stop(self, account: Account, job_id: str) -> Flow[bool]:
        """Stop a job; return ``False`` if it is over already, or gone."""
        if self.cancel is None:
            raise BadArgumentError(f"there is no way to stop a {self.noun}")
        try:
            yield from self.cancel(account, job_id)
        except JobNotFoundError:
            return False
        except VendorAPIError as error:
            if isinstance(error, AuthenticationError | PermissionDeniedError):
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
    notes: ClassVar[VendorDocs] = VendorDocs()

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
    def check(self, account: Account) -> Flow[str]:
        """Ask the cheapest question that needs the credentials; return a sentence that names the account."""

    def token_flow(self, account: Account) -> Flow[Token] | None:  # noqa: ARG002
        """Return the conversation that fetches an access token, for vendors and accounts that use one."""
        return None

    @abstractmethod
    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return the vendor's own words from the body of an error answer."""

    def invalid_items(self, body: Mapping[str, Any]) -> list[InvalidItem]:  # noqa: ARG002
        """Return the items that an error response names as invalid, for vendors that name them by their position."""
        return []

    def is_rate_limited(self, response: Response) -> bool:
        """Tell whether an answer means "too many requests"."""
        return response.status == 429

    def default_retry_after(self, request: Request) -> float | None:  # noqa: ARG002
        """Return how many seconds to pause after "too many requests", where the answer does not tell."""
        return None
