# SPDX-License-Identifier: Apache-2.0
"""The declaration of a vendor: connection fields, job kinds, and flows.

A flow is a generator: it yields a :class:`Request`, receives the :class:`Response`, and yields the next request or
returns its result. It does no I/O (sans-I/O), so the same flow runs over requests, over aiohttp and in tests.
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
    """One kind of jobs of a vendor.

    :param noun: the name of such a job in messages: "contact import".
    :param status: the flow that polls the status of a job.
    :param cancel: the flow that cancels a job, if the vendor supports it.
    :param operations: the submit operations that create such a job.
    :param results: the flow that reads per-item results, if the vendor has them.
    :param states: the documented states of such a job.
    :param page: returns the address of the page in the vendor's web UI that shows such a job, or ``None``.
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
        """Cancel a job; return ``False`` if it already finished or no longer exists."""
        if self.cancel is None:
            raise BadArgumentError(f"{self.noun}: the vendor does not support canceling it")
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
    """The declaration of a vendor: data and pure functions.

    Subclass it, set the class attributes, and pass an instance to a
    :class:`~airflow_provider_bulkjobs.hooks.bulk_job.BulkJobHook` subclass.
    """

    conn_type: ClassVar[str]
    label: ClassVar[str]
    docs_url: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    kinds: ClassVar[tuple[JobKind, ...]]  # the first is the default
    requests_per_second: ClassVar[float] = 0.0  # the published rate limit; 0 if there is none
    bad_key_statuses: ClassVar[frozenset[int]] = frozenset({401})
    domains: ClassVar[tuple[str, ...]] = ()  # of other hosts of the vendor, which receive the credentials as well
    notes: ClassVar[VendorDocs] = VendorDocs()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Append the rate limit field to the fields of the vendor."""
        super().__init_subclass__(**kwargs)
        if "fields" in cls.__dict__:
            cls.fields = (*cls.fields, rate_field(cls.requests_per_second))

    @abstractmethod
    def base_url(self, account: Account) -> str:
        """Return the base URL that request paths are appended to, without a trailing slash."""

    @abstractmethod
    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:
        """Return the headers that authenticate a request."""

    @abstractmethod
    def check(self, account: Account) -> Flow[str]:
        """Test the connection with the cheapest authenticated request; return a sentence that names the account."""

    def token_flow(self, account: Account) -> Flow[Token] | None:  # noqa: ARG002
        """Return the flow that fetches an access token, or ``None`` if the account uses none."""
        return None

    @abstractmethod
    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return the vendor's message from the body of an error response."""

    def invalid_items(self, body: Mapping[str, Any]) -> list[InvalidItem]:  # noqa: ARG002
        """Return the invalid items of an error response, for vendors that report their positions."""
        return []

    def is_rate_limited(self, response: Response) -> bool:
        """Return whether a response means "too many requests"."""
        return response.status == 429

    def default_retry_after(self, request: Request) -> float | None:  # noqa: ARG002
        """Return the pause in seconds after "too many requests" if no response header gives one."""
        return None
