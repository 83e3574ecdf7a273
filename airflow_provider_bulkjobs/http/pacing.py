# SPDX-License-Identifier: Apache-2.0
"""When the next request to an account may go: evenly spaced turns, and pauses the vendor asked for."""

from __future__ import annotations

# Requests reach a vendor less evenly than they are sent (a new connection alone takes some 100 ms), and it counts
# what reaches it in a second.
MARGIN = 1.1
AFTER_PAUSE = 0.05  # seconds between those who waited for the end of a pause, so that it is not the next cause


class Pace:
    """The pace of a connection. It only does sums: the drivers sleep, and let nobody jump the queue.

    :param per_second: requests per second; 0 for no limit of our own.
    """

    __slots__ = ("_next", "_paused_until", "gap", "per_second")

    def __init__(self, per_second: float = 0.0) -> None:
        self._next = 0.0
        self._paused_until = 0.0
        self.set_rate(per_second)

    def set_rate(self, per_second: float) -> None:
        """Let so many requests go in a second from now on."""
        self.per_second = per_second
        self.gap = MARGIN / per_second if per_second else 0.0

    def wait(self, now: float) -> float:
        """Return for how many seconds the next request may not go yet."""
        return max(self._next - now, 0.0)

    def go(self, now: float, came: float) -> float:
        """Let a request go; the next one follows at a distance.

        :param came: when it was first wanted.
        :return: for how many seconds of its wait there was a pause.
        """
        pause = max(self._paused_until - came, 0.0)
        self._next = now + (self.gap or (AFTER_PAUSE if pause else 0.0))
        return pause

    def pause_left(self, now: float) -> float:
        """Return for how many seconds the vendor wants to be left alone."""
        return max(self._paused_until - now, 0.0)

    def pause(self, now: float, seconds: float) -> None:
        """Let nobody go for so many seconds."""
        self._paused_until = max(self._paused_until, now + seconds)
        self._next = max(self._next, self._paused_until)
