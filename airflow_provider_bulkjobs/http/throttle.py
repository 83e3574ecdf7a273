# SPDX-License-Identifier: Apache-2.0
"""When the next request to an account may go: evenly spaced turns, and pauses the vendor asked for."""

from __future__ import annotations

MARGIN = 1.05  # requests reach a vendor less evenly than they are sent, and it counts what reaches it in a second
AFTER_PAUSE = 0.05  # seconds between those who waited for the end of a pause, so that it is not the next cause


class Throttle:
    """The pace of one account. It only does sums: the drivers sleep, and let nobody jump the queue.

    :param per_second: requests per second; 0 for no limit of our own.
    """

    __slots__ = ("_next", "_paused_until", "gap")

    def __init__(self, per_second: float) -> None:
        self.gap = MARGIN / per_second if per_second else 0.0
        self._next = 0.0
        self._paused_until = 0.0

    def wait(self, now: float) -> float:
        """Return for how many seconds the next request may not go yet."""
        return max(self._next - now, 0.0)

    def go(self, now: float, *, waited: bool) -> None:
        """Let a request go; the next one follows at a distance.

        :param waited: whether it had to wait for its turn.
        """
        self._next = now + (self.gap or (AFTER_PAUSE if waited else 0.0))

    def pause_left(self, now: float) -> float:
        """Return for how many seconds the vendor wants to be left alone."""
        return max(self._paused_until - now, 0.0)

    def pause(self, now: float, seconds: float) -> None:
        """Let nobody go for so many seconds."""
        self._paused_until = max(self._paused_until, now + seconds)
        self._next = max(self._next, self._paused_until)
