# SPDX-License-Identifier: Apache-2.0
"""The retry policy: exponential backoff with jitter, until too many attempts or too much time, or the deadline."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_bulkjobs.exceptions import (
    DeadlineExceededError,
    RateLimitDelayError,
    TransientError,
    VendorUnavailableError,
)

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to retry a request, and when to give up.

    :param max_attempts: the maximum number of attempts in a row; 1 means no retry.
    :param max_outage: the maximum seconds from the first failure in a row to the last attempt. A pause that the vendor
        asks for, if it is longer than ``max_delay``, is no outage: the time starts again after it.
    :param initial_delay: seconds of backoff after the first failure; doubled after each further one.
    :param max_delay: the maximum of the backoff, in seconds. The vendor's ``Retry-After`` may be longer.
    :param max_sleep: the longest single sleep in seconds that the caller accepts.
    :param remaining: how many seconds are left until the deadline.
    :param on_retry: called with a message before each retry.
    :param before_send: called right before a non-idempotent request is sent.
    """

    max_attempts: float = 10
    max_outage: float = math.inf
    initial_delay: float = 1.0
    max_delay: float = 60.0
    max_sleep: float = math.inf
    remaining: Callable[[], float] = lambda: math.inf
    on_retry: Callable[[str], None] = log.warning
    before_send: Callable[[], None] = lambda: None

    def delay_before_retry(self, failures: int, error: TransientError, failing_for: float = 0.0) -> float:
        """Return the seconds to wait before the next attempt, and report it.

        :param failures: how many attempts have failed in a row.
        :param failing_for: the seconds since the first of them failed.
        :raises VendorUnavailableError: there is no attempt left.
        """
        if failures >= self.max_attempts or failing_for >= self.max_outage:
            raise VendorUnavailableError(
                f"{error.message}{_duration(failures, failing_for)}", hint=error.hint, retry_after=error.retry_after
            ) from error
        backoff = min(self.initial_delay * 2 ** min(failures - 1, 64), self.max_delay)
        wait: float = max(backoff * random.uniform(0.5, 1.0), error.retry_after or 0.0)  # noqa: S311
        if error.retry_after is None:  # the last attempt is made when the time is over, not before
            wait = min(wait, max(self.max_outage - failing_for, 0.0))
        attempts = f" of {self.max_attempts}" if self.max_attempts < math.inf else ""
        self.on_retry(f"{error}; attempt {failures}{attempts} failed, retrying in {wait:.0f} s")
        return wait

    def retry(self, action: Callable[[], T]) -> T:
        """Call an action until it raises no :class:`TransientError`, sleeping between the attempts.

        :raises VendorUnavailableError: there is no attempt left.
        """
        failures = Failures(self, time.monotonic)
        while True:
            try:
                return action()
            except TransientError as error:
                self.sleep(failures.delay_after(error))

    def sleep(self, seconds: float) -> None:
        """Sleep, but not beyond the deadline. Blocks the thread.

        :raises RateLimitDelayError: immediately, if the sleep is longer than ``max_sleep``.
        :raises DeadlineExceededError: at the deadline, if the sleep would have been longer.
        """
        if seconds > self.max_sleep:
            raise RateLimitDelayError(f"the next request must wait {seconds:.1f} s", seconds=seconds)
        left = max(self.remaining(), 0.0)
        time.sleep(min(seconds, left))
        if seconds > left:
            raise DeadlineExceededError(
                f"the deadline passed; the next request must wait another {seconds - left:.0f} s"
            )


class Failures:
    """The failures in a row of one request, and since when it has failed."""

    def __init__(self, policy: RetryPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._number = 0
        self._since: float | None = None

    def delay_after(self, error: TransientError) -> float:
        """Return the seconds to wait before the next attempt. Raises like :meth:`RetryPolicy.delay_before_retry`."""
        self._number += 1
        now = self._clock()
        is_pause = (error.retry_after or 0.0) > self._policy.max_delay  # such as that of a daily quota
        since = now if is_pause or self._since is None else self._since
        self._since = None if is_pause else since
        return self._policy.delay_before_retry(self._number, error, now - since)


def _duration(failures: int, seconds: float) -> str:
    if failures == 1:
        return ""
    if seconds < 60.0:
        return f" {failures} times in a row"
    return f" {failures} times in a row, for {seconds / 60.0:.0f} minutes"


# One attempt and no sleep, for callers that must not block.
NO_RETRY = RetryPolicy(max_attempts=1, max_sleep=0.0)
