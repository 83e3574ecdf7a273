# SPDX-License-Identifier: Apache-2.0
"""One asynchronous transport per connection and event loop, opened by the first user and closed by the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from airflow_provider_bulkjobs.http.aiohttp_transport import AiohttpTransport
from airflow_provider_bulkjobs.http.rate_limiter import RateLimiter
from airflow_provider_bulkjobs.http.shared_slots import async_shared_slots, prepare_storage
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
    """Yield the transport of an account. Changed credentials are another account, and so get another transport.

    The rate limiter belongs to the connection: users of old and new credentials share one queue, at the current rate.
    """
    loop = asyncio.get_running_loop()
    key = (loop, type(vendor), account.fingerprint)
    if key not in _transports:
        storage = await asyncio.to_thread(prepare_storage)
        tls = await asyncio.to_thread(lambda: tls_context(ca_bundle()))
        if key not in _transports:  # another task may have created it in the meantime
            limiters, name = _limiters_of(loop), (type(vendor), account.name)
            if name not in limiters:
                limiters[name] = RateLimiter(account.name, async_shared_slots(storage, vendor, account))
            limiter = limiters[name]
            limiter.set_rate(account["requests_per_second"])
            _transports[key] = _Shared(AiohttpTransport(vendor, account, tls, limiter))
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
    """Return a loop's rate limiters. They outlive the waits: rate and pause also apply to the next wait."""
    if loop not in _limiters:
        for closed in [known for known in _limiters if known.is_closed()]:
            del _limiters[closed]
    return _limiters.setdefault(loop, {})
