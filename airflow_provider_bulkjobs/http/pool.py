# SPDX-License-Identifier: Apache-2.0
"""One asynchronous driver per connection and event loop, opened by the first wait and closed by the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from airflow_provider_bulkjobs.http.aiohttp_transport import AiohttpTransport
from airflow_provider_bulkjobs.http.rate_limiter import RateLimiter
from airflow_provider_bulkjobs.http.tls_and_proxy import ca_bundle, tls_context
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor


@dataclass(slots=True)
class _Shared:
    transport: AiohttpTransport
    users: int = 0


_transports: dict[tuple[object, ...], _Shared] = {}
_limiters: dict[asyncio.AbstractEventLoop, dict[tuple[type[Vendor], str], RateLimiter]] = {}


@asynccontextmanager
async def shared_transport(vendor: Vendor, account: Account) -> AsyncIterator[AiohttpTransport]:
    """Lend the driver of an account. Changed credentials make another account, and so another driver.

    The turns are the connection's: while some still use what it was before, they queue with the others, at the pace
    that the connection has now.
    """
    loop = asyncio.get_running_loop()
    key = (loop, type(vendor), account.fingerprint)
    if key not in _transports:
        tls = await asyncio.to_thread(lambda: tls_context(ca_bundle()))
        if key not in _transports:  # nobody else was faster while this one was off the loop
            turns = _limiters_of(loop).setdefault((type(vendor), account.name), RateLimiter(account.name))
            turns.set_rate(account["requests_per_second"])
            _transports[key] = _Shared(AiohttpTransport(vendor, account, tls, turns))
    shared = _transports[key]
    shared.users += 1
    try:
        yield shared.transport
    finally:
        shared.users -= 1
        if not shared.users:
            del _transports[key]
            await shared.transport.close()


def _limiters_of(loop: asyncio.AbstractEventLoop) -> dict[tuple[type[Vendor], str], RateLimiter]:
    """Return a loop's turns. They outlive the waits: the next one is held by the same pace, and by the same pause."""
    if loop not in _limiters:
        for over in [known for known in _limiters if known.is_closed()]:
            del _limiters[over]
    return _limiters.setdefault(loop, {})
