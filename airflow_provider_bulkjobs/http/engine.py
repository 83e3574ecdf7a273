# SPDX-License-Identifier: Apache-2.0
"""The rules for all requests to a vendor, in one place and without I/O.

The engine is a state machine made of generators: it yields effects (wait for the rate limiter, send, sleep, refresh
the token) and receives their outcomes. A transport performs the effects and decides nothing, so the transports for
workers (requests) and triggerers (aiohttp) treat responses, retries and tokens in the same way.
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
)
from airflow_provider_bulkjobs.http.addresses import request_url, signed_host, token_url, trusted_base_url
from airflow_provider_bulkjobs.http.responses import (
    DEFAULT_PAUSE,
    NetworkError,
    ResponseTooLargeError,
    account_pause,
    credential_headers,
    network_error,
    raise_for_file,
    raise_for_status,
    sendable,
)
from airflow_provider_bulkjobs.http.retry import Failures, RetryPolicy
from airflow_provider_bulkjobs.http.shared_responses import SharedResponses
from airflow_provider_bulkjobs.metrics import Metrics
from airflow_provider_bulkjobs.protocol.flow import Request, Response, Token, Upload
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

T = TypeVar("T")
NO_HEADERS: Mapping[str, str] = {}
TOKEN_LIFETIME_USED = 0.9  # fraction after which a token is replaced: clocks differ, and requests take time
SIGN_IN_KEPT = 3600.0  # seconds for which an interrupted token flow can continue; tokens usually live longer
SHORT_LIFETIME = 60.0  # seconds; a token with less may expire on its way (some vendors return the same one until then)


@dataclass(frozen=True, slots=True)
class Acquire:
    """Wait for the rate limiter.

    :param priority: ahead of the queue, for the token request that all queued requests depend on.
    :param limit: the rate limit of the group of endpoints, if it has its own.
    """

    priority: bool = False
    limit: RateLimit | None = None


@dataclass(slots=True)  # not frozen: one is made for every poll
class Send:
    """Send a request with these headers; the outcome is a :class:`Response`."""

    request: Request
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Send a file to a signed URL; the outcome is a :class:`Response`."""

    upload: Upload


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait before the next attempt."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Refresh:
    """Run :meth:`Engine.refresh`, once for all requests that wait for the token."""


@dataclass(frozen=True, slots=True)
class Share:
    """Run :meth:`Engine.fetch`, once for all that wait for the same response; the outcome is the :class:`Response`."""

    request: Request
    policy: RetryPolicy


Effect = Acquire | Send | Transfer | Sleep | Refresh | Share
Steps = Generator[Effect, Any, T]
Flow = Generator[Any, Response, T]
ACQUIRE, ACQUIRE_FIRST, REFRESH = Acquire(), Acquire(priority=True), Refresh()


class Limiter(Protocol):
    """The part of a rate limiter that the engine uses; the transport does the waiting."""

    def try_acquire(self, limit: RateLimit | None) -> bool:
        """Acquire without waiting, if possible."""

    def release(self) -> None:
        """Release the slot of a finished request."""

    def pause(self, seconds: float, limit: RateLimit | None = None) -> None:
        """Pause the account for ``seconds``; only a group of endpoints, if its limit is given."""

    def slow_down(self, limit: RateLimit | None = None) -> None:
        """Reduce the rate for a while, after "too many requests"; call it before :meth:`pause`."""


class Engine:
    """The request logic of one account.

    :param convert: converts the credential headers to the mapping type that the transport prefers.
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
        self._metrics = metrics
        self._convert = convert
        self._clock = clock
        self._token: Token | None = None
        self._accepted: Token | None = None  # the last one that the vendor accepted
        self._sign_in: list[Response | VendorAPIError] = []  # what a token flow that was interrupted has received
        self._sign_in_began = 0.0
        self._headers: Mapping[str, str] = NO_HEADERS
        self._headers_until = 0.0
        self._base_url = vendor.base_url(account)
        self._shared = SharedResponses()

    @property
    def base_url(self) -> str:
        """Where authorized requests are sent: the configured base URL, or the one that came with the token."""
        return self._base_url

    def url(self, request: Request) -> str:
        """Return the URL of a request."""
        if request.signed:
            return request.path
        if request.authorized:
            return request_url(self._vendor, self._account, self._base_url, request.path)
        return token_url(self._vendor, self._account, request)

    @property
    def headers(self) -> Mapping[str, str]:
        """The credential headers."""
        return self._headers

    @property
    def is_refresh_due(self) -> bool:
        """Whether :meth:`refresh` has to run before the next authorized request."""
        return self._clock() >= self._headers_until

    def run(self, start: Callable[[], Flow[T]], policy: RetryPolicy) -> Steps[T]:
        """Run a vendor's flow; restart it if a response was unusable.

        :param start: creates the flow.
        :raises VendorUnavailableError: the attempts of ``policy`` are used up.
        :raises UnknownOutcomeError: the outcome of a request that is not idempotent is unknown.
        :raises BulkJobError: the vendor rejected a request, or sent an undocumented response.
        """
        return self._retry(lambda: self._run_once(start(), policy), policy)

    def exchange(self, request: Request | Upload, policy: RetryPolicy) -> Steps[Response]:
        """Send one request and retry until it succeeds. Raises like :meth:`run`.

        :raises TransientError: a request that is sent only once has failed.
        """
        if isinstance(request, Request) and request.once:
            return self._attempt(request, policy)
        return self._retry(lambda: self._attempt(request, policy), policy)

    def advance(
        self,
        flow: Flow[Any],
        request: Request | Upload,
        policy: RetryPolicy,
        thrown: type[BulkJobError] = VendorAPIError,
    ) -> Steps[Any]:
        """Send the request that a flow yielded, resume the flow with the response, and return what it yields next.

        :param thrown: the errors that are thrown into the flow, which may send another request instead.
        :raises StopIteration: never; the end of the flow is returned as :class:`Finished`.
        """
        try:
            response = yield from self.exchange(request, policy)
        except thrown as error:
            return _next(flow.throw, error)
        return _next(flow.send, response)

    def refresh(self) -> Steps[None]:
        """Fetch a token if the vendor uses tokens, and store the credential headers for later requests.

        A flow whose second request fails continues there with the next try: a refresh token may be valid only once.
        """
        flow = self._vendor.token_flow(self._account)
        if flow is None:
            self._keep(None, math.inf)
            return
        if not self._sign_in or self._clock() > self._sign_in_began + SIGN_IN_KEPT:
            self._sign_in, self._sign_in_began = [], self._clock()
        is_resumed = bool(self._sign_in)
        try:
            request = next(flow)
            for outcome in self._sign_in:
                request = _resume(flow, outcome)
            while True:
                outcome = yield from self._sign_in_step(request)
                request = _resume(flow, outcome)
                self._sign_in.append(outcome)
        except StopIteration as finished:
            token: Token = finished.value
            self._keep(token, self._sign_in_began + token.expires_in * TOKEN_LIFETIME_USED)
            self._sign_in = []
        except TransientError:
            self._limiter.pause(DEFAULT_PAUSE)  # without a token no other request can succeed
            raise
        except BulkJobError as error:
            self._sign_in = []
            if is_resumed:  # what was received before may be too old by now
                raise TransientError(str(error)) from error
            raise

    def _sign_in_step(self, request: Request) -> Steps[Response | VendorAPIError]:
        """Send a request of the token flow; a refusal is returned, as the flow may know what to do about it."""
        sendable(dict(request.headers), self._account)
        yield ACQUIRE_FIRST
        response = yield from self._send(request, NO_HEADERS)
        try:
            raise_for_status(self._vendor, self._account, request, response)
        except VendorAPIError as error:
            return error
        return response

    def _keep(self, token: Token | None, until: float) -> None:
        headers = credential_headers(self._vendor, self._account, token.value if token else None)
        if token is not None and token.base_url is not None:
            self._base_url = trusted_base_url(self._vendor, self._account, token.base_url)
        self._token, self._headers, self._headers_until = token, self._convert(headers), until

    def _retry(self, attempt: Callable[[], Steps[T]], policy: RetryPolicy) -> Steps[T]:
        failures = Failures(policy, self._clock)
        while True:
            try:
                return (yield from attempt())
            except TransientError as error:
                self._metrics.error()
                yield Sleep(failures.delay_after(error))

    def _run_once(self, flow: Flow[T], policy: RetryPolicy) -> Steps[T]:
        try:
            request = next(flow)
            while True:
                try:
                    response = yield from self.exchange(request, policy)
                except (VendorAPIError, UntrustedResponseError) as error:
                    request = flow.throw(error)  # the flow may send another request instead, or do without
                    continue
                try:
                    request = flow.send(response)
                except BulkJobError:
                    self._shared.discard(response)  # the next attempt, or poll, needs another one
                    raise
        except StopIteration as finished:
            result: T = finished.value
            return result

    def _attempt(self, request: Request | Upload, policy: RetryPolicy) -> Steps[Response]:
        if isinstance(request, Upload):
            return _transfer(request)
        if request.signed:
            return self._read_file(request)
        if request.max_age and request.method == "GET":
            return self._share(request, policy)
        return self._fetch(request, policy)

    def _read_file(self, request: Request) -> Steps[Response]:
        host = signed_host(self._vendor, self._account, request.path)
        response = yield from self._receive(request, NO_HEADERS)
        # The range of a piece does not exist in an empty file.
        raise_for_file(response, host, (200, 204, 206, 416) if "Range" in request.headers else (200, 204))
        return response

    def _share(self, request: Request, policy: RetryPolicy) -> Steps[Response]:
        shared = self._shared.get(request, self._clock())
        return shared if shared is not None else (yield Share(request, policy))

    def fetch(self, request: Request, policy: RetryPolicy) -> Steps[Response]:
        """Send a request whose response is shared. Raises like one attempt of :meth:`exchange`."""
        response = yield from self._fetch(request, policy)
        self._shared.put(request, response)
        return response

    def _fetch(self, request: Request, policy: RetryPolicy) -> Steps[Response]:
        response, token = yield from self._exchange_once(request, policy)
        try:
            self._check(request, response, token)
        except AuthenticationError:
            if not self._discard_token(token):
                raise
            response, token = yield from self._exchange_once(request, policy)
            self._check(request, response, token)
        return response

    def _check(self, request: Request, response: Response, token: Token | None) -> None:
        raise_for_status(self._vendor, self._account, request, response, token.value if token else None)
        if token is self._token:
            self._accepted = token

    def check_file(self, request: Request, head: bytes) -> None:
        """Check that a file on the account's own host is not a failure with status 200.

        :param head: the beginning of the file.
        :raises TransientError: retry, also with a new token.
        :raises VendorAPIError: the vendor rejected the request.
        """
        response, token = Response(200, {}, head), self._token
        if (pause := account_pause(self._vendor, request, response)) is not None:
            self._throttle(pause, request, response)
        try:
            raise_for_status(self._vendor, self._account, request, response, token.value if token else None)
        except AuthenticationError as error:
            if not self._discard_token(token):
                raise
            raise TransientError(str(error)) from error

    def _discard_token(self, token: Token | None) -> bool:
        """Discard a rejected token; return whether to retry with a new one."""
        if token is None:
            return False
        if token is not self._token:
            return True  # another request has replaced it in the meantime
        self._token, self._headers_until = None, 0.0
        # If this token was never accepted, a new one would be rejected as well, unless it was about to expire.
        return token is self._accepted or token.expires_in < SHORT_LIFETIME

    def _exchange_once(self, request: Request, policy: RetryPolicy) -> Steps[tuple[Response, Token | None]]:
        authorized = request.authorized
        if authorized and self.is_refresh_due:
            yield REFRESH
        limit = self._vendor.rate_limit_of(request)
        if not self._limiter.try_acquire(limit):
            yield ACQUIRE if limit is None else Acquire(limit=limit)
        try:
            if authorized and self.is_refresh_due:  # it may have expired while the request was queued
                yield REFRESH
            token, headers = (self._token, self._headers) if authorized else (None, NO_HEADERS)
            if request.idempotent is False:
                policy.before_send()
            return (yield from self._send(request, headers)), token
        finally:
            self._limiter.release()

    def _send(self, request: Request, headers: Mapping[str, str]) -> Steps[Response]:
        if request.max_age:
            self._shared.record_send(request, self._clock())
        response = yield from self._receive(request, headers)
        if (pause := account_pause(self._vendor, request, response)) is not None:
            self._throttle(pause, request, response)
        return response

    def _throttle(self, pause: float, request: Request, response: Response) -> None:
        # Without a token no other request can succeed, so its limit is that of the account.
        limit = self._vendor.rate_limit_of(request) if request.authorized else None
        if self._vendor.status_of(response) == 429:
            self._limiter.slow_down(limit)
        self._limiter.pause(pause, limit)

    def _receive(self, request: Request, headers: Mapping[str, str]) -> Steps[Response]:
        try:
            response: Response = yield Send(request, headers)
        except NetworkError as error:
            raise network_error(self._vendor, self._account, request, error, self.url(request)) from None
        except ResponseTooLargeError as error:
            if request.idempotent is not False:
                raise UntrustedResponseError(str(error)) from None
            raise UnknownOutcomeError(str(error)) from None
        return response


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a flow that was advanced step by step.

    :param value: the return value of the flow.
    """

    value: Any


def _transfer(upload: Upload) -> Steps[Response]:
    response: Response = yield Transfer(upload)
    return response


def _resume(flow: Flow[Any], outcome: Response | VendorAPIError) -> Any:
    return flow.throw(outcome) if isinstance(outcome, VendorAPIError) else flow.send(outcome)


def _next(resume: Callable[[Any], Any], value: Any) -> Any:
    try:
        return resume(value)
    except StopIteration as finished:
        return Finished(finished.value)
