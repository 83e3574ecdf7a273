# SPDX-License-Identifier: Apache-2.0
"""The requests session of an account, which sends the credentials to the account's host only."""

from __future__ import annotations

import http
import http.client
import io
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.http.body import ACCEPTED_ENCODINGS
from airflow_provider_bulkjobs.http.log_filter import hide_queries
from airflow_provider_bulkjobs.http.responses import BASE_HEADERS, CONNECT_TIMEOUT, TOTAL_TIMEOUT
from airflow_provider_bulkjobs.http.tls_and_proxy import apply_environment, proxy_for, tls_context
from airflow_provider_bulkjobs.protocol.flow import origin

MAX_INTERIM = 100  # responses before the final one; without a limit, the total timeout would not hold
ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?//")


class Sending:
    """Whether a part of a request may have left this machine.

    :param timeout: the seconds that the response may take, from the end of the request on.
    """

    is_sent = False

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout


_sending: ContextVar[Sending | None] = ContextVar("sending", default=None)


@contextmanager
def watch_sending(timeout: float) -> Iterator[Sending]:
    """Detect whether a request of an :class:`AccountSession` was sent, even if it ends in an exception.

    The libraries' exceptions do not say: a reset behind a proxy is raised as a proxy error, and a failed TLS handshake
    looks like a lost connection. So the connection itself records when the first byte of a request is written. It also
    limits the time for the response: the timeout of the libraries is for each byte.
    """
    sending = Sending(timeout)
    token = _sending.set(sending)
    try:
        yield sending
    finally:
        _sending.reset(token)


class _TimedReader(io.RawIOBase):
    """Reads a socket until a deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        """Return ``True``."""
        return True

    def fileno(self) -> int:
        """Return that of the socket."""
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        """Read into a buffer.

        :raises TimeoutError: the deadline has passed.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        before = self._sock.gettimeout()
        self._sock.settimeout(left if before is None else min(left, before))
        try:
            return self._raw.readinto(buffer)
        finally:
            self._sock.settimeout(before)

    def close(self) -> None:
        """Close the reader, and the socket if nothing else uses it."""
        self._raw.close()
        super().close()


class _FinalResponse(http.client.HTTPResponse):
    """A response after any interim ones, such as 103 (Early Hints), of which http.client skips only 100."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if (sending := _sending.get()) is not None:
            self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, sending.timeout))

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("too many interim responses")


class _WatchedConnection:
    """A mixin for urllib3's connections: data sent before ``connect`` returns (TCP, proxy, TLS) is not a request."""

    response_class = _FinalResponse
    sock: Any
    _is_connecting = False

    def connect(self) -> None:
        self._is_connecting = True
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._is_connecting = False

    def send(self, data: Any) -> None:
        if not self._is_connecting:
            if self.sock is None:  # http.client would connect inside send()
                self.connect()
            if (sending := _sending.get()) is not None:
                sending.is_sent = True
        super().send(data)  # type: ignore[misc]


@cache
def _watched(pool_class: type[Any]) -> type[Any]:
    """Return a pool class of urllib3 whose connections are watched; SOCKS proxies have their own pool classes."""
    connection = pool_class.ConnectionCls
    connection = type(f"Watched{connection.__name__}", (_WatchedConnection, connection), {})
    return type(f"Watched{pool_class.__name__}", (pool_class,), {"ConnectionCls": connection})


class _WatchedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        is_known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not is_known:
            _watch(manager)
        return manager


def _watch(manager: Any) -> None:
    classes = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _watched(pool_class) for scheme, pool_class in classes.items()}


class AccountSession(requests.Session):
    """A requests session with the account's base URL and credentials, which it sends to no other host.

    Paths are relative to the account's base URL. Redirects to other hosts are not followed, cookies are not kept,
    and requests have timeouts by default.
    """

    def __init__(self, base_url: str, authorize: Callable[[], dict[str, str]]) -> None:
        super().__init__()
        self.headers.update({**BASE_HEADERS, "Accept-Encoding": ACCEPTED_ENCODINGS})
        self._authorize = authorize
        self.base_url = ""
        self.use(base_url)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for prefix in ("https://", "http://"):
            self.mount(prefix, _WatchedAdapter())

    def use(self, base_url: str) -> None:
        """Send requests to this base URL from now on."""
        if base_url == self.base_url:
            return
        self.base_url = base_url
        bundle = apply_environment(self, base_url)
        if base_url.startswith("https:"):
            tls_context(bundle)  # fail now: requests would report an invalid bundle as a connection error

    def drop_connections(self) -> None:
        """Close idle connections, so that the next request opens a new one."""
        self.close()  # the session stays usable

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return the target of a redirect, if it is on the account's host."""
        try:
            target = super().get_redirect_target(resp)
            is_ours = target is not None and origin(urljoin(resp.url, target)) == origin(self.base_url)
        except ValueError:  # not a URL
            return None
        return target if is_ours else None

    def resolve_redirects(self, *args: Any, yield_requests: bool = False, **kwargs: Any) -> Iterator[Any]:
        """Follow redirects; only where they are followed.

        Otherwise requests would prepare the next request all the same, and for that read the whole body, however large.
        """
        if not yield_requests:
            yield from super().resolve_redirects(*args, **kwargs)

    def request(  # type: ignore[override]
        self, method: str, url: str, *, authorized: bool = True, headers: Any = None, **kwargs: Any
    ) -> requests.Response:
        """Send a request to a path of the account's own host.

        :param url: a path such as ``/v3/scopes``, or a URL of the same origin.
        :raises BadArgumentError: the URL is of another origin, which must not receive the credentials.
        """
        own = self._authorize() if authorized else {}  # first: it may find out the base URL
        if ABSOLUTE.match(url.strip()):
            if origin(urljoin(self.base_url, url)) != origin(self.base_url):
                raise BadArgumentError(
                    "The URL is on another host. This session only sends requests to the host of its connection. "
                    "Use requests directly."
                )
        else:
            url = f"{self.base_url}/{url.removeprefix('/')}"
        return self.send_to(url, method, headers={**own, **(headers or {})}, **kwargs)

    def send_to(self, url: str, method: str, **kwargs: Any) -> requests.Response:
        """Send a request that has all its headers, to a URL that is known to be trusted."""
        kwargs.setdefault("timeout", (CONNECT_TIMEOUT, TOTAL_TIMEOUT))
        if not url.startswith(f"{self.base_url}/"):  # on another host, which may need another proxy, or none
            proxy = proxy_for(url)
            kwargs["proxies"] = {"http": proxy, "https": proxy}
        with hide_queries():
            return super().request(method, url, **kwargs)
