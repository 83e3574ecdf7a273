# SPDX-License-Identifier: Apache-2.0
"""Compute when the next request to an account may be sent: evenly spaced, slower after "too many requests", and after
pauses the vendor requested.
"""

from __future__ import annotations

from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit

# Requests arrive at the vendor less evenly than they are sent (a new connection takes about 100 ms), and the vendor
# counts arrivals per second.
MARGIN = 1.1
# Seconds between the requests that were queued during a pause, and those behind them, so that a burst does not cause
# the next pause. The gap is halved every RAMP seconds, so that the queue comes to an end.
GAP_AFTER_PAUSE = 0.05
RAMP = 10.0
# Other processes may use the same account, and how many is unknown. Each "too many requests" divides the rate by
# SLOWDOWN, then the rate doubles every RECOVERY seconds: processes that share an account get less than one such
# response a minute each, however many they are.
SLOWDOWN = 4.0
MAX_SLOWDOWN = 64.0
RECOVERY = 120.0
ONE_EVENT = 1.0  # seconds in which several such responses count once: their requests were sent at the same rate


class Pace:
    """The request rate of a connection, as pure computation: the transports sleep and keep the order.

    :param per_second: requests per second; 0 for no limit.
    :param burst: how many requests may be sent at once after a time without any.
    """

    __slots__ = (
        "_ahead",
        "_draining_until",
        "_next",
        "_paused_until",
        "_slowdown",
        "_slowed_at",
        "burst",
        "gap",
        "per_second",
    )

    def __init__(self, per_second: float = 0.0, burst: int = 1) -> None:
        self._next = 0.0  # when the next request would be due without a burst
        self._paused_until = 0.0
        self._draining_until = 0.0  # the end of the pause, or the last request of the queue after it
        self._slowdown = 1.0  # at _slowed_at; 1: the full rate
        self._slowed_at = 0.0
        self.burst = burst
        self.set_rate(per_second)

    def set_rate(self, per_second: float) -> None:
        """Set the number of requests per second."""
        self.per_second = per_second
        self._set_gap(self._slowdown)

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may be sent."""
        return max(self._next - self._ahead - now, 0.0)

    def record(self, now: float, queued_at: float) -> float:
        """Record that a request is sent now, and schedule the next one.

        :param queued_at: when the request was queued.
        :return: the seconds of its wait that were due to a pause.
        """
        if self._slowdown > 1.0:
            self._recover(now)
        pause = max(self._paused_until - queued_at, 0.0)
        gap = self.gap
        if not gap and queued_at < self._draining_until:
            gap = GAP_AFTER_PAUSE / 2.0 ** min((now - self._paused_until) // RAMP, 16)
            self._draining_until = now
        self._next = max(self._next if self._ahead else 0.0, now) + gap
        return pause

    def pause_left(self, now: float) -> float:
        """Return the remaining seconds of the current pause."""
        return max(self._paused_until - now, 0.0)

    def pause(self, now: float, seconds: float) -> None:
        """Send no request for ``seconds``."""
        self._draining_until = self._paused_until = max(self._paused_until, now + seconds)
        self._next = max(self._next, self._paused_until + self._ahead)

    def slow_down(self, now: float) -> None:
        """Reduce the rate after "too many requests", also if there is no limit; it recovers with time.

        Call this before :meth:`pause`: during a pause, such responses are those of requests that were sent before it.
        """
        if self.pause_left(now) or (self._slowdown > 1.0 and now - self._slowed_at < ONE_EVENT):
            return
        self._slowdown = min(self._slowdown_at(now) * SLOWDOWN, MAX_SLOWDOWN)
        self._slowed_at = now
        self._change_gap(now, self._slowdown)

    def _recover(self, now: float) -> None:
        slowdown = self._slowdown_at(now)
        if slowdown <= 1.0:
            self._slowdown = 1.0
        self._change_gap(now, slowdown)

    def _change_gap(self, now: float, slowdown: float) -> None:
        """Set the gap; as many requests of the burst are left as before."""
        before = self.gap
        self._set_gap(slowdown)
        if self._ahead:
            self._next = now + (self._next - now) * self.gap / before

    def _slowdown_at(self, now: float) -> float:
        recovered: float = 2.0 ** ((now - self._slowed_at) / RECOVERY)
        return max(self._slowdown / recovered, 1.0)

    def _set_gap(self, slowdown: float) -> None:
        gap = MARGIN / self.per_second if self.per_second else GAP_AFTER_PAUSE if slowdown > 1.0 else 0.0
        self.gap = gap * slowdown
        # How many seconds before its time a request may be sent. A burst belongs to a published rate.
        self._ahead = (self.burst - 1) * self.gap if self.per_second else 0.0


def rate_of(limit: RateLimit, account: float) -> float:
    """Return the requests per second of a group of endpoints; 0 if the account's client-side limit is disabled.

    :param account: the requests per second of the account.
    """
    return limit.requests / limit.seconds if account else 0.0
