# SPDX-License-Identifier: Apache-2.0
"""The account of a wait in the triggerer, with the transport that it shares with other waits."""

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
    """One account and its transport, open while requests are in flight."""

    account: Account
    transport: AiohttpTransport
    stack: AsyncExitStack = field(repr=False)
    requests: int = 0
    is_current: bool = True

    async def release(self) -> None:
        """Release the lease after a request; the last request of an account that was replaced closes the transport."""
        self.requests -= 1
        await self.close_if_unused()

    async def close_if_unused(self) -> None:
        """Close the transport if no request needs it."""
        if not self.is_current and not self.requests:
            await self.stack.aclose()


class CurrentAccount:
    """The account of a wait. The connection is read again when the vendor refuses the key, which may have been renewed.

    :param load: reads the connection.
    :param account: the connection, if it was read just before.
    """

    def __init__(self, vendor: Vendor, load: Callable[[], Awaitable[Account]], account: Account | None = None) -> None:
        self._vendor = vendor
        self._load = load
        self._account = account
        self._renewing = asyncio.Lock()
        self._lease: Lease

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Account]:
        """Keep the transport open, also between polls: sleeping waits keep the TCP connections of the others open."""
        self._lease = await self._open(self._account or await self._load())
        try:
            yield self._lease.account
        finally:
            self._lease.is_current = False
            await self._lease.close_if_unused()

    def borrow(self) -> Lease:
        """Return the account and its transport for one request. The lease must be released afterwards."""
        self._lease.requests += 1
        return self._lease

    async def renew(self, refused: Account) -> bool:
        """Read the connection again after the vendor refused a key; return whether there is a new key.

        :param refused: the account of a lease that is not yet released.
        """
        async with self._renewing:
            if self._lease.account.fingerprint != refused.fingerprint:
                return True  # another poll has already renewed it
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
