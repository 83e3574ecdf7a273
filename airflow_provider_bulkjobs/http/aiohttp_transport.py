# SPDX-License-Identifier: Apache-2.0
"""The asynchronous transport: the engine's exchanges over aiohttp, for triggers.

All waits on one connection share one driver, and with it one session, one rate limiter and one token.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TypeVar

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.http.body import ACCEPTED_ENCODINGS, MAX_BODY, check_length, decode_body
from airflow_provider_bulkjobs.http.engine import Acquire, Effect, Engine, Flow, Refresh, Send, Sleep, Steps, Transfer
from airflow_provider_bulkjobs.http.rate_limiter import RateLimiter
from airflow_provider_bulkjobs.http.responses import (
    BASE_HEADERS,
    CONNECT_TIMEOUT,
    TOTAL_TIMEOUT,
    NetworkError,
    ResponseTooLargeError,
)
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.http.tls_and_proxy import http_proxy_for
from airflow_provider_bulkjobs.metrics import Metrics
from airflow_provider_bulkjobs.protocol.flow import LARGE_BODY, Response
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

T = TypeVar("T")
KNOWN_URLS = 2000  # a URL that is parsed anew for each poll costs more than one that is kept
LARGE_ENCODED_BODY = 4096  # bytes; decoded, they may be a thousand times as many, which would hold the loop
MAX_HEADER = 65536  # bytes: what http.client reads on a worker
# The connection was not established, so nothing was sent.
NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)


class AiohttpTransport:
    """Exchanges with one account, many at a time, on the running event loop.

    :param tls: the context to verify the vendor's certificate with, made off the loop.
    :param turns: when a request may go; shared with whoever else uses the connection.
    """

    def __init__(self, vendor: Vendor, account: Account, tls: ssl.SSLContext, turns: RateLimiter) -> None:
        self.metrics = Metrics(vendor.conn_type)
        self._limiters = turns
        # CIMultiDict is what aiohttp wants, so that it does not have to convert the headers for each request.
        self._engine = Engine(vendor, account, turns, self.metrics, convert=CIMultiDict)
        self._refreshing: asyncio.Task[None] | None = None
        self._base_url = vendor.base_url(account)
        self._url = lru_cache(KNOWN_URLS)(partial(_url, self._base_url))
        self._proxy = http_proxy_for(self._base_url)
        self._session = aiohttp.ClientSession(
            # Requests queue in the turns, not in the connector, where waiting would count against their timeouts.
            connector=aiohttp.TCPConnector(ssl=tls, limit=0, ttl_dns_cache=300, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=TOTAL_TIMEOUT, sock_connect=CONNECT_TIMEOUT),
            headers={**BASE_HEADERS, "Accept-Encoding": ACCEPTED_ENCODINGS},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
        )

    @property
    def is_paused(self) -> bool:
        """Whether the vendor has asked to be left alone for now."""
        return self._limiters.is_paused

    def queue(self, more: int) -> float:
        """Return how many seconds it takes until so many more requests have had their turn."""
        return self._limiters.queue(more)

    async def close(self) -> None:
        """Close the connections."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        await self._session.close()
        self.metrics.tell()

    async def run(self, start: Callable[[], Flow[T]], policy: RetryPolicy) -> T:
        """Run a flow to its end; see :meth:`Engine.run`.

        Deadlines are the caller's, with :func:`asyncio.timeout`.
        """
        return await self._drive(self._engine.run(start, policy))

    async def _drive(self, steps: Steps[T]) -> T:
        try:
            effect = next(steps)
            while True:
                try:
                    outcome = await self._perform(effect)
                except (NetworkError, ResponseTooLargeError, BulkJobError) as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(outcome)
        except StopIteration as finished:
            result: T = finished.value
            return result
        finally:
            steps.close()

    async def _perform(self, effect: Effect) -> Response | None:
        match effect:
            case Send():
                return await self._send(effect)
            case Acquire():
                await (self._limiters.acquire_priority() if effect.priority else self._limiters.acquire(self.metrics))
            case Sleep():
                await asyncio.sleep(effect.seconds)
            case Refresh():
                await self._refresh()
            case Transfer():
                raise NotImplementedError("files are sent by workers only")
        return None

    async def _send(self, send: Send) -> Response:
        request = send.request
        try:
            answer = await self._session.request(
                request.method,
                self._url(request.path),
                headers={**send.headers, **request.headers} if request.headers else send.headers,
                data=request.body if request.form is None else request.form,
                allow_redirects=False,
                proxy=self._proxy,
            )
            body = await _read(answer)
        except (aiohttp.ClientError, OSError) as error:
            is_unsent = isinstance(error, NOT_CONNECTED)
            timed_out = isinstance(error, TimeoutError)
            raise NetworkError.from_library(error, sent=not is_unsent, timed_out=timed_out) from None
        headers = answer.headers
        check_length(headers)
        if "Content-Encoding" in headers:
            decode = partial(decode_body, headers, body, MAX_BODY)
            body = await asyncio.to_thread(decode) if len(body) > LARGE_ENCODED_BODY else decode()
        response = Response(answer.status, headers, body)
        if len(body) > LARGE_BODY:
            await asyncio.to_thread(response.parse_in_thread)
        return response

    async def _refresh(self) -> None:
        if self._refreshing is None:
            # One task serves all that need a token by now, and its failure fails them all.
            self._refreshing = asyncio.ensure_future(self._drive(self._engine.refresh()))
            self._refreshing.add_done_callback(self._refreshed)
        await asyncio.shield(self._refreshing)

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled():
            task.exception()  # raised in those who wait for it


def _url(base_url: str, path: str) -> URL:
    return URL(base_url + path, encoded=True)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body; the connection is free again then, or closed, where not all of it was read."""
    length = answer.content_length
    if length is not None and length <= MAX_BODY:
        return await answer.read()
    async with answer:
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY:
                answer.close()
                raise ResponseTooLargeError(MAX_BODY)
        return bytes(body)
