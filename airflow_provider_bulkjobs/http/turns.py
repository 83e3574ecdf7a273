# SPDX-License-Identifier: Apache-2.0
"""The queue of those who want to ask the same account, on an event loop."""

from __future__ import annotations

import asyncio
import logging
import time

from airflow_provider_bulkjobs.http.throttle import Throttle
from airflow_provider_bulkjobs.metrics import Meter
from airflow_provider_bulkjobs.vendors.account import Account

LONG_QUEUE = 10.0  # seconds
log = logging.getLogger(__name__)


class Turns:
    """Lets requests go at the account's pace, in the order in which they come."""

    def __init__(self, account: Account, meter: Meter) -> None:
        self._account = account
        self._meter = meter
        self._throttle = Throttle(account["requests_per_second"])
        self._first = asyncio.Lock()  # only the first of the queue watches the clock
        self._queued = 0
        self._has_told = False

    @property
    def are_paused(self) -> bool:
        """Whether the vendor has asked to be left alone for now."""
        return self._throttle.pause_left(time.monotonic()) > 0

    def pause(self, seconds: float) -> None:
        """Let nobody go for so many seconds."""
        self._throttle.pause(time.monotonic(), seconds)

    async def take(self) -> None:
        """Wait for one's turn."""
        came = time.monotonic()
        if not self._throttle.gap and not self._throttle.wait(came) and not self._first.locked():
            return
        self._queued += 1
        try:
            async with self._first:
                while (wait := self._throttle.wait(time.monotonic())) > 0:  # noqa: ASYNC110  (a time is waited for)
                    await asyncio.sleep(wait)
                now = time.monotonic()
                self._throttle.go(now, waited=True)
        finally:
            self._queued -= 1
        self._meter.throttled(now - came)
        if now - came >= LONG_QUEUE:
            self._tell_of_queue()

    def _tell_of_queue(self) -> None:
        queue = self._queued * self._throttle.gap
        if queue < LONG_QUEUE or self._has_told:
            return
        self._has_told = True
        log.warning(
            "Connection %r: the waits on it ask more often than %g times a second, its limit. They take turns: each "
            "waits for another %.0f s or so beside its poke_interval. This is said once.",
            *(self._account.conn_id, self._account["requests_per_second"], queue),
        )
