# SPDX-License-Identifier: Apache-2.0
"""How long a failing vendor is borne with: growing, jittered waits, ten failures in a row, or the deadline."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from airflow_provider_bulkjobs.errors import (
    DeadlineReachedError,
    TransientError,
    VendorUnavailableError,
    WaitTooLongError,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """When to stop asking a vendor that fails.

    :param failures: how many failures in a row are too many; 1 gives up at once.
    :param first_wait: seconds before the second try; doubled before each further one.
    :param longest_wait: where the doubling ends, in seconds. What the vendor asks for may be longer.
    :param longest_sleep: the most seconds the caller will be held for by one wait.
    :param remaining: how many seconds are left until the deadline.
    :param report: what to tell about each failure that is borne with.
    :param committing: called right before a request that must not be sent twice.
    """

    failures: int = 10
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_sleep: float = math.inf
    remaining: Callable[[], float] = lambda: math.inf
    report: Callable[[str], None] = log.warning
    committing: Callable[[], None] = lambda: None

    def retrying(self) -> dict[str, Any]:
        """Return the arguments for a tenacity controller; its first try is the first *re*-try."""
        from tenacity import retry_if_exception_type

        return {
            "retry": retry_if_exception_type(TransientError),
            "wait": lambda state: self._wait(state.attempt_number, state.outcome.exception()),
            "stop": lambda state: state.attempt_number >= self.failures,
            "retry_error_callback": lambda state: self._give_up(state.outcome.exception()),
            "before_sleep": lambda state: self.report(
                f"{state.outcome.exception()}; failure {state.attempt_number} of at most {self.failures} in a row, "
                f"asking again in {state.upcoming_sleep:.0f} s"
            ),
        }

    def _wait(self, failures: int, error: TransientError) -> float:
        growing = min(self.first_wait * 2 ** (failures - 1), self.longest_wait)
        jittered: float = growing * random.uniform(0.5, 1.0)  # noqa: S311
        return max(jittered, error.retry_after or 0.0)

    def _give_up(self, error: TransientError) -> NoReturn:
        times = f" {self.failures} times in a row" if self.failures > 1 else ""
        raise VendorUnavailableError(f"{error}{times}", retry_after=error.retry_after) from error

    def sleep(self, seconds: float) -> None:
        """Sleep, in a thread that may, until the deadline at most.

        :raises WaitTooLongError: at once, where the sleep is longer than the caller will be held for.
        :raises DeadlineReachedError: at the deadline, where the sleep would have lasted longer.
        """
        if seconds > self.longest_sleep:
            raise WaitTooLongError(f"the next request would have to wait {seconds:.1f} s", seconds=seconds)
        left = max(self.remaining(), 0.0)
        time.sleep(min(seconds, left))
        if seconds > left:
            raise DeadlineReachedError(f"the next request would have had to wait another {seconds - left:.0f} s")


# One try and no sleep at all: for whoever has something better to do than to wait.
IMPATIENT = Patience(failures=1, longest_sleep=0.0)
