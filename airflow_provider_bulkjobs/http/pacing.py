# SPDX-License-Identifier: Apache-2.0
"""Compute when the next request to an account may be sent: evenly spaced, and after pauses the vendor requested."""

from __future__ import annotations

from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit

# Requests arrive at the vendor less evenly than they are sent (a new connection takes about 100 ms), and the vendor
# counts arrivals per second.
MARGIN = 1.1
GAP_AFTER_PAUSE = 0.05  # seconds between requests after a pause, so that a burst does not cause the next one


class Pace:
    """The request rate of a connection, as pure computation: the transports sleep and keep the order.

    :param per_second: requests per second; 0 for no limit.
    :param burst: how many requests may be sent at once after a time without any.
    """

    __slots__ = ("_ahead", "_burst", "_next", "_paused_until", "gap", "per_second")

    def __init__(self, per_second: float = 0.0, burst: int = 1) -> None:
        self._next = 0.0  # when the next request would be due without a burst
        self._paused_until = 0.0
        self._burst = burst
        self.set_rate(per_second)

    def set_rate(self, per_second: float) -> None:
        """Set the number of requests per second."""
        self.per_second = per_second
        self.gap = MARGIN / per_second if per_second else 0.0
        self._ahead = (self._burst - 1) * self.gap  # how many seconds before its time a request may be sent

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may be sent."""
        return max(self._next - self._ahead - now, 0.0)

    def record(self, now: float, queued_at: float) -> float:
        """Record that a request is sent now, and schedule the next one.

        :param queued_at: when the request was queued.
        :return: the seconds of its wait that were due to a pause.
        """
        pause = max(self._paused_until - queued_at, 0.0)
        self._next = max(self._next if self._ahead else 0.0, now) + (self.gap or (GAP_AFTER_PAUSE if pause else 0.0))
        return pause

    def pause_left(self, now: float) -> float:
        """Return the remaining seconds of the current pause."""
        return max(self._paused_until - now, 0.0)

    def pause(self, now: float, seconds: float) -> None:
        """Send no request for ``seconds``."""
        self._paused_until = max(self._paused_until, now + seconds)
        self._next = max(self._next, self._paused_until + self._ahead)


def rate_of(limit: RateLimit, account: float) -> float:
    """Return the requests per second of a group of endpoints; 0 if the account's client-side limit is disabled.

    :param account: the requests per second of the account.
    """
    return limit.requests / limit.seconds if account else 0.0
