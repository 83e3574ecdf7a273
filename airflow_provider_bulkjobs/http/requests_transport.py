# SPDX-License-Identifier: Apache-2.0
"""The synchronous transport: the engine's exchanges over requests, for workers."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar

import requests
import urllib3
from urllib3.util.response import assert_header_parsing

from airflow_provider_bulkjobs.exceptions import BulkJobError, DeadlineReachedError, VendorAnswerError
from airflow_provider_bulkjobs.http.body import LARGEST_BODY, check_length, decode_body
from airflow_provider_bulkjobs.http.engine import (
    Acquire,
    Effect,
    Engine,
    Finished,
    Flow,
    Refresh,
    Send,
    Sleep,
    Steps,
    Transfer,
)
from airflow_provider_bulkjobs.http.pacing import Throttle
from airflow_provider_bulkjobs.http.responses import (
    CONNECT_TIMEOUT,
    LAST_LOOK,
    TOTAL_TIMEOUT,
    NetworkError,
    ResponseTooLargeError,
)
from airflow_provider_bulkjobs.http.retry import Patience
from airflow_provider_bulkjobs.http.session import AccountSession, watch_sending
from airflow_provider_bulkjobs.http.signed_urls import open_body, send_file, translate_download_errors
from airflow_provider_bulkjobs.metrics import Meter
from airflow_provider_bulkjobs.protocol.flow import Request, Response, Upload
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

T = TypeVar("T")
CHUNK = 64 * 1024
# An idle connection may be gone without either end knowing (NAT, firewalls), which shows only after a request was sent.
LONGEST_IDLE = 1.0  # seconds after which a request that is not idempotent gets a new connection
NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


class RequestsDriver:
    """Exchanges with one account, one at a time, in the calling thread."""

    def __init__(self, vendor: Vendor, account: Account) -> None:
        self._vendor = vendor
        self._account = account
        self.meter = Meter(vendor.conn_type, every=0.0)
        self._limiter = _Limiter(account["requests_per_second"])
        self._engine = Engine(vendor, account, self._limiter, self.meter)
        self._token_lock = threading.Lock()
        self._last_used = 0.0
        self.session = AccountSession(vendor.base_url(account), self._credentials)

    @property
    def pause_left(self) -> float:
        """For how many seconds the vendor has asked for no requests."""
        return self._limiter.throttle.pause_left(time.monotonic())

    def close(self) -> None:
        """Close the connections."""
        self.meter.tell()
        self.session.close()

    def run(self, start: Callable[[], Flow[T]], patience: Patience) -> T:
        """Run a flow to its end; see :meth:`Engine.run`.

        :raises DeadlineReachedError: the deadline came first.
        """
        return self._drive(self._engine.run(start, patience), patience)

    def ask(self, request: Request | Upload, patience: Patience) -> Response:
        """Send a single request; see :meth:`Engine.exchange`."""
        return self._drive(self._engine.exchange(request, patience), patience)

    def step(
        self,
        conversation: Flow[Any],
        request: Request | Upload,
        patience: Patience,
        heard: type[BulkJobError] = VendorAnswerError,
    ) -> Any:
        """Send what a flow has yielded, send it the response, and return what it yields next.

        :param heard: the errors that are thrown into the flow.
        :raises StopIteration: the flow has ended, with its value.
        """
        following = self._drive(self._engine.advance(conversation, request, patience, heard), patience)
        if isinstance(following, Finished):
            raise StopIteration(following.value)
        return following

    @contextmanager
    def open_file(self, path: str, headers: Mapping[str, str], most_bytes: int) -> Iterator[BinaryIO]:
        """Open a file on the account's own host to be read piece by piece; see :func:`open_file`."""
        with translate_download_errors(self._vendor.label):
            answer = self.session.get(path, headers=dict(headers), stream=True, allow_redirects=False)
            with answer, open_body(answer, self._vendor.label, most_bytes) as file:
                yield file

    def _drive(self, steps: Steps[T], patience: Patience) -> T:
        try:
            effect = next(steps)
            while True:
                try:
                    outcome = self._perform(effect, patience)
                except (NetworkError, ResponseTooLargeError, BulkJobError) as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(outcome)
        except StopIteration as finished:
            result: T = finished.value
            return result
        finally:
            steps.close()

    def _perform(self, effect: Effect, patience: Patience) -> Response | None:
        match effect:
            case Send():
                return self._send(effect, patience)
            case Transfer():
                return send_file(effect.upload, self._vendor, self._account)
            case Acquire():
                self.meter.throttled(self._limiter.acquire(patience.sleep))
            case Sleep():
                patience.sleep(effect.seconds)
            case Refresh():
                self._refresh(patience)
        return None

    def _send(self, send: Send, patience: Patience) -> Response:
        request = send.request
        if patience.remaining() < -LAST_LOOK:
            raise DeadlineReachedError("the deadline passed while requests were being answered")
        seconds = min(TOTAL_TIMEOUT, max(patience.remaining(), LAST_LOOK))
        started = time.monotonic()
        if not request.repeatable and started - self._last_used > LONGEST_IDLE:
            self.session.drop_connections()
        try:
            with (
                watch_sending() as sending,
                self.session.request(
                    request.method,
                    request.path,
                    authorized=False,  # the engine's headers have the credentials
                    headers={**send.headers, **request.headers},
                    data=request.body if request.form is None else request.form,
                    timeout=(min(CONNECT_TIMEOUT, seconds), seconds),
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                check_length(answer.headers)
                if (original := answer.raw._original_response) is not None:
                    assert_header_parsing(original.msg)  # urllib3 only logs what is wrong
                body = decode_body(answer.headers, _read(answer, started + seconds), LARGEST_BODY)
                return Response(answer.status_code, answer.headers, body)
        except NETWORK_ERRORS as error:
            timed_out = isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError)
            raise NetworkError.from_library(error, sent=sending.is_sent, timed_out=timed_out) from None
        finally:
            self._last_used = time.monotonic()

    def _credentials(self) -> dict[str, str]:
        self._refresh(Patience())
        return dict(self._engine.headers)

    def _refresh(self, patience: Patience) -> None:
        with self._token_lock:
            if self._engine.is_refresh_due:
                self._drive(self._engine.refresh(), patience)


class _Limiter:
    """The rate limiter of one thread: waiting for it is a sleep."""

    def __init__(self, per_second: float) -> None:
        self.throttle = Throttle(per_second)

    def take_free(self) -> bool:
        now = time.monotonic()
        if self.throttle.wait(now) > 0:
            return False
        self.throttle.go(now, now)
        return True

    def acquire(self, sleep: Callable[[float], None]) -> float:
        """Wait for the next request's turn; return for how many seconds."""
        now = queued_at = time.monotonic()
        while (wait := self.throttle.wait(now)) > 0:
            sleep(wait)
            now = time.monotonic()
        self.throttle.go(now, queued_at)
        return now - queued_at

    def give_back(self) -> None:
        """Do nothing: there is one request at a time."""

    def pause(self, seconds: float) -> None:
        self.throttle.pause(time.monotonic(), seconds)


def _read(answer: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    # Whatever has arrived by now, so that a server that drips cannot hold the worker for longer than the total timeout.
    while chunk := answer.raw.read1(CHUNK, decode_content=False):
        body += chunk
        if len(body) > LARGEST_BODY:
            raise ResponseTooLargeError(LARGEST_BODY)
        if time.monotonic() > deadline:
            raise requests.Timeout
    return bytes(body)
