# SPDX-License-Identifier: Apache-2.0
"""The synchronous driver: conversations over requests, for workers."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests
import urllib3
from tenacity import Retrying

from airflow_provider_bulkjobs.errors import (
    BadArgumentError,
    CredentialsError,
    DeadlineReachedError,
    TransientError,
    UnsafeAnswerError,
)
from airflow_provider_bulkjobs.http.answers import (
    BASE_HEADERS,
    CONNECT_TIMEOUT,
    LARGEST_BODY,
    LAST_LOOK,
    TOTAL_TIMEOUT,
    check_answer,
    credential_headers,
    network_error,
    pause_wanted,
)
from airflow_provider_bulkjobs.http.environment import ca_bundle, proxy_for, tls_context
from airflow_provider_bulkjobs.http.patience import Patience
from airflow_provider_bulkjobs.http.throttle import Throttle
from airflow_provider_bulkjobs.vendors.account import Account
from airflow_provider_bulkjobs.vendors.base import Conversation, Request, Response, Token, Vendor, origin

T = TypeVar("T")
ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?//")
CHUNK = 64 * 1024


class AccountSession(requests.Session):
    """A requests session that knows the account's address and credentials, and sends them nowhere else.

    Paths are relative to the account's base URL. Redirects to other hosts are not followed, cookies are not kept,
    and timeouts are set unless asked otherwise.
    """

    def __init__(self, base_url: str, authorize: Callable[[], dict[str, str]]) -> None:
        super().__init__()
        self.base_url = base_url
        self._authorize = authorize
        self.trust_env = False  # it would take a password from ~/.netrc; see environment.py for the rest
        self.verify = ca_bundle()
        if base_url.startswith("https:"):
            tls_context(self.verify)  # requests would tell a bundle that is none as an outage
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if proxy := proxy_for(base_url):
            self.proxies = {"http": proxy, "https": proxy}

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where a redirect leads, if the credentials may go there."""
        target = super().get_redirect_target(resp)
        if target is None or origin(urljoin(resp.url, target)) != origin(self.base_url):
            return None
        return target

    def request(  # type: ignore[override]
        self, method: str, url: str, *, authorized: bool = True, headers: Any = None, **kwargs: Any
    ) -> requests.Response:
        """Send a request to a path of the account's own host.

        :param url: a path such as ``/v3/scopes``, or a URL of the same origin.
        :raises BadArgumentError: the URL is of another origin, where the credentials must not go.
        """
        if ABSOLUTE.match(url.strip()):
            if origin(urljoin(self.base_url, url)) != origin(self.base_url):
                raise BadArgumentError("this session only talks to the host of its connection; use requests itself")
        else:
            url = f"{self.base_url}/{url.removeprefix('/')}"
        kwargs.setdefault("timeout", (CONNECT_TIMEOUT, TOTAL_TIMEOUT))
        own = self._authorize() if authorized else {}
        return super().request(method, url, headers={**own, **(headers or {})}, **kwargs)


class RequestsDriver:
    """Holds conversations with one account, one at a time, in the calling thread."""

    def __init__(self, vendor: Vendor, account: Account) -> None:
        self._vendor = vendor
        self._account = account
        self._throttle = Throttle(account["requests_per_second"])
        self._token: Token | None = None
        self._token_until = 0.0
        self._token_lock = threading.Lock()
        self.session = AccountSession(vendor.base_url(account), self._credentials)
        self.session.headers.update(BASE_HEADERS)

    @property
    def pause_left(self) -> float:
        """For how many seconds the vendor has asked to be left alone."""
        return self._throttle.pause_left(time.monotonic())

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def run(self, start: Callable[[], Conversation[T]], patience: Patience) -> T:
        """Hold a conversation to its end.

        :param start: makes the conversation; called again where an answer made no sense.
        :raises VendorUnavailableError: the vendor failed beyond ``patience``.
        :raises DeadlineReachedError: the deadline came first.
        :raises BulkJobError: the vendor said no, or something nobody understands.
        """
        try:
            return self._talk(start(), patience)
        except TransientError as error:
            return self._again(lambda: self._talk(start(), patience), error, patience)

    def _talk(self, conversation: Conversation[T], patience: Patience) -> T:
        try:
            request = next(conversation)
            while True:
                try:
                    response = self._ask(request, patience)
                except TransientError as error:
                    response = self._again(partial(self._ask, request, patience), error, patience)
                request = conversation.send(response)
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

        return Retrying(sleep=patience.sleep, **patience.retrying())(try_again)

    def _ask(self, request: Request, patience: Patience) -> Response:
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
        response = self._send(request, min(TOTAL_TIMEOUT, max(patience.remaining(), LAST_LOOK)))
        if (pause := pause_wanted(response)) is not None:
            self._throttle.pause(time.monotonic(), pause)
        check_answer(self._vendor, self._account, request, response, self._token.value if self._token else None)
        return response

    def _wait_for_turn(self, patience: Patience) -> None:
        while (wait := self._throttle.reserve(time.monotonic())) > 0:
            patience.sleep(wait)
            if not self.pause_left:
                return

    def _send(self, request: Request, seconds: float | None = None) -> Response:
        seconds = TOTAL_TIMEOUT if seconds is None else seconds
        started = time.monotonic()
        try:
            with self.session.request(
                request.method,
                request.path,
                authorized=request.authorized,
                headers=dict(request.headers),
                data=request.form,
                timeout=(min(CONNECT_TIMEOUT, seconds), seconds),
                allow_redirects=False,
                stream=True,
            ) as answer:
                return Response(answer.status_code, answer.headers, _read(answer, started + seconds))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            timed_out = isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError)
            raise network_error(self._vendor, self._account, error, timed_out=timed_out) from None

    def _credentials(self) -> dict[str, str]:
        with self._token_lock:
            if self._token is None or time.monotonic() >= self._token_until:
                sign_in = self._vendor.sign_in(self._account)
                self._token = None if sign_in is None else self._fetch(sign_in)
            value = self._token.value if self._token else None
        return credential_headers(self._vendor, self._account, value)

    def _fetch(self, sign_in: Conversation[Token]) -> Token:
        request = next(sign_in)
        try:
            while True:
                response = self._send(request)
                check_answer(self._vendor, self._account, request, response)
                request = sign_in.send(response)
        except StopIteration as end:
            token: Token = end.value
            self._token_until = time.monotonic() + token.expires_in * 0.9
            return token


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
