# SPDX-License-Identifier: Apache-2.0
"""Lookups of connections in the triggerer: one at a time, and shared by the waits that ask for the same connection.

Many waits on one connection start together, also after a restart of the triggerer. A slow secrets backend would take
minutes for a lookup for each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

# Callers resume in batches: all of them at once would block the event loop.
BATCH = 5
PAUSE = 0.005  # seconds between two batches
LookUp = Callable[[str], Awaitable["Connection"]]


class _Shared:
    """A lookup, and the callers that wait for it."""

    def __init__(self) -> None:
        self.callers: dict[asyncio.Future[Connection], None] = {}  # in order
        self.task: asyncio.Task[None] | None = None

    async def resolve(self, outcome: Connection | BaseException) -> None:
        """Resume the callers with a result or an error, a few at a time."""
        for number, caller in enumerate(list(self.callers), 1):
            if caller.done():
                continue
            if isinstance(outcome, BaseException):
                caller.set_exception(outcome)
            else:
                caller.set_result(outcome)
            if number % BATCH == 0:
                await asyncio.sleep(PAUSE)


class _Lookups:
    """The lookups of one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()  # Airflow 3.1 mixes up the responses of concurrent lookups
        self._upcoming: dict[str, _Shared] = {}  # that may still be waiting for their turn

    async def share(self, conn_id: str, look_up: LookUp) -> Connection:
        """Return the result of a lookup that begins after this call; with the last caller, it is canceled, too."""
        shared = self._upcoming.get(conn_id)
        if shared is None:
            shared = self._upcoming[conn_id] = _Shared()
            shared.task = asyncio.create_task(self._run(conn_id, look_up, shared))
        caller: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        shared.callers[caller] = None
        try:
            return await caller
        finally:
            del shared.callers[caller]
            if not shared.callers and shared.task is not None:
                shared.task.cancel()  # without effect if it has ended
                if self._upcoming.get(conn_id) is shared:
                    del self._upcoming[conn_id]

    async def _run(self, conn_id: str, look_up: LookUp, shared: _Shared) -> None:
        try:
            async with self._turn:
                del self._upcoming[conn_id]  # who asks from now on may need a newer connection
                connection = await look_up(conn_id)
        except BaseException as error:
            await shared.resolve(error)
            if not isinstance(error, Exception):
                raise
        else:
            await shared.resolve(connection)


_lookups: WeakKeyDictionary[asyncio.AbstractEventLoop, _Lookups] = WeakKeyDictionary()


async def share_lookup(conn_id: str, look_up: LookUp) -> Connection:
    """Look up a connection, or share a lookup of it that has not begun yet.

    :param look_up: performs one lookup; its errors are raised in all callers that share it.
    """
    lookups = _lookups.setdefault(asyncio.get_running_loop(), _Lookups())
    return await lookups.share(conn_id, look_up)
