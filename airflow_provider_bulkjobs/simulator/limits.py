# SPDX-License-Identifier: Apache-2.0
"""Counting requests against a limit."""

from __future__ import annotations

import math
from typing import NamedTuple

from airflow_provider_bulkjobs.simulator.settings import Limit


class Reading(NamedTuple):
    """What a vendor knows of its limit when it answers.

    :param enforced: otherwise it is only told, never held against anybody.
    """

    limit: Limit
    remaining: int
    resets_at: float
    enforced: bool

    def seconds_left(self, now: float) -> int:
        """Return the whole seconds until the window ends, at least one."""
        return max(1, math.ceil(self.resets_at - now))


class RateWindow:
    """Counts requests in fixed windows that start at multiples of their length, as most vendors do."""

    def __init__(self) -> None:
        self._window: tuple[Limit, float] | None = None
        self._used = 0

    def count(self, limit: Limit, now: float, *, enforced: bool) -> tuple[bool, Reading]:
        """Count one request; return whether it fits, and the reading after it."""
        start = now // limit.per_seconds * limit.per_seconds
        if self._window != (limit, start):
            self._window, self._used = (limit, start), 0
        self._used += 1
        # A limit nobody enforces never reads 0: well-mannered clients would stop for nothing.
        remaining = max(limit.requests - self._used, 0 if enforced else 1)
        fits = not enforced or self._used <= limit.requests
        return fits, Reading(limit, remaining, start + limit.per_seconds, enforced)
