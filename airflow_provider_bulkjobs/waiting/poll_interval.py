# SPDX-License-Identifier: Apache-2.0
"""The interval between polls. It is computed without a clock, so it can be tested without waiting."""

from __future__ import annotations

import random
from dataclasses import dataclass

# Minimum seconds between a deferral and the trigger's event. An earlier event can arrive before Airflow has recorded
# the deferral; the task then fails.
MIN_DEFERRAL = 10.0
# Maximum seconds until the first poll of a wait that starts in the triggerer. First polls are spread over the interval,
# but an error that is certain at the first poll must not be noticed an hour later.
FIRST_POLL_WITHIN = 60.0
# Share of the interval that is random. Otherwise waits that started together would always poll at the same time.
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class PollInterval:
    """The intervals between polls, computed from the arguments of Airflow's ``BaseSensorOperator``.

    :param poke_interval: seconds between polls.
    :param exponential_backoff: start with half the interval, double it after each poll, and add up to 100 % random
        jitter.
    :param max_wait: the maximum interval with ``exponential_backoff``, in seconds.
    """

    poke_interval: float
    exponential_backoff: bool = False
    max_wait: float | None = None

    def wait_after(self, polls: int) -> float:
        """Return the seconds to wait after the given number of polls."""
        if self.exponential_backoff:
            # Same formula as BaseSensorOperator, with a limit so that the power does not overflow.
            least = max(self.poke_interval * 2.0 ** (min(polls, 40) - 2), 1.0)
            wait = least * random.uniform(1.0, 2.0)  # noqa: S311
            return wait if self.max_wait is None else min(wait, self.max_wait)
        return self.poke_interval * random.uniform(1.0 - JITTER, 1.0)  # noqa: S311
