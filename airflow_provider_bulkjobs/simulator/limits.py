# SPDX-License-Identifier: Apache-2.0
"""Rate limits with fixed windows, and their headers, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple


class Limit(NamedTuple):
    """A rate limit: a number of requests per window of seconds."""

    requests: int
    per_seconds: float


@dataclass(frozen=True)
class RateLimit:
    """One rate limit of a vendor.

    :param name: its name in the setting ``limits``; empty: the vendor's name.
    :param route: what it counts, as the beginning of "METHOD /path"; empty: all requests.
    :param is_published: whether the vendor publishes the numbers, so that ``enforce_limits`` enforces them.
    :param is_advertised: whether the headers are also sent while the limit is not enforced.
    """

    limit: Limit
    name: str = ""
    route: str = ""
    is_published: bool = True
    is_advertised: bool = True


class Reading(NamedTuple):
    """The state of a rate limit after a request.

    :param resets_at: the end of the window in epoch seconds.
    :param is_enforced: whether excess requests are rejected; otherwise the limit is only sent in headers.
    :param name: the name of the limit.
    """

    limit: Limit
    remaining: int
    resets_at: float
    is_enforced: bool
    name: str = ""

    def seconds_left(self, now: float) -> int:
        """Return the seconds until the end of the window, rounded up, at least 1."""
        return max(1, math.ceil(self.resets_at - now))


@dataclass(frozen=True)
class RateHeaders:
    """The names of the rate limit headers of a vendor; an empty name: there is no such header.

    :param reset: the end of the window.
    :param reset_unit: the end of the window as a time in epoch seconds, or the seconds until then.
    :param retry_after: a header with the seconds until the next window, only in rejections.
    """

    limit: str = ""
    remaining: str = ""
    reset: str = ""
    reset_unit: Literal["epoch", "seconds"] = "epoch"
    retry_after: str = ""

    def of(self, reading: Reading, now: float, *, is_rejected: bool) -> Mapping[str, str]:
        """Return the headers of a response."""
        left = reading.seconds_left(now)
        headers = {
            self.limit: str(reading.limit.requests),
            self.remaining: str(reading.remaining),
            self.reset: str(int(reading.resets_at) if self.reset_unit == "epoch" else left),
            self.retry_after if is_rejected else "": str(left),
        }
        return {name: value for name, value in headers.items() if name}


class RateWindow:
    """A request counter in fixed windows that start at multiples of their length, as most vendors have it."""

    def __init__(self) -> None:
        self._window: tuple[Limit, float] | None = None
        self._used = 0

    def count(self, limit: Limit, now: float, *, is_enforced: bool) -> tuple[bool, Reading]:
        """Count a request; return whether it is within the limit, and the reading after it."""
        start = now // limit.per_seconds * limit.per_seconds
        if self._window != (limit, start):
            self._window, self._used = (limit, start), 0
        self._used += 1
        # Never 0 for a limit that is not enforced: clients that follow the headers would pause.
        remaining = max(limit.requests - self._used, 0 if is_enforced else 1)
        fits = not is_enforced or self._used <= limit.requests
        return fits, Reading(limit, remaining, start + limit.per_seconds, is_enforced)
