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
    BulkJobError,
    InvalidItem,
    JobNotFoundError,
    PermissionDeniedError,
    TransientError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response, Token
from airflow_provider_bulkjobs.protocol.job import BulkJob
from airflow_provider_bulkjobs.vendors.spec.auth import Auth
from airflow_provider_bulkjobs.vendors.spec.errors import Errors
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field, rate_field
from airflow_provider_bulkjobs.vendors.spec.item_result import ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.operation import Operation
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit, Throttling
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
    :param counts_results: the status counts what the results are read from, so nothing is learnt by comparing them.
    :param states: the documented states of such a job.
    :param returns_records: the results have the records of failed items as they were submitted.
    :param not_returned: what the vendor does not return of them, as a sentence.
    :param page: returns the address of the page in the vendor's web UI that shows such a job, or ``None``.
    """

    name: str
    noun: str
    status: Callable[[Account, str], Flow[BulkJob]]
    cancel: Callable[[Account, str], Flow[None]] | None = None
    operations: tuple[Operation, ...] = ()
    results: Callable[[Account, str], ResultsFlow] | None = None
    counts_results: bool = False
    states: States | None = None
    returns_records: bool = False
    not_returned: str = ""
    page: Callable[[Account], str | None] = lambda _account: None

    def stop(self, account: Account, job_id: str) -> Flow[bool]:
        """Cancel a job; return ``False`` if it already finished or no longer exists."""
        if self.cancel is None:
            raise BadArgumentError(f"{self.noun}: the vendor does not support canceling it")
        try:
            yield from _without_pages(self.cancel(account, job_id))
        except (JobNotFoundError, VendorAPIError) as error:
            if isinstance(error, AuthenticationError | PermissionDeniedError):
                raise
            try:
                job = yield from self.status(account, job_id)
            except JobNotFoundError:
                return False
            if not job.state.is_finished:
                raise
            return False
        return True


def _without_pages(flow: Flow[None]) -> Flow[None]:
    """Pass a flow on; a web page in place of a response, whatever its status, proves nothing and is retried."""
    try:
        request = next(flow)
        while True:
            try:
                response = yield request
            except BulkJobError as error:
                request = flow.throw(error)
                continue
            if response.body.lstrip()[:1] == b"<":
                raise TransientError("the response is a web page")
            request = flow.send(response)
    except StopIteration:
        return


class Vendor(ABC):
    """The declaration of a vendor: data and pure functions.

    Subclass it, set the class attributes, and pass an instance to a
    :class:`~airflow_provider_bulkjobs.hooks.bulk_job.BulkJobHook` subclass.
    """

    conn_type: ClassVar[str]
    # Connection types of other providers that work as well. The function gets the host, login, password and the keys of
    # the extra, and returns the values of this vendor's fields.
    other_types: ClassVar[Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]] = {}
    label: ClassVar[str]
    docs_url: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    kinds: ClassVar[tuple[JobKind, ...]]  # the first is the default
    requests_per_second: ClassVar[float] = 0.0  # the published rate limit; 0 if there is none
    notes: ClassVar[VendorDocs] = VendorDocs()

    auth: ClassVar[Auth]
    fixed_headers: ClassVar[Mapping[str, str]] = {}  # sent with all authorized requests
    errors: ClassVar[Errors]
    throttling: ClassVar[Throttling] = Throttling()
    min_timeout: ClassVar[float] = 0.0  # seconds that a response may take, if the vendor asks for more than usual

    default_host: ClassVar[str] = ""  # where the API is, if the connection has no host
    regions: ClassVar[Mapping[str, str]] = {}  # the same for each value of the field 'region'
    api_paths: ClassVar[tuple[str, ...]] = ()  # suffixes that users may have pasted with the host, longest first
    domains: ClassVar[tuple[str, ...]] = ()  # of other hosts of the vendor, which may receive the credentials as well

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Append the rate limit field to the fields of the vendor."""
        super().__init_subclass__(**kwargs)
        if "fields" in cls.__dict__:
            cls.fields = (*cls.fields, rate_field(cls.requests_per_second))

    @abstractmethod
    def check(self, account: Account) -> Flow[str]:
        """Test the connection with the cheapest authenticated request; return a sentence that names the account."""

    def base_url(self, account: Account) -> str:
        """Return the configured base URL that request paths are appended to, without a trailing slash."""
        default = self.regions[account["region"]] if self.regions else self.default_host
        return account.host_without(*self.api_paths) or default

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:
        """Return the headers of each authorized request: the credentials, fixed headers, and those of fields."""
        own = {field.header: str(account[field.name]) for field in self.fields if field.header and account[field.name]}
        return {**self.auth.headers(account, token), **self.fixed_headers, **own}

    def token_flow(self, account: Account) -> Flow[Token] | None:
        """Return the flow that fetches an access token or the base URL, or ``None`` if the account needs neither."""
        return self.auth.token_flow(account)

    def error_text(self, body: Any) -> str | None:
        """Return the vendor's message from the body of an error response."""
        return self.errors.text(body)

    def invalid_items(self, body: Any) -> list[InvalidItem]:
        """Return the invalid items of an error response, for vendors that report their positions."""
        return self.errors.invalid_items.read(body) if self.errors.invalid_items else []

    def status_of(self, response: Response) -> int:
        """Return the HTTP status that a response stands for: 401 for an expired token, 429 for a rate limit …

        It differs from the real one where the vendor reports failures with status 200, or with an unusual one.
        """
        return self.errors.status(response)

    def rate_limit_of(self, request: Request) -> RateLimit | None:
        """Return the rate limit of the group of endpoints that a request belongs to."""
        for limit in self.throttling.limits:
            if limit.applies_to(request):
                return limit
        return None

    def default_pause(self, request: Request, response: Response, now: float) -> float | None:
        """Return the pause in seconds after "too many requests" if no response header gives one.

        :param now: the vendor's time in epoch seconds.
        """
        if (pause := self.throttling.pause(response)) is not None:
            return pause
        if (pause := self.errors.pause(response, now)) is not None:
            return pause
        limit = self.rate_limit_of(request)
        return limit.pause if limit else None
