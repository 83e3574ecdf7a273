# SPDX-License-Identifier: Apache-2.0
"""The asynchronous transport: the engine's exchanges over aiohttp, for triggers.

All waits on one connection share one transport, and so one session, one rate limiter and one token.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache, partial
from typing import Any, TypeVar

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.http.body import ACCEPTED_ENCODINGS, MAX_BODY, check_length, decode_body
from airflow_provider_bulkjobs.http.engine import (
    Acquire,
    Effect,
    Engine,
    Flow,
    Refresh,
    Send,
    Share,
    Sleep,
    Steps,
    Transfer,
)
from airflow_provider_bulkjobs.http.rate_limiter import RateLimiter
from airflow_provider_bulkjobs.http.responses import (
    BASE_HEADERS,
    CONNECT_TIMEOUT,
    TOTAL_TIMEOUT,
    NetworkError,
    ResponseTooLargeError,
)
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.http.shared_responses import Key, key_of
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
        self._sharing: dict[Key, asyncio.Task[Response]] = {}
        self._url = lru_cache(MAX_CACHED_URLS)(partial(URL, encoded=True))
        self._proxy = http_proxy_for(self._engine.base_url)
        self._session = aiohttp.ClientSession(
            # Requests queue in the rate limiter: in the connector, waiting would count against their timeouts.
            connector=aiohttp.TCPConnector(ssl=tls, limit=0, ttl_dns_cache=300, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=max(TOTAL_TIMEOUT, vendor.min_timeout), sock_connect=CONNECT_TIMEOUT),
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

    @property
    def has_queue(self) -> bool:
        """Whether requests wait for the rate limiter."""
        return self._limiter.waiting > 0

    async def close(self) -> None:
        """Close the connections."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        for task in self._sharing.values():
            task.cancel()
        await self._session.close()
        await self._limiter.close()
        self.metrics.flush()

    def run(self, start: Callable[[], Flow[T]], policy: RetryPolicy) -> Coroutine[Any, Any, T]:
        """Run a flow to its end; see :meth:`Engine.run`.

        The caller sets a deadline with :func:`asyncio.timeout`.
        """
        return self._drive(self._engine.run(start, policy))

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

    def _perform(self, effect: Effect) -> Coroutine[Any, Any, Response | None]:
        match effect:
            case Send():
                return self._send(effect)
            case Acquire(priority=True):
                return self._limiter.acquire_priority()
            case Acquire():
                return self._limiter.acquire(self.metrics, effect.limit)
            case Sleep():
                return asyncio.sleep(effect.seconds, None)
            case Refresh():
                return self._refresh()
            case Share():
                return self._share(effect)
            case Transfer():
                raise NotImplementedError("only workers upload files")

    async def _send(self, send: Send) -> Response:
        request = send.request
        if request.open is not None:
            raise NotImplementedError("only workers send files")
        url = self._engine.url(request)
        is_below_base_url = request.authorized and request.path.startswith("/")
        try:
            received = await self._session.request(
                request.method,
                self._url(url) if request.authorized else URL(url, encoded=True),  # its query may have a secret
                headers={**send.headers, **request.headers} if request.headers else send.headers,
                data=request.body if request.form is None else request.form,
                allow_redirects=False,
                proxy=self._proxy if is_below_base_url else http_proxy_for(url),
            )
            body = await _read(received)
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # the last one: a proxy with an invalid host
            is_unsent = isinstance(error, NOT_CONNECTED)
            timed_out = isinstance(error, TimeoutError)
            raise NetworkError.from_library(error, sent=not is_unsent, timed_out=timed_out) from None
        headers = _joined(received.headers)
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
            self._refreshing = asyncio.ensure_future(self._fetch_token())
            self._refreshing.add_done_callback(self._refreshed)
        await asyncio.shield(self._refreshing)

    async def _fetch_token(self) -> None:
        await self._drive(self._engine.refresh())
        self._proxy = http_proxy_for(self._engine.base_url)  # the base URL may have come with the token

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled():
            task.exception()  # mark it as retrieved: it is raised in the requests that wait for the token

    async def _share(self, share: Share) -> Response:
        key = key_of(share.request)
        if key not in self._sharing:
            # As above: one task for all that wait for the response, and one error.
            fetching = self._drive(self._engine.fetch(share.request, share.policy))
            self._sharing[key] = asyncio.ensure_future(fetching)
            self._sharing[key].add_done_callback(partial(self._fetched, key))
        return await asyncio.shield(self._sharing[key])

    def _fetched(self, key: Key, task: asyncio.Task[Response]) -> None:
        del self._sharing[key]
        if not task.cancelled():
            task.exception()  # mark it as retrieved


def _joined(headers: CIMultiDictProxy[str]) -> Mapping[str, str]:
    """Return headers in which those that came several times are joined by commas, as requests does."""
    names = {name.lower() for name in headers}
    if len(names) == len(headers):
        return headers
    return CIMultiDict({name: ", ".join(headers.getall(name)) for name in names})


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
