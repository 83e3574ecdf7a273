# SPDX-License-Identifier: Apache-2.0
"""The queue of those who want to ask the same account, on an event loop."""

from __future__ import annotations

import asyncio
import logging
import time

from airflow_provider_bulkjobs.http.pacing import Pace
from airflow_provider_bulkjobs.metrics import Metrics

# Enough for 50 polls a second where an answer takes 200 ms, and few enough for the strictest vendor; more connections
# than needed cost more, per poll and in memory (280 KiB each).
MAX_CONCURRENT_REQUESTS = 10
LONG_QUEUE = 10.0  # seconds
log = logging.getLogger(__name__)


class RateLimiter:
    """Lets requests go at a connection's pace and not too many at a time, in the order in which they come.

    It outlives the credentials: whoever still uses the old ones queues here as well.
    """

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._throttle = Pace()
        self._first = asyncio.Lock()  # only the first of the queue watches the clock and the places
        self._place = asyncio.Event()  # set when a request is over
        self._nobody_ahead = asyncio.Event()  # of the queue
        self._nobody_ahead.set()
        self._under_way = 0
        self._queued = 0
        self._has_told = False

    @property
    def is_paused(self) -> bool:
        """Whether the vendor has asked to be left alone for now."""
        return self._throttle.pause_left(time.monotonic()) > 0

    def set_rate(self, per_second: float) -> None:
        """Let so many requests go in a second from now on; 0 for no limit of our own."""
        self._throttle.set_rate(per_second)

    def pause(self, seconds: float) -> None:
        """Let nobody go for so many seconds."""
        self._throttle.pause(time.monotonic(), seconds)

    def try_acquire(self) -> bool:
        """Take a turn if nobody has to wait for one."""
        if (
            self._throttle.gap
            or self._under_way >= MAX_CONCURRENT_REQUESTS
            or self._first.locked()
            or self._throttle.wait(time.monotonic())
        ):
            return False
        self._under_way += 1
        return True

    async def acquire(self, metrics: Metrics) -> None:
        """Wait for one's turn, with a place to send the request right away."""
        came = time.monotonic()
        self._queued += 1
        try:
            async with self._first:
                while True:
                    if self._under_way >= MAX_CONCURRENT_REQUESTS:
                        self._place.clear()
                        await self._place.wait()
                    elif not self._nobody_ahead.is_set():
                        await self._nobody_ahead.wait()
                    elif (wait := self._throttle.wait(time.monotonic())) > 0:
                        await asyncio.sleep(wait)
                    else:
                        break
                now = time.monotonic()
                self._under_way += 1
                pause = self._throttle.go(now, came)
        finally:
            self._queued -= 1
        metrics.waited_for_rate_limit(now - came)
        if now - came - pause >= LONG_QUEUE:
            self._tell_of_queue()

    async def acquire_priority(self) -> None:
        """Wait for one's turn ahead of the queue: for what nobody in it can go without. It takes no place."""
        self._nobody_ahead.clear()
        try:
            came = now = time.monotonic()
            while (wait := self._throttle.wait(now)) > 0:
                await asyncio.sleep(wait)
                now = time.monotonic()
            self._throttle.go(now, came)
        finally:
            self._nobody_ahead.set()

    def queue(self, more: int) -> float:
        """Return how many seconds it takes until so many more have had their turn."""
        return (self._queued + more) * self._throttle.gap

    def release(self) -> None:
        """Tell that a request is over."""
        self._under_way -= 1
        self._place.set()

    def _tell_of_queue(self) -> None:
        queue = self.queue(0)
        if queue < LONG_QUEUE or self._has_told:
            return
        self._has_told = True
        log.warning(
            "%s: polls exceed the limit of %.3g requests per second and are queued. The effective interval is "
            "poke_interval + %.0f s. (logged once)",
            *(self._conn_id, self._throttle.per_second, queue),
        )
