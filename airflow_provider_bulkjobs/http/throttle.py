# SPDX-License-Identifier: Apache-2.0
"""When the next request to an account may go: evenly spaced turns, and pauses the vendor asked for."""

from __future__ import annotations

MARGIN = 1.05  # requests reach a vendor less evenly than they are sent, and it counts what reaches it in a second
TOLERANCE = 0.002  # seconds that a turn may come early, as clocks and timers go
AFTER_PAUSE = 0.05  # seconds between those who waited for the end of a pause, so that it is not the next cause


class Throttle:
    """Turns for the requests of one account, handed out in the order in which they are asked for.

    It only does sums: the drivers sleep.

    :param per_second: requests per second; 0 for no limit of our own.
    """

    __slots__ = ("_gap", "_last", "_next", "_paused_until")

    def __init__(self, per_second: float) -> None:
        self._gap = MARGIN / per_second if per_second else 0.0
        self._next = 0.0
        self._last = 0.0
        self._paused_until = 0.0

    def reserve(self, now: float) -> float:
        """Take the next free turn; return how many seconds away it is."""
        turn = max(now, self._next)
        self._next = turn + (self._gap or (AFTER_PAUSE if turn > now else 0.0))
        return turn - now

    def release(self, now: float) -> float:
        """Go, and return 0; or return for how many seconds not yet, because somebody else has just gone."""
        wait = self._last + self._gap - now
        if wait > TOLERANCE:
            return wait
        self._last = now
        return 0.0

    def pause_left(self, now: float) -> float:
        """Return for how many seconds nobody may go; a turn that falls into a pause is void."""
        return max(self._paused_until - now, 0.0)

    def pause(self, now: float, seconds: float) -> None:
        """Let nobody go for so many seconds."""
        self._paused_until = max(self._paused_until, now + seconds)
        self._next = max(self._next, self._paused_until)
