# SPDX-License-Identifier: Apache-2.0
"""The synchronous driver: conversations over requests, for workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, TypeVar

import requests
import urllib3
from tenacity import Retrying

from airflow_provider_bulkjobs.errors import (
    BulkJobError,
    CredentialsError,
    DeadlineReachedError,
    TransientError,
    UnsafeAnswerError,
    VendorAnswerError,
)
from airflow_provider_bulkjobs.http.answers import (
    CONNECT_TIMEOUT,
    LARGEST_BODY,
    LAST_LOOK,
    TOTAL_TIMEOUT,
    check_answer,
    credential_headers,
    network_error,
    pause_wanted,
    reply,
)
from airflow_provider_bulkjobs.http.files import opened, send_file, told
from airflow_provider_bulkjobs.http.patience import Patience
from airflow_provider_bulkjobs.http.session import AccountSession
from airflow_provider_bulkjobs.http.throttle import Throttle
from airflow_provider_bulkjobs.metrics import Meter
from airflow_provider_bulkjobs.vendors.account import Account
from airflow_provider_bulkjobs.vendors.base import Conversation, Request, Response, Token, Vendor
from airflow_provider_bulkjobs.vendors.operation import Upload

T = TypeVar("T")
Q = TypeVar("Q")
Talk = Generator[Request | Upload, Response, T]
CHUNK = 64 * 1024


class RequestsDriver:
    """Holds conversations with one account, one at a time, in the calling thread."""

    def __init__(self, vendor: Vendor, account: Account) -> None:
        self._vendor = vendor
        self._account = account
        self._throttle = Throttle(account["requests_per_second"])
        self.meter = Meter(vendor.conn_type, every=0.0)
        self._token: Token | None = None
        self._token_until = 0.0
        self._token_lock = threading.Lock()
        self.session = AccountSession(vendor.base_url(account), self._credentials)

    @property
    def pause_left(self) -> float:
        """For how many seconds the vendor has asked to be left alone."""
        return self._throttle.pause_left(time.monotonic())

    def close(self) -> None:
        """Close the connections."""
        self.meter.tell()
        self.session.close()

    def run(self, start: Callable[[], Talk[T]], patience: Patience) -> T:
        """Hold a conversation to its end.

        :param start: makes the conversation; called again where an answer made no sense.
        :raises VendorUnavailableError: the vendor failed beyond ``patience``.
        :raises DeadlineReachedError: the deadline came first.
        :raises AnswerLostError: nobody knows whether a request that must not be sent twice was obeyed.
        :raises BulkJobError: the vendor said no, or something nobody understands.
        """
        try:
            return self._talk(start(), patience)
        except TransientError as error:
            return self._again(lambda: self._talk(start(), patience), error, patience)

    def ask(self, request: Request | Upload, patience: Patience) -> Response:
        """Ask a single question; see :meth:`run`."""
        try:
            return self._ask(request, patience)
        except TransientError as error:
            return self._again(partial(self._ask, request, patience), error, patience)

    def step(
        self,
        conversation: Generator[Q, Response, Any],
        request: Request | Upload,
        patience: Patience,
        heard: type[BulkJobError] = VendorAnswerError,
    ) -> Q:
        """Ask what a conversation wants to know, and hand it the answer; return what it yields next.

        :param heard: the errors that it is told of, too, since it may know another way.
        """
        try:
            response = self.ask(request, patience)
        except heard as error:
            return conversation.throw(error)
        return reply(conversation, request, response)

    @contextmanager
    def open_file(self, path: str, headers: Mapping[str, str], most_bytes: int) -> Iterator[BinaryIO]:
        """Open a file on the account's own host; see :func:`~airflow_provider_bulkjobs.http.files.open_file`."""
        with (
            told(self._vendor.label),
            self.session.get(path, headers=dict(headers), allow_redirects=False, stream=True) as answer,
            opened(answer, self._vendor.label, most_bytes) as file,
        ):
            yield file

    def _talk(self, conversation: Talk[T], patience: Patience) -> T:
        try:
            request = next(conversation)
            while True:
                request = self.step(conversation, request, patience)
        except StopIteration as end:
            result: T = end.value
            return result

    def _again(self, ask: Callable[[], T], failure: TransientError, patience: Patience) -> T:
        known: TransientError | None = failure

        def try_again() -> T:
            # Tenacity starts with a try. The first one has been made already, without tenacity's overhead.
            nonlocal known
            if known is not None:
                error, known = known, None
                raise error
            return ask()

        return Retrying(sleep=patience.sleep, after=self.meter.error, **patience.retrying())(try_again)

    def _ask(self, request: Request | Upload, patience: Patience) -> Response:
        if isinstance(request, Upload):
            return send_file(request, self._vendor, self._account)
        token = self._token
        try:
            return self._exchange(request, patience)
        except CredentialsError:
            if token is None or not request.authorized:
                raise
            with self._token_lock:
                if self._token is token:
                    self._token = None
            return self._exchange(request, patience)

    def _exchange(self, request: Request, patience: Patience) -> Response:
        self._wait_for_turn(patience)
        if patience.remaining() < -LAST_LOOK:
            raise DeadlineReachedError("the vendor's answers took too long")
        if not request.repeatable:
            patience.committing()
        response = self._send(request, min(TOTAL_TIMEOUT, max(patience.remaining(), LAST_LOOK)))
        if (pause := pause_wanted(response)) is not None:  # who asks alone pauses by himself, where no time is told
            self._throttle.pause(time.monotonic(), pause)
        check_answer(self._vendor, self._account, request, response, self._token.value if self._token else None)
        return response

    def _wait_for_turn(self, patience: Patience) -> None:
        now = came = time.monotonic()
        while (wait := self._throttle.wait(now)) > 0:
            patience.sleep(wait)
            now = time.monotonic()
        self._throttle.go(now, came)
        self.meter.throttled(now - came)

    def _send(self, request: Request, seconds: float) -> Response:
        started = time.monotonic()
        if request.authorized:
            self._sign_in(seconds)  # here and not where the session wants the token, which knows no deadline
            seconds = max(seconds - (time.monotonic() - started), min(seconds, LAST_LOOK))
            started = time.monotonic()
        try:
            with self.session.request(
                request.method,
                request.path,
                authorized=request.authorized,
                headers=dict(request.headers),
                data=request.body if request.form is None else request.form,
                timeout=(min(CONNECT_TIMEOUT, seconds), seconds),
                allow_redirects=False,
                stream=True,
            ) as answer:
                return Response(answer.status_code, answer.headers, _read(answer, started + seconds))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            timed_out = isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError)
            lost = not (request.repeatable or never_sent(error))
            raise network_error(self._vendor, self._account, error, timed_out=timed_out, lost=lost) from None

    def _credentials(self) -> dict[str, str]:
        token = self._sign_in(TOTAL_TIMEOUT)
        return credential_headers(self._vendor, self._account, token.value if token else None)

    def _sign_in(self, seconds: float) -> Token | None:
        with self._token_lock:
            if self._token is None or time.monotonic() >= self._token_until:
                sign_in = self._vendor.sign_in(self._account)
                self._token = None if sign_in is None else self._fetch(sign_in, seconds)
            return self._token

    def _fetch(self, sign_in: Conversation[Token], seconds: float) -> Token:
        request = next(sign_in)
        try:
            while True:
                response = self._send(request, seconds)
                check_answer(self._vendor, self._account, request, response)
                request = sign_in.send(response)
        except StopIteration as end:
            token: Token = end.value
            self._token_until = time.monotonic() + token.expires_in * 0.9
            return token


def never_sent(error: Exception) -> bool:
    """Tell whether an exchange failed before the vendor can have seen anything of it."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError) or isinstance(
        reason, urllib3.exceptions.NewConnectionError
    )


def _read(answer: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    # Whatever has arrived by now, so that a server that drips cannot hold the worker for longer than the total timeout.
    while chunk := answer.raw.read1(CHUNK, decode_content=True):
        body += chunk
        if len(body) > LARGEST_BODY:
            raise UnsafeAnswerError(f"the answer is larger than {LARGEST_BODY} bytes; it was not read")
        if time.monotonic() > deadline:
            raise requests.Timeout
    return bytes(body)
