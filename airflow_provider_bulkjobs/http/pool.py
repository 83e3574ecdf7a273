# SPDX-License-Identifier: Apache-2.0
"""One asynchronous driver per connection and event loop, opened by the first wait and closed by the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from airflow_provider_bulkjobs.http.aiohttp_driver import AiohttpDriver
from airflow_provider_bulkjobs.http.environment import ca_bundle, tls_context
from airflow_provider_bulkjobs.vendors.account import Account
from airflow_provider_bulkjobs.vendors.base import Vendor


@dataclass(slots=True)
class _Shared:
    driver: AiohttpDriver
    users: int = 0


_drivers: dict[tuple[object, ...], _Shared] = {}


@asynccontextmanager
async def shared_driver(vendor: Vendor, account: Account) -> AsyncIterator[AiohttpDriver]:
    """Lend the driver of an account. Changed credentials make another account, and so another driver."""
    key = (asyncio.get_running_loop(), type(vendor), account.fingerprint)
    if key not in _drivers:
        tls = await asyncio.to_thread(lambda: tls_context(ca_bundle()))
        if key not in _drivers:  # nobody else was faster while this one was off the loop
            _drivers[key] = _Shared(AiohttpDriver(vendor, account, tls))
    shared = _drivers[key]
    shared.users += 1
    _tell_of_waits(shared.driver, vendor)
    try:
        yield shared.driver
    finally:
        shared.users -= 1
        _tell_of_waits(shared.driver, vendor)
        if not shared.users:
            del _drivers[key]
            await shared.driver.close()


def _tell_of_waits(driver: AiohttpDriver, vendor: Vendor) -> None:
    driver.meter.waits(sum(shared.users for key, shared in _drivers.items() if key[1] is type(vendor)))
