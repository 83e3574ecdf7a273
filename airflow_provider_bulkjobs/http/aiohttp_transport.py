# SPDX-License-Identifier: Apache-2.0
"""The asynchronous transport: the engine's exchanges over aiohttp, for triggers.

All waits on one connection share one transport, and so one session, one rate limiter and one token.
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

from airflow_provider_bulkjobs.exceptions import BulkJobError, UntrustedResponseError
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
MAX_CACHED_URLS = 2000  # parsing a URL for each poll costs more than caching it
LARGE_ENCODED_BODY = 4096  # bytes; decoded, they can be a thousand times as many, which would block the loop
MAX_HEADER = 65536  # bytes, as in http.client, which workers use
# The connection was not established, so nothing was sent.
NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)


class AiohttpTransport:
    """Exchanges with one account, many at a time, on the running event loop.

    :param tls: the context that verifies the vendor's certificate, created outside of the event loop.
    :param limiter: the rate limiter of the connection, shared by all its transports.
    """

    def __init__(self, vendor: Vendor, account: Account, tls: ssl.SSLContext, limiter: RateLimiter) -> None:
        self.metrics = Metrics(vendor.conn_type)
        self._limiter = limiter
        # aiohttp uses CIMultiDict; with any other mapping it would convert the headers for each request.
        self._engine = Engine(vendor, account, limiter, self.metrics, convert=CIMultiDict)
        self._refreshing: asyncio.Task[None] | None = None
        self._base_url = vendor.base_url(account)
        self._url = lru_cache(MAX_CACHED_URLS)(partial(_url, self._base_url))
        self._proxy = http_proxy_for(self._base_url)
        self._session = aiohttp.ClientSession(
            # Requests queue in the rate limiter: in the connector, waiting would count against their timeouts.
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
        """Whether the account is paused at the vendor's request."""
        return self._limiter.is_paused

    def queue(self, more: int) -> float:
        """Return in how many seconds the rate limiter has let through what is queued and ``more`` requests."""
        return self._limiter.queue(more)

    async def close(self) -> None:
        """Close the connections."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        await self._session.close()
        self.metrics.flush()

    async def run(self, start: Callable[[], Flow[T]], policy: RetryPolicy) -> T:
        """Run a flow to its end; see :meth:`Engine.run`.

        The caller sets a deadline with :func:`asyncio.timeout`.
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
                await (self._limiter.acquire_priority() if effect.priority else self._limiter.acquire(self.metrics))
            case Sleep():
                await asyncio.sleep(effect.seconds)
            case Refresh():
                await self._refresh()
            case Transfer():
                raise NotImplementedError("only workers upload files")
        return None

    async def _send(self, send: Send) -> Response:
        request = send.request
        if request.open is not None:
            raise NotImplementedError("only workers send files")
        try:
            received = await self._session.request(
                request.method,
                self._url(request.path),
                headers={**send.headers, **request.headers} if request.headers else send.headers,
                data=request.body if request.form is None else request.form,
                allow_redirects=False,
                proxy=self._proxy,
            )
            body = await _read(received)
        except (aiohttp.ClientError, OSError) as error:
            is_unsent = isinstance(error, NOT_CONNECTED)
            timed_out = isinstance(error, TimeoutError)
            raise NetworkError.from_library(error, sent=not is_unsent, timed_out=timed_out) from None
        headers = received.headers
        check_length(headers)
        if "Content-Encoding" in headers:
            decode = partial(decode_body, headers, body, MAX_BODY)
            body = await asyncio.to_thread(decode) if len(body) > LARGE_ENCODED_BODY else decode()
        response = Response(received.status, headers, body)
        if len(body) > LARGE_BODY:
            await asyncio.to_thread(response.parse_in_thread)
        return response

    async def _refresh(self) -> None:
        if self._refreshing is None:
            # One task fetches the token for all requests that wait for it; if it fails, they all fail.
            self._refreshing = asyncio.ensure_future(self._drive(self._engine.refresh()))
            self._refreshing.add_done_callback(self._refreshed)
        await asyncio.shield(self._refreshing)

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled():
            task.exception()  # mark it as retrieved: it is raised in the requests that wait for the token


def _url(base_url: str, path: str) -> URL:
    if not path.startswith("/") or path.startswith("//"):  # together with the base URL, it could name another host
        raise UntrustedResponseError("only workers send requests to other hosts than that of the connection")
    return URL(base_url + path, encoded=True)


async def _read(received: aiohttp.ClientResponse) -> bytes:
    """Return the body, and release the connection; close it if the body was not read completely."""
    length = received.content_length
    if length is not None and length <= MAX_BODY:
        return await received.read()
    async with received:
        body = bytearray()
        async for chunk in received.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY:
                received.close()
                raise ResponseTooLargeError(MAX_BODY)
        return bytes(body)
