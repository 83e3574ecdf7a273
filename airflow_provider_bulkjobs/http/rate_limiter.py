# SPDX-License-Identifier: Apache-2.0
"""The rate limiter of an account on an event loop: a queue of its requests."""

from __future__ import annotations

import asyncio
import logging
import time

from airflow_provider_bulkjobs.http.pacing import MARGIN, Pace, rate_of
from airflow_provider_bulkjobs.http.shared_slots import AsyncSharedSlots
from airflow_provider_bulkjobs.metrics import Metrics
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit

# Enough for 50 polls a second with responses that take 200 ms, and few enough for the strictest vendor. Unused
# connections cost time per poll, and memory (280 KiB each).
MAX_CONCURRENT_REQUESTS = 10
LONG_QUEUE = 10.0  # seconds
HANG = 2.0  # seconds without a response to any of the concurrent requests
log = logging.getLogger(__name__)


class _Group:
    """The queue of a group of endpoints with a separate rate limit."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.head = asyncio.Lock()


class RateLimiter:
    """Limits the request rate of a connection and the number of concurrent requests; first come, first served.

    It belongs to the connection, not to its credentials: requests with old credentials use the same queue.

    :param slots: the slots that it shares with other processes.
    """

    def __init__(self, conn_id: str, slots: AsyncSharedSlots | None = None) -> None:
        self._conn_id = conn_id
        self._slots = slots
        self._sharing: set[asyncio.Task[None]] = set()  # the pauses that are being shared
        self._pace = Pace()
        self._groups: dict[RateLimit, _Group] = {}
        self._head = asyncio.Lock()  # only the head of the queue waits for the pace and for a slot
        self._released = asyncio.Event()  # set when a request has finished
        self._no_priority = asyncio.Event()  # set unless a priority request is waiting
        self._no_priority.set()
        self._in_flight = 0
        self._queued = 0
        self.waiting = 0  # requests in the queues of groups and of the account
        self._has_warned = False

    @property
    def is_paused(self) -> bool:
        """Whether the account is paused at the vendor's request."""
        return self._pace.pause_left(time.monotonic()) > 0

    def set_rate(self, per_second: float) -> None:
        """Set the number of requests per second; 0 for no limit."""
        self._pace.set_rate(per_second)
        for limit, group in self._groups.items():
            group.pace.set_rate(rate_of(limit, per_second))

    def pause(self, seconds: float, limit: RateLimit | None = None) -> None:
        """Send no request for ``seconds``; of the group, if one is given, else of the account."""
        pace = self._pace_of(limit)
        pace.pause(time.monotonic(), seconds)
        if self._slots is not None:
            task = asyncio.ensure_future(self._slots.pause(seconds, pace, limit))
            self._sharing.add(task)
            task.add_done_callback(self._sharing.discard)

    def slow_down(self, limit: RateLimit | None = None) -> None:
        """Reduce the rate for a while, after "too many requests"; that of the group, if one is given."""
        self._pace_of(limit).slow_down(time.monotonic())

    def try_acquire(self, limit: RateLimit | None = None) -> bool:
        """Acquire a slot if that is possible without waiting."""
        if (
            limit is not None
            or self._pace.gap
            or self._in_flight >= MAX_CONCURRENT_REQUESTS
            or self._head.locked()
            or self._pace.wait(time.monotonic())
        ):
            return False
        self._in_flight += 1
        return True

    async def acquire(self, metrics: Metrics, limit: RateLimit | None = None) -> None:
        """Wait in the queue for a slot; before that, in the queue of the group, if one is given."""
        group = self._group(limit) if limit is not None else None
        is_acquired = False
        self.waiting += 1
        try:
            while not is_acquired:
                if group is not None:
                    async with group.head:  # not in the account's queue, where it would hold up all others
                        metrics.waited_for_rate_limit(await self._wait(group.pace, limit))
                is_acquired = await self._acquire_slot(metrics, group)
        finally:
            self.waiting -= 1

    async def _acquire_slot(self, metrics: Metrics, group: _Group | None) -> bool:
        """Wait in the queue of the account; return ``False`` if the group was paused in the meantime."""
        queued_at = time.monotonic()
        self._queued += 1
        try:
            async with self._head:
                while True:
                    if self._in_flight >= MAX_CONCURRENT_REQUESTS:
                        await self._wait_for_release()
                    elif not self._no_priority.is_set():
                        await self._no_priority.wait()
                    elif (wait := self._pace.wait(time.monotonic())) > 0:
                        await asyncio.sleep(wait)
                    elif group is not None and group.pace.pause_left(time.monotonic()) > 0:
                        return False
                    elif self._slots is not None and (wait := await self._slots.acquire(self._pace)) > 0:
                        await asyncio.sleep(wait)
                    else:
                        break
                now = time.monotonic()
                self._in_flight += 1
                pause = self._pace.record(now, queued_at)
        finally:
            self._queued -= 1
        metrics.waited_for_rate_limit(now - queued_at)
        if now - queued_at - pause >= LONG_QUEUE:
            self._warn_of_long_queue()
        return True

    async def acquire_priority(self) -> None:
        """Wait ahead of the queue, for a token that all queued requests need. It takes no slot."""
        self._no_priority.clear()
        try:
            await self._wait(self._pace)
        finally:
            self._no_priority.set()

    def release(self) -> None:
        """Release the slot of a finished request."""
        self._in_flight -= 1
        self._released.set()

    async def close(self) -> None:
        """Close idle connections to the storage of shared slots; the next request opens another one."""
        if self._slots is not None:
            await asyncio.gather(*self._sharing)
            await self._slots.close()

    async def _wait(self, pace: Pace, limit: RateLimit | None = None) -> float:
        """Wait until a pace and the other processes let a request through; return the seconds waited."""
        queued_at = time.monotonic()
        while True:
            wait = pace.wait(time.monotonic())
            if not wait and self._slots is not None:
                wait = await self._slots.acquire(pace, limit)
            if not wait:
                break
            await asyncio.sleep(wait)
        now = time.monotonic()
        pace.record(now, queued_at)
        return now - queued_at

    async def _wait_for_release(self) -> None:
        """Wait for a response. After a hang of the vendor, what has been queued is spread as after a pause."""
        began = time.monotonic()
        self._released.clear()
        await self._released.wait()
        if (now := time.monotonic()) - began >= HANG:
            self._pace.pause(now, 0.0)

    def _pace_of(self, limit: RateLimit | None) -> Pace:
        return self._pace if limit is None else self._group(limit).pace

    def _group(self, limit: RateLimit) -> _Group:
        if limit not in self._groups:
            self._groups[limit] = _Group(Pace(rate_of(limit, self._pace.per_second), limit.burst))
        return self._groups[limit]

    def _warn_of_long_queue(self) -> None:
        queue = self._queued * self._pace.gap
        if queue < LONG_QUEUE or self._has_warned:
            return
        self._has_warned = True
        log.warning(
            "%s: polls exceed the limit of %.3g requests/s and are queued. The effective interval is "
            "poke_interval + ~%.0f s. (logged once)",
            *(self._conn_id, MARGIN / self._pace.gap, queue),
        )
