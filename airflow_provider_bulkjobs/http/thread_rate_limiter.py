# SPDX-License-Identifier: Apache-2.0
"""The rate limiter of a worker, which sends one request at a time and waits by sleeping."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from airflow_provider_bulkjobs.http.pacing import Pace, rate_of
from airflow_provider_bulkjobs.http.shared_slots import SharedSlots
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit

LONG_WAIT = 60.0  # seconds
log = logging.getLogger(__name__)


class ThreadRateLimiter:
    """Limits the request rate of one thread, and of all processes that share its slots.

    :param per_second: requests per second; 0 for no limit.
    :param slots: the slots that it shares with other processes.
    """

    def __init__(self, per_second: float, slots: SharedSlots | None = None) -> None:
        self.pace = Pace(per_second)
        self._slots = slots
        self._groups: dict[RateLimit, Pace] = {}

    def try_acquire(self, limit: RateLimit | None = None) -> bool:
        """Acquire without waiting, if possible; shared slots may take a moment, so not with them."""
        now = time.monotonic()
        paces = self._paces(limit)
        if self._slots is not None or any(pace.wait(now) > 0 for pace in paces):
            return False
        for pace in paces:
            pace.record(now, now)
        return True

    def acquire(self, sleep: Callable[[float], None], limit: RateLimit | None = None) -> float:
        """Wait until the next request may be sent; return the seconds waited."""
        now = queued_at = time.monotonic()
        paces = self._paces(limit)
        while (wait := max(pace.wait(now) for pace in paces)) > 0:
            if wait > LONG_WAIT:  # otherwise the task would look like a hanging one
                log.info("The rate limit lets the next request through in %.0f s.", wait)
            sleep(wait)
            now = time.monotonic()
        if self._slots is not None:
            if limit is not None:
                self._acquire_shared(self._slots, sleep, paces[-1], limit)
            self._acquire_shared(self._slots, sleep, self.pace, None)
            now = time.monotonic()
        for pace in paces:
            pace.record(now, queued_at)
        return now - queued_at

    def release(self) -> None:
        """Do nothing: a worker has no concurrent requests."""

    def pause(self, seconds: float, limit: RateLimit | None = None) -> None:
        """Send no request for ``seconds``; of the group, if one is given, else of the account."""
        pace = self._paces(limit)[-1]
        pace.pause(time.monotonic(), seconds)
        if self._slots is not None:
            self._slots.pause(seconds, pace, limit)

    def slow_down(self, limit: RateLimit | None = None) -> None:
        """Reduce the rate for a while, after "too many requests"; that of the group, if one is given."""
        self._paces(limit)[-1].slow_down(time.monotonic())

    @staticmethod
    def _acquire_shared(
        slots: SharedSlots, sleep: Callable[[float], None], pace: Pace, limit: RateLimit | None
    ) -> None:
        while (wait := slots.acquire(pace, limit)) > 0:
            sleep(wait)

    def _paces(self, limit: RateLimit | None) -> list[Pace]:
        """Return the pace of the account, and that of the group of endpoints."""
        if limit is None:
            return [self.pace]
        if limit not in self._groups:
            self._groups[limit] = Pace(rate_of(limit, self.pace.per_second), limit.burst)
        return [self.pace, self._groups[limit]]
