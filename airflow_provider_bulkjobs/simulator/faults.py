# SPDX-License-Identifier: Apache-2.0
"""Fault injection: errors between a client and a vendor, on demand."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.limits import Reading
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

HUGE_BYTES = 32 * 1024 * 1024
CHUNK = b"x" * 65536
# SO_LINGER with a timeout of 0: close sends RST instead of FIN.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Respond = Callable[[], Awaitable[web.StreamResponse]]


@dataclass
class Fault:
    """A fault to inject into requests.

    :param vendor: the affected vendor; ``None``: all vendors.
    :param count: the number of requests still to affect; ``None``: all, until the faults are cleared.
    :param path: affect only requests with this text in their path and query.
    :param retry_after: the value of a Retry-After header.
    :param seconds: the delay of ``slow``.
    :param status: the HTTP status, for faults that have one.
    :param after: execute the request before its response fails.
    """

    vendor: str | None
    fault: str
    count: int | None = None
    path: str | None = None
    retry_after: float | str | None = None
    seconds: float = 1.0
    status: int | None = None
    after: bool = False

    def matches(self, vendor: str, path: str) -> bool:
        """Return whether the fault applies to a request."""
        return self.count != 0 and self.vendor in (None, vendor) and (self.path is None or self.path in path)


class Faults:
    """The active faults; the oldest one that matches a request is injected."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def next_for(self, vendor: str, path: str) -> Fault | None:
        """Return the fault to inject into a request, and decrement its count."""
        fault = next((fault for fault in self._faults if fault.matches(vendor, path)), None)
        if fault and fault.count is not None:
            fault.count -= 1
        return fault

    def as_json(self) -> list[dict[str, Any]]:
        """Return the active faults as JSON values."""
        return [asdict(fault) for fault in self._faults if fault.count != 0]


async def inject(fault: Fault, vendor: SimulatedVendor, request: web.Request, respond: Respond) -> web.StreamResponse:
    """Return the faulty response to a request."""
    if fault.fault == "slow" and not fault.after:
        await asyncio.sleep(fault.seconds)
        return await respond()
    # half_body needs the real response, as does a fault after the execution.
    real_response = await respond() if fault.after or fault.fault == "half_body" else None
    if own := vendor.own_faults().get(fault.fault):
        response: web.StreamResponse = getattr(vendor, own[1])()
    else:
        response = await KINDS[fault.fault](fault, vendor, request, real_response)
    if fault.retry_after is not None and not response.prepared:
        response.headers["Retry-After"] = _plain(fault.retry_after)
    return response


def _plain(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


async def _rate_limit(fault: Fault, vendor: SimulatedVendor, *_: object) -> web.StreamResponse:
    """Return the vendor's 429; its rate limit headers match a Retry-After in seconds, if there is one."""
    name, rule = next(iter(vendor.limit_names().items()))
    limit = vendor.settings.limits.get(name, rule.limit)
    wait = fault.retry_after if isinstance(fault.retry_after, int | float) else 1
    reading = Reading(limit, 0, vendor.now() + wait, is_enforced=True, name=name)
    response = vendor.too_many_requests(reading)
    response.headers.update(vendor.rate_limit_headers(reading, is_rejected=True))
    return response


async def _server_error(fault: Fault, vendor: SimulatedVendor, *_: object) -> web.StreamResponse:
    return vendor.error(fault.status or 500, "Something went wrong on our side.")


async def _unauthorized(_fault: Fault, vendor: SimulatedVendor, *_: object) -> web.StreamResponse:
    return vendor.unauthorized()


async def _reset(_fault: Fault, _vendor: SimulatedVendor, request: web.Request, *_: object) -> web.StreamResponse:
    reset_connection(request)
    return web.Response(status=499, reason="Connection reset")


async def _half_body(
    _fault: Fault, _vendor: SimulatedVendor, request: web.Request, real_response: web.StreamResponse | None
) -> web.StreamResponse:
    """Announce the length of the whole response, send half of it, and close the connection."""
    body = (
        real_response.body
        if isinstance(real_response, web.Response) and isinstance(real_response.body, bytes)
        else b'{"status": "comp'
    )
    real_response = (
        web.Response() if real_response is None else real_response
    )  # before aiohttp 3.12, a response is falsy
    response = web.StreamResponse(status=real_response.status, headers=real_response.headers)
    response.content_length = max(len(body), 2)
    await response.prepare(request)
    with suppress(ConnectionError):
        await response.write(body[: len(body) // 2])
    if request.transport:
        request.transport.close()  # no reset: the written data must arrive
    return response


async def _not_json(fault: Fault, *_: object) -> web.StreamResponse:
    text = "<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"
    return web.Response(status=fault.status or 200, text=text, content_type="text/html")


async def _slow(
    fault: Fault, _vendor: SimulatedVendor, _request: web.Request, real_response: web.StreamResponse | None
) -> web.StreamResponse:
    await asyncio.sleep(fault.seconds)
    return web.Response() if real_response is None else real_response


async def _redirect(fault: Fault, _vendor: SimulatedVendor, request: web.Request, *_: object) -> web.StreamResponse:
    """Redirect to the same server by another host name; the requests there are recorded as "elsewhere"."""
    host = "127.0.0.1" if request.url.host == "localhost" else "localhost"
    location = request.url.with_host(host).with_path(f"/elsewhere{request.path}")
    return web.Response(status=fault.status or 302, headers={"Location": str(location)})


async def _huge_body(_fault: Fault, _vendor: SimulatedVendor, request: web.Request, *_: object) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    with suppress(ConnectionError):  # the client may close the connection early
        await response.prepare(request)
        await response.write(b'{"padding": "')
        for _i in range(HUGE_BYTES // len(CHUNK)):
            await response.write(CHUNK)
        await response.write(b'"}')
    return response


def reset_connection(request: web.Request) -> None:
    """Reset the connection of a request."""
    transport = request.transport
    if transport is None:
        return
    with suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()


KINDS: dict[str, Callable[..., Awaitable[web.StreamResponse]]] = {
    "rate_limit": _rate_limit,
    "server_error": _server_error,
    "reset": _reset,
    "half_body": _half_body,
    "not_json": _not_json,
    "slow": _slow,
    "outage": _reset,  # all connections of a vendor, until the faults are cleared
    "unauthorized": _unauthorized,
    "redirect": _redirect,
    "huge_body": _huge_body,
}
