# SPDX-License-Identifier: Apache-2.0
"""The account that a wait in the triggerer uses, with the driver that is shared with other waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.http.aiohttp_transport import AiohttpTransport
    from airflow_provider_bulkjobs.vendors.spec.fields import Account
    from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor


@dataclass
class Lease:
    """One account and its driver, kept open while requests are under way."""

    account: Account
    transport: AiohttpTransport
    stack: AsyncExitStack = field(repr=False)
    requests: int = 0
    is_current: bool = True

    async def release(self) -> None:
        """Count a request as over; the last one of an account that is not used any more closes the driver."""
        self.requests -= 1
        await self.close_if_unused()

    async def close_if_unused(self) -> None:
        """Close the driver where nothing needs it."""
        if not self.is_current and not self.requests:
            await self.stack.aclose()


class CurrentAccount:
    """The account of a wait. It is read anew when the vendor refuses the key, which may have been renewed.

    :param load: reads the connection.
    """

    def __init__(self, vendor: Vendor, load: Callable[[], Awaitable[Account]]) -> None:
        self._vendor = vendor
        self._load = load
        self._renewing = asyncio.Lock()
        self._lease: Lease

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep the driver open, also between polls: those who only sleep keep the connections of the others open."""
        self._lease = await self._open(await self._load())
        try:
            yield
        finally:
            self._lease.is_current = False
            await self._lease.close_if_unused()

    def borrow(self) -> Lease:
        """Lend the account and its driver for one request, after which the lease must be released."""
        self._lease.requests += 1
        return self._lease

    async def renew(self, refused: Account) -> bool:
        """Read the connection again after the vendor has refused a key; return whether there is another one to try.

        :param refused: the account of a lease that is not released yet.
        """
        async with self._renewing:
            if self._lease.account.fingerprint != refused.fingerprint:
                return True  # another poll has noticed before
            account = await self._load()
            if account.fingerprint == refused.fingerprint:
                return False
            renewed = await self._open(account)
            self._lease.is_current = False  # the last request on it closes it
            self._lease = renewed
            return True

    async def _open(self, account: Account) -> Lease:
        from airflow_provider_bulkjobs.http.pool import shared_transport

        stack = AsyncExitStack()
        transport = await stack.enter_async_context(shared_transport(self._vendor, account))
        return Lease(account, transport, stack)
