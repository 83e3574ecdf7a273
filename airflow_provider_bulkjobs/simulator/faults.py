# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong between a client and a vendor, on demand."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.activecampaign import SUBMIT_PATH, ActiveCampaign
from airflow_provider_bulkjobs.simulator.limits import Reading
from airflow_provider_bulkjobs.simulator.vendor import Vendor

HUGE_BYTES = 32 * 1024 * 1024
CHUNK = b"x" * 65536
# Linger on, for no time: closing then sends a reset instead of a goodbye.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Answer = Callable[[], Awaitable[web.StreamResponse]]


@dataclass
class Fault:
    """Something that goes wrong.

    :param vendor: whom it befalls; ``None``: everybody.
    :param count: how many requests are left to go wrong; ``None``: all, until the faults are cleared.
    :param path: only requests with this in their path and query.
    :param retry_after: the value of a Retry-After header.
    :param seconds: how long ``slow`` takes.
    :param status: the HTTP status, of those faults that have one.
    :param after: whether the request is obeyed before its answer goes wrong.
    """

    vendor: str | None
    fault: str
    count: int | None = None
    path: str | None = None
    retry_after: float | str | None = None
    seconds: float = 1.0
    status: int | None = None
    after: bool = False

    def concerns(self, vendor: str, path: str) -> bool:
        """Tell whether a request goes wrong."""
        return self.count != 0 and self.vendor in (None, vendor) and (self.path is None or self.path in path)


class Faults:
    """The faults that are set; the oldest that concerns a request is the one that befalls it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let something go wrong."""
        if fault.fault == "import_limit" and fault.path is None:
            fault.path = SUBMIT_PATH  # unless told otherwise, it is about submits
        self._faults.append(fault)

    def clear(self) -> None:
        """Let all be well again."""
        self._faults.clear()

    def take(self, vendor: str, path: str) -> Fault | None:
        """Return the fault that befalls a request, and count it."""
        fault = next((fault for fault in self._faults if fault.concerns(vendor, path)), None)
        if fault and fault.count is not None:
            fault.count -= 1
        return fault

    def as_json(self) -> list[dict[str, Any]]:
        """Return the faults that are still to come."""
        return [asdict(fault) for fault in self._faults if fault.count != 0]


async def play(fault: Fault, vendor: Vendor, request: web.Request, answer: Answer) -> web.StreamResponse:
    """Answer a request that goes wrong."""
    if fault.fault == "slow" and not fault.after:
        await asyncio.sleep(fault.seconds)
        return await answer()
    # Half of an answer, or a late one, needs an answer in any case.
    truth = await answer() if fault.after or fault.fault == "half_body" else None
    response = await KINDS[fault.fault](fault, vendor, request, truth)
    if fault.retry_after is not None and not response.prepared:
        response.headers["Retry-After"] = _plain(fault.retry_after)
    return response


def _plain(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


async def _rate_limit(fault: Fault, vendor: Vendor, *_: object) -> web.StreamResponse:
    """The vendor's 429; its headers agree with a wait in seconds, if there is one."""
    limit = vendor.settings.limits.get(vendor.name, vendor.told_limit)
    wait = fault.retry_after if isinstance(fault.retry_after, int | float) else 1
    reading = Reading(limit, 0, vendor.now() + wait, enforced=True)
    response = vendor.throttled(reading)
    response.headers.update(vendor.rate_headers(reading))
    return response


async def _server_error(fault: Fault, vendor: Vendor, *_: object) -> web.StreamResponse:
    return vendor.error(fault.status or 500, "Something went wrong on our side.")


async def _unauthorized(_fault: Fault, vendor: Vendor, *_: object) -> web.StreamResponse:
    return vendor.unauthorized()


async def _import_limit(_fault: Fault, vendor: Vendor, *_: object) -> web.StreamResponse:
    if isinstance(vendor, ActiveCampaign):
        return vendor.too_many_imports()
    return vendor.error(429, "Too many imports.")


async def _reset(_fault: Fault, _vendor: Vendor, request: web.Request, *_: object) -> web.StreamResponse:
    cut(request)
    return web.Response(status=499, reason="Connection reset")


async def _half_body(
    _fault: Fault, _vendor: Vendor, request: web.Request, truth: web.StreamResponse | None
) -> web.StreamResponse:
    """Promise the whole answer, send half of it, hang up."""
    body = truth.body if isinstance(truth, web.Response) and isinstance(truth.body, bytes) else b'{"status": "comp'
    truth = web.Response() if truth is None else truth  # before aiohttp 3.12, any response is false
    response = web.StreamResponse(status=truth.status, headers=truth.headers)
    response.content_length = max(len(body), 2)
    await response.prepare(request)
    with suppress(ConnectionError):
        await response.write(body[: len(body) // 2])
    if request.transport:
        request.transport.close()  # not cut: what is written shall arrive
    return response


async def _not_json(fault: Fault, *_: object) -> web.StreamResponse:
    text = "<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"
    return web.Response(status=fault.status or 200, text=text, content_type="text/html")


async def _slow(
    fault: Fault, _vendor: Vendor, _request: web.Request, truth: web.StreamResponse | None
) -> web.StreamResponse:
    await asyncio.sleep(fault.seconds)
    return web.Response() if truth is None else truth


async def _redirect(fault: Fault, _vendor: Vendor, request: web.Request, *_: object) -> web.StreamResponse:
    """Point to the same server by another name, where requests are recorded under "elsewhere"."""
    host = "127.0.0.1" if request.url.host == "localhost" else "localhost"
    location = request.url.with_host(host).with_path(f"/elsewhere{request.path}")
    return web.Response(status=fault.status or 302, headers={"Location": str(location)})


async def _huge_body(_fault: Fault, _vendor: Vendor, request: web.Request, *_: object) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    with suppress(ConnectionError):  # whoever has had enough may hang up
        await response.prepare(request)
        await response.write(b'{"padding": "')
        for _i in range(HUGE_BYTES // len(CHUNK)):
            await response.write(CHUNK)
        await response.write(b'"}')
    return response


def cut(request: web.Request) -> None:
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
    "outage": _reset,  # all connections of a vendor, until somebody ends it
    "unauthorized": _unauthorized,
    "redirect": _redirect,
    "huge_body": _huge_body,
    "import_limit": _import_limit,
}
