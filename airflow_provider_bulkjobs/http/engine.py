# SPDX-License-Identifier: Apache-2.0
"""The rules of every exchange with a vendor, decided once and without I/O.

The engine is a state machine made of generators: it yields what has to be done (wait for the rate limiter, send,
sleep, refresh the token) and is sent the outcome. A transport does these things and nothing else, so the worker's
(requests) and the triggerer's (aiohttp) cannot disagree on what a response means, on retries, or on tokens.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BulkJobError,
    TransientError,
    UnknownOutcomeError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.http.responses import (
    DEFAULT_PAUSE,
    NetworkError,
    ResponseTooLargeError,
    account_pause,
    credential_headers,
    network_error,
    raise_for_status,
)
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.metrics import Metrics
from airflow_provider_bulkjobs.protocol.flow import Request, Response, Token, Upload
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

T = TypeVar("T")
NO_HEADERS: Mapping[str, str] = {}
TOKEN_LIFETIME_USED = 0.9  # of its lifetime, after which a token is replaced: clocks differ, and requests take time


@dataclass(frozen=True, slots=True)
class Acquire:
    """Wait for the rate limiter.

    :param priority: ahead of the queue, for what the whole queue needs: a token.
    """

    priority: bool = False


@dataclass(slots=True)  # not frozen: one is made for every poll
class Send:
    """Send a request with these credentials; the outcome is a :class:`Response`."""

    request: Request
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Send a file to a signed URL; the outcome is a :class:`Response`."""

    upload: Upload


@dataclass(frozen=True, slots=True)
class Sleep:
    """Do nothing for a while before the next attempt."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Refresh:
    """Run :meth:`Engine.refresh`, once for all that wait for the token."""


Effect = Acquire | Send | Transfer | Sleep | Refresh
Steps = Generator[Effect, Any, T]
Flow = Generator[Any, Response, T]
ACQUIRE, ACQUIRE_FIRST, REFRESH = Acquire(), Acquire(priority=True), Refresh()


class Limiter(Protocol):
    """What the engine needs of a rate limiter; waiting for it is the transport's part."""

    def try_acquire(self) -> bool:
        """Acquire without waiting, if that is possible now."""

    def release(self) -> None:
        """Release what was acquired."""

    def pause(self, seconds: float) -> None:
        """Send nothing for so long."""


class Engine:
    """The exchanges with one account.

    :param convert: makes the transport's own kind of the headers with the credentials.
    """

    def __init__(
        self,
        vendor: Vendor,
        account: Account,
        limiter: Limiter,
        metrics: Metrics,
        *,
        convert: Callable[[dict[str, str]], Mapping[str, str]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._vendor = vendor
        self._account = account
        self._limiter = limiter
        self._meter = metrics
        self._convert = convert
        self._clock = clock
        self._token: Token | None = None
        self._accepted: Token | None = None  # the last one that the vendor accepted
        self._headers: Mapping[str, str] = NO_HEADERS
        self._headers_until = 0.0

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers with the credentials."""
        return self._headers

    @property
    def is_refresh_due(self) -> bool:
        """Whether :meth:`refresh` has to run before the next authorized request."""
        return self._clock() >= self._headers_until

    def run(self, start: Callable[[], Flow[T]], policy: RetryPolicy) -> Steps[T]:
        """Run a vendor's flow to its end, and again from the start where a response was unusable.

        :param start: makes the flow.
        :raises VendorUnavailableError: the attempts of ``policy`` are used up.
        :raises UnknownOutcomeError: the outcome of a request that is not idempotent is unknown.
        :raises BulkJobError: the vendor refused, or answered something undocumented.
        """
        return self._retry(lambda: self._run_once(start(), policy), policy)

    def exchange(self, request: Request | Upload, policy: RetryPolicy) -> Steps[Response]:
        """Send one request until there is a good response. Raises like :meth:`run`."""
        return self._retry(lambda: self._attempt(request, policy), policy)

    def advance(
        self,
        flow: Flow[Any],
        request: Request | Upload,
        policy: RetryPolicy,
        thrown: type[BulkJobError] = VendorAPIError,
    ) -> Steps[Any]:
        """Send what a flow has yielded, send it the response, and return what it yields next.

        :param thrown: the errors that are thrown into the flow, which may have an alternative.
        :raises StopIteration: never; the end of the flow is returned as :class:`Finished`.
        """
        try:
            response = yield from self.exchange(request, policy)
        except thrown as error:
            return _next(flow.throw, error)
        return _next(flow.send, response)

    def refresh(self) -> Steps[None]:
        """Fetch a token where the vendor has tokens, and keep the headers for the requests to come."""
        flow = self._vendor.token_flow(self._account)
        if flow is None:
            self._keep(None, math.inf)
            return
        try:
            request = next(flow)
            while True:
                yield ACQUIRE_FIRST
                response = yield from self._send(request, NO_HEADERS)
                raise_for_status(self._vendor, self._account, request, response)
                request = flow.send(response)
        except StopIteration as finished:
            token: Token = finished.value
            self._keep(token, self._clock() + token.expires_in * TOKEN_LIFETIME_USED)
        except TransientError:
            self._limiter.pause(DEFAULT_PAUSE)  # without a token no other request can succeed
            raise

    def _keep(self, token: Token | None, until: float) -> None:
        headers = credential_headers(self._vendor, self._account, token.value if token else None)
        self._token, self._headers, self._headers_until = token, self._convert(headers), until

    def _retry(self, attempt: Callable[[], Steps[T]], policy: RetryPolicy) -> Steps[T]:
        failures = 0
        while True:
            try:
                return (yield from attempt())
            except TransientError as error:
                failures += 1
                self._meter.error()
                yield Sleep(policy.delay_before_retry(failures, error))

    def _run_once(self, flow: Flow[T], policy: RetryPolicy) -> Steps[T]:
        is_executed = False  # a request that is not idempotent: from then on the flow cannot start over
        try:
            request = next(flow)
            while True:
                try:
                    response = yield from self.exchange(request, policy)
                except VendorAPIError as error:
                    request = flow.throw(error)  # it may have an alternative
                    continue
                is_executed = is_executed or not getattr(request, "idempotent", True)
                request = flow.send(response)
        except StopIteration as finished:
            result: T = finished.value
            return result
        except (TransientError, VendorUnavailableError, UntrustedResponseError) as error:
            if is_executed:
                raise UnknownOutcomeError(str(error)) from error
            raise

    def _attempt(self, request: Request | Upload, policy: RetryPolicy) -> Steps[Response]:
        if isinstance(request, Upload):
            uploaded: Response = yield Transfer(request)
            return uploaded
        response, token = yield from self._exchange_once(request, policy)
        try:
            self._check(request, response, token)
        except AuthenticationError:
            if not self._may_be_renewed(token):
                raise
            response, token = yield from self._exchange_once(request, policy)
            self._check(request, response, token)
        return response

    def _check(self, request: Request, response: Response, token: Token | None) -> None:
        raise_for_status(self._vendor, self._account, request, response, token.value if token else None)
        if token is self._token:
            self._accepted = token

    def _may_be_renewed(self, token: Token | None) -> bool:
        """Drop a token that was refused; return whether another one is worth an attempt."""
        if token is None:
            return False
        if token is not self._token:
            return True  # another request has had it replaced meanwhile
        self._token, self._headers_until = None, 0.0
        return token is self._accepted  # one that was never accepted would be followed by another of its kind

    def _exchange_once(self, request: Request, policy: RetryPolicy) -> Steps[tuple[Response, Token | None]]:
        authorized = request.authorized
        if authorized and self.is_refresh_due:
            yield REFRESH
        if not self._limiter.try_acquire():
            yield ACQUIRE
        try:
            if authorized and self.is_refresh_due:  # the token may have expired in the queue
                yield REFRESH
            token, headers = (self._token, self._headers) if authorized else (None, NO_HEADERS)
            if not request.idempotent:
                policy.in_flight()
            return (yield from self._send(request, headers)), token
        finally:
            self._limiter.release()

    def _send(self, request: Request, headers: Mapping[str, str]) -> Steps[Response]:
        try:
            response: Response = yield Send(request, headers)
        except NetworkError as error:
            raise network_error(self._vendor, self._account, request, error) from None
        except ResponseTooLargeError as error:
            if request.idempotent:
                raise UntrustedResponseError(str(error)) from None
            raise UnknownOutcomeError(str(error)) from None
        if (pause := account_pause(self._vendor, request, response)) is not None:
            self._limiter.pause(pause)
        return response


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a flow that was advanced step by step.

    :param value: what the flow has returned.
    """

    value: Any


def _next(resume: Callable[[Any], Any], value: Any) -> Any:
    try:
        return resume(value)
    except StopIteration as finished:
        return Finished(finished.value)
