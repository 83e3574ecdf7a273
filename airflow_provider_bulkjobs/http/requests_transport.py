# SPDX-License-Identifier: Apache-2.0
"""The synchronous transport: the engine's exchanges over requests, for workers."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, BinaryIO, TypeVar

import requests
import urllib3
from urllib3.util.response import assert_header_parsing

from airflow_provider_bulkjobs.exceptions import (
    BulkJobError,
    DeadlineExceededError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.http.body import MAX_BODY, check_length, decode_body
from airflow_provider_bulkjobs.http.engine import (
    Acquire,
    Effect,
    Engine,
    Finished,
    Flow,
    Refresh,
    Send,
    Share,
    Sleep,
    Steps,
    Transfer,
)
from airflow_provider_bulkjobs.http.responses import (
    CONNECT_TIMEOUT,
    FINAL_POLL_TIMEOUT,
    TOTAL_TIMEOUT,
    NetworkError,
    ResponseTooLargeError,
)
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.http.session import AccountSession, watch_sending
from airflow_provider_bulkjobs.http.shared_slots import shared_slots
from airflow_provider_bulkjobs.http.signed_urls import open_body, send_file, translate_download_errors
from airflow_provider_bulkjobs.http.thread_rate_limiter import ThreadRateLimiter
from airflow_provider_bulkjobs.metrics import Metrics
from airflow_provider_bulkjobs.protocol.flow import Request, Response, Upload
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

T = TypeVar("T")
CHUNK = 64 * 1024
# NAT or a firewall may drop an idle connection unnoticed: the error occurs only after a request was sent.
MAX_IDLE = 1.0  # seconds after which a non-idempotent request uses a new connection
NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


class RequestsTransport:
    """Exchanges with one account, one at a time, in the calling thread."""

    def __init__(self, vendor: Vendor, account: Account) -> None:
        self._vendor = vendor
        self._account = account
        self.metrics = Metrics(vendor.conn_type, every=0.0)
        self._limiter = ThreadRateLimiter(account["requests_per_second"], shared_slots(vendor, account))
        self._engine = Engine(vendor, account, self._limiter, self.metrics)
        self._token_lock = threading.Lock()
        self._last_used = 0.0
        self.session = AccountSession(vendor.base_url(account), self._credentials)

    @property
    def pause_left(self) -> float:
        """The remaining seconds of a pause that the vendor requested."""
        return self._limiter.pace.pause_left(time.monotonic())

    def close(self) -> None:
        """Close the connections."""
        self.metrics.flush()
        self.session.close()

    def run(self, start: Callable[[], Flow[T]], policy: RetryPolicy) -> T:
        """Run a flow to its end; see :meth:`Engine.run`.

        :raises DeadlineExceededError: the deadline has passed.
        """
        return self._drive(self._engine.run(start, policy), policy)

    def send(self, request: Request | Upload, policy: RetryPolicy) -> Response:
        """Send a single request; see :meth:`Engine.exchange`."""
        return self._drive(self._engine.exchange(request, policy), policy)

    def step(
        self,
        flow: Flow[Any],
        request: Request | Upload,
        policy: RetryPolicy,
        thrown: type[BulkJobError] = VendorAPIError,
    ) -> Any:
        """Send the request that a flow yielded, resume the flow with the response, and return what it yields next.

        :param thrown: the errors that are thrown into the flow.
        :raises StopIteration: the flow has ended, with its value.
        """
        next_request = self._drive(self._engine.advance(flow, request, policy, thrown), policy)
        if isinstance(next_request, Finished):
            raise StopIteration(next_request.value)
        return next_request

    @contextmanager
    def open_file(self, path: str, headers: Mapping[str, str], max_bytes: int) -> Iterator[BinaryIO]:
        """Open a file on the account's own host for streaming; see :func:`open_file`."""
        request = Request("GET", path)
        own = {**self._credentials(), **headers}
        url = self._engine.url(request)
        self._limiter.acquire(RetryPolicy().sleep, self._vendor.rate_limit_of(request))
        with translate_download_errors(self._vendor.label):
            received = self.session.send_to(url, "GET", headers=own, stream=True, allow_redirects=False)
            check = partial(self._engine.check_file, request)
            with received, open_body(received, self._vendor.label, max_bytes, check) as file:
                yield file

    def _drive(self, steps: Steps[T], policy: RetryPolicy) -> T:
        try:
            effect = next(steps)
            while True:
                try:
                    outcome = self._perform(effect, policy)
                except (NetworkError, ResponseTooLargeError, BulkJobError) as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(outcome)
        except StopIteration as finished:
            result: T = finished.value
            return result
        finally:
            steps.close()

    def _perform(self, effect: Effect, policy: RetryPolicy) -> Response | None:
        match effect:
            case Send():
                return self._send(effect, policy)
            case Transfer():
                return send_file(effect.upload, self._vendor, self._account)
            case Acquire():
                self.metrics.waited_for_rate_limit(self._limiter.acquire(policy.sleep, effect.limit))
            case Sleep():
                policy.sleep(effect.seconds)
            case Refresh():
                self._refresh(policy)
            case Share():
                return self._drive(self._engine.fetch(effect.request, effect.policy), policy)
        return None

    def _send(self, send: Send, policy: RetryPolicy) -> Response:
        request = send.request
        if policy.remaining() < -FINAL_POLL_TIMEOUT:
            raise DeadlineExceededError("the deadline passed while waiting for responses")
        seconds = min(max(TOTAL_TIMEOUT, self._vendor.min_timeout), max(policy.remaining(), FINAL_POLL_TIMEOUT))
        started = time.monotonic()
        if request.idempotent is False and started - self._last_used > MAX_IDLE:
            self.session.drop_connections()
        stack = ExitStack()
        file = stack.enter_context(request.open()) if request.open else None  # its errors are none of the network
        try:
            with (
                stack,
                watch_sending(seconds) as sending,
                self.session.send_to(
                    self._engine.url(request),
                    request.method,
                    headers={**send.headers, **request.headers},
                    data=file if file is not None else request.body or request.form,
                    timeout=(min(CONNECT_TIMEOUT, seconds), seconds),
                    allow_redirects=False,
                    stream=True,
                ) as received,
            ):
                if file is not None:
                    started = time.monotonic()  # a large file may take longer than a response may
                check_length(received.headers)
                if (original := received.raw._original_response) is not None:
                    assert_header_parsing(original.msg)  # urllib3 only logs malformed headers
                body = decode_body(received.headers, _read(received, started + seconds), MAX_BODY)
                return Response(received.status_code, received.headers, body)
        except NETWORK_ERRORS as error:
            timed_out = isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError)
            raise NetworkError.from_library(error, sent=sending.is_sent, timed_out=timed_out) from None
        except (BulkJobError, ResponseTooLargeError):
            raise
        except Exception as error:
            if sending.is_sent:
                raise
            raise NetworkError(type(error).__name__, sent=False) from error  # so that a submit is not in doubt
        finally:
            self._last_used = time.monotonic()

    def _credentials(self) -> dict[str, str]:
        self._refresh(RetryPolicy())
        return dict(self._engine.headers)

    def _refresh(self, policy: RetryPolicy) -> None:
        with self._token_lock:
            if self._engine.is_refresh_due:
                self._drive(self._engine.refresh(), policy)
                self.session.use(self._engine.base_url)


def _read(received: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    # read1 returns what has arrived, so that a slow server cannot block the worker beyond the total timeout.
    while chunk := received.raw.read1(CHUNK, decode_content=False):
        body += chunk
        if len(body) > MAX_BODY:
            raise ResponseTooLargeError(MAX_BODY)
        if time.monotonic() > deadline:
            raise requests.Timeout
    return bytes(body)
