# SPDX-License-Identifier: Apache-2.0
"""The asynchronous driver: conversations over aiohttp, for triggers.

All waits on one connection share one driver, and with it one session, one throttle and one token.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache, partial
from typing import TypeVar

import aiohttp
from multidict import CIMultiDict
from tenacity import AsyncRetrying
from yarl import URL

from airflow_provider_bulkjobs.errors import CredentialsError, TransientError, UnsafeAnswerError, VendorAnswerError
from airflow_provider_bulkjobs.http.answers import (
    BASE_HEADERS,
    CONNECT_TIMEOUT,
    LARGEST_BODY,
    TOTAL_TIMEOUT,
    UNTOLD_PAUSE,
    check_answer,
    credential_headers,
    network_error,
    pause_for_all,
    reply,
)
from airflow_provider_bulkjobs.http.environment import proxy_for
from airflow_provider_bulkjobs.http.patience import Patience
from airflow_provider_bulkjobs.http.turns import Turns
from airflow_provider_bulkjobs.metrics import Meter
from airflow_provider_bulkjobs.vendors.account import Account
from airflow_provider_bulkjobs.vendors.base import Conversation, Request, Response, Token, Vendor

T = TypeVar("T")
KNOWN_URLS = 2000  # a URL that is parsed anew for each poll costs more than one that is kept
NO_HEADERS: Mapping[str, str] = {}


class AiohttpDriver:
    """Holds conversations with one account, many at a time, on the running event loop.

    :param tls: the context to verify the vendor's certificate with, made off the loop.
    :param turns: when a request may go; shared with whoever else uses the connection.
    """

    def __init__(self, vendor: Vendor, account: Account, tls: ssl.SSLContext, turns: Turns) -> None:
        self._vendor = vendor
        self._account = account
        self.meter = Meter(vendor.conn_type)
        self._turns = turns
        self._token: Token | None = None
        self._accepted: Token | None = None  # the last one that the vendor took
        self._headers: Mapping[str, str] = NO_HEADERS
        self._headers_until = 0.0
        self._fetching: asyncio.Task[None] | None = None
        self._base_url = vendor.base_url(account)
        self._url = lru_cache(KNOWN_URLS)(partial(_url, self._base_url))
        self._proxy = proxy_for(self._base_url)
        self._session = aiohttp.ClientSession(
            # Requests queue in the turns, not in the connector, where waiting would count against their timeouts.
            connector=aiohttp.TCPConnector(ssl=tls, limit=0, ttl_dns_cache=300, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=TOTAL_TIMEOUT, sock_connect=CONNECT_TIMEOUT),
            headers=BASE_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    @property
    def is_paused(self) -> bool:
        """Whether the vendor has asked to be left alone for now."""
        return self._turns.are_paused

    def queue(self, more: int) -> float:
        """Return how many seconds it takes until so many more requests have had their turn."""
        return self._turns.queue(more)

    async def close(self) -> None:
        """Close the connections."""
        if self._fetching is not None:
            self._fetching.cancel()
        await self._session.close()
        self.meter.tell()

    async def run(self, start: Callable[[], Conversation[T]], patience: Patience) -> T:
        """Hold a conversation to its end; see :meth:`RequestsDriver.run`.

        Deadlines are the caller's, with :func:`asyncio.timeout`.
        """
        try:
            return await self._talk(start(), patience)
        except TransientError as error:
            return await self._again(lambda: self._talk(start(), patience), error, patience)

    async def _talk(self, conversation: Conversation[T], patience: Patience) -> T:
        try:
            request = next(conversation)
            while True:
                try:
                    try:
                        response = await self._ask(request)
                    except TransientError as error:
                        response = await self._again(partial(self._ask, request), error, patience)
                except VendorAnswerError as error:
                    request = conversation.throw(error)  # it may know another way
                else:
                    request = reply(conversation, request, response)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _again(self, ask: Callable[[], Awaitable[T]], failure: TransientError, patience: Patience) -> T:
        known: TransientError | None = failure

        async def try_again() -> T:
            # Tenacity starts with a try. The first one has been made already, without tenacity's overhead.
            nonlocal known
            if known is not None:
                error, known = known, None
                raise error
            return await ask()

        return await AsyncRetrying(sleep=asyncio.sleep, after=self.meter.error, **patience.retrying())(try_again)

    async def _ask(self, request: Request) -> Response:
        response, token = await self._exchange(request)
        try:
            self._check(request, response, token)
        except CredentialsError:
            is_current = self._token is token
            if is_current and token is not None:
                self._token, self._headers_until = None, 0.0
            if token is None or (is_current and token is not self._accepted):
                raise  # a token that was never good for anything: another would not be either
            response, token = await self._exchange(request)
            self._check(request, response, token)
        return response

    def _check(self, request: Request, response: Response, token: Token | None) -> None:
        check_answer(self._vendor, self._account, request, response, token.value if token else None)
        if token is self._token:
            self._accepted = token

    async def _exchange(self, request: Request) -> tuple[Response, Token | None]:
        if request.authorized and time.monotonic() >= self._headers_until:
            await self._sign_in()
        if not self._turns.take_free():
            await self._turns.take(self.meter)
        try:
            if not request.authorized:
                token, headers = None, NO_HEADERS
            else:
                if time.monotonic() >= self._headers_until:  # the token may have died while this one queued
                    await self._sign_in()
                token, headers = self._token, self._headers
            response = await self._send(request, headers)
        finally:
            self._turns.give_back()
        self._heed_pause(request, response)
        return response, token

    def _heed_pause(self, request: Request, response: Response) -> None:
        if (pause := pause_for_all(self._vendor, request, response)) is not None:
            self._turns.pause(pause)

    async def _send(self, request: Request, headers: Mapping[str, str]) -> Response:
        try:
            answer = await self._session.request(
                request.method,
                self._url(request.path),
                headers={**headers, **request.headers} if request.headers else headers,
                data=request.body if request.form is None else request.form,
                allow_redirects=False,
                proxy=self._proxy,
            )
            return Response(answer.status, answer.headers, await _read(answer))
        except (aiohttp.ClientError, OSError) as error:
            timed_out = isinstance(error, TimeoutError)
            lost = not (request.repeatable or isinstance(error, aiohttp.ClientConnectorError))
            raise network_error(self._vendor, self._account, error, timed_out=timed_out, lost=lost) from None

    async def _sign_in(self) -> None:
        if self._fetching is None:
            conversation = self._vendor.sign_in(self._account)
            if conversation is None:
                self._keep_headers(None, math.inf)
                return
            # One fetch serves everyone who needs a token by now, and its failure fails them all.
            self._fetching = asyncio.ensure_future(self._fetch(conversation))
            self._fetching.add_done_callback(self._signed_in)
        await asyncio.shield(self._fetching)

    def _signed_in(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # those who wait for the token are told

    def _keep_headers(self, token: Token | None, until: float) -> None:
        self._token, self._headers_until = token, until
        # As aiohttp wants them, so that it does not have to convert them for each request.
        self._headers = CIMultiDict(credential_headers(self._vendor, self._account, token.value if token else None))

    async def _fetch(self, conversation: Conversation[Token]) -> None:
        request = next(conversation)
        try:
            while True:
                await self._turns.take_first()
                response = await self._send(request, NO_HEADERS)
                self._heed_pause(request, response)
                check_answer(self._vendor, self._account, request, response)
                request = conversation.send(response)
        except StopIteration as end:
            token: Token = end.value
            # Here and not in the callback: whoever asks between the end of this and the callback needs them already.
            self._keep_headers(token, time.monotonic() + token.expires_in * 0.9)
        except TransientError:
            self._turns.pause(UNTOLD_PAUSE)  # without a token nobody can ask anything
            raise


def _url(base_url: str, path: str) -> URL:
    return URL(base_url + path, encoded=True)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body; the connection is free again then, or closed, where not all of it was read."""
    length = answer.content_length
    if length is not None and length <= LARGEST_BODY and "Content-Encoding" not in answer.headers:
        return await answer.read()
    async with answer:
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > LARGEST_BODY:
                answer.close()
                raise UnsafeAnswerError(f"the answer is larger than {LARGEST_BODY} bytes; it was not read")
        return bytes(body)
