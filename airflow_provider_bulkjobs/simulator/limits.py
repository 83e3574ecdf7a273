# SPDX-License-Identifier: Apache-2.0
"""Rate limits with fixed windows."""

from __future__ import annotations

import math
from typing import NamedTuple

from airflow_provider_bulkjobs.simulator.settings import Limit


class Reading(NamedTuple):
    """The state of a rate limit after a request.

    :param enforced: whether excess requests are rejected; otherwise the limit is only sent in headers.
    """

    limit: Limit
    remaining: int
    resets_at: float
    enforced: bool

    def seconds_left(self, now: float) -> int:
        """Return the seconds until the end of the window, rounded up, at least 1."""
        return max(1, math.ceil(self.resets_at - now))


class RateWindow:
    """A request counter in fixed windows that start at multiples of their length, as most vendors have it."""

    def __init__(self) -> None:
        self._window: tuple[Limit, float] | None = None
        self._used = 0

    def count(self, limit: Limit, now: float, *, enforced: bool) -> tuple[bool, Reading]:
        """Count a request; return whether it is within the limit, and the reading after it."""
        start = now // limit.per_seconds * limit.per_seconds
        if self._window != (limit, start):
            self._window, self._used = (limit, start), 0
        self._used += 1
        # Never 0 for a limit that is not enforced: clients that follow the headers would pause.
        remaining = max(limit.requests - self._used, 0 if enforced else 1)
        fits = not enforced or self._used <= limit.requests
        return fits, Reading(limit, remaining, start + limit.per_seconds, enforced)
