# SPDX-License-Identifier: Apache-2.0
"""When to ask next. It only does sums, so a schedule is tested without waiting for it."""

from __future__ import annotations

import random
from dataclasses import dataclass

# Seconds between a deferral and the trigger's event. A sooner one can overtake Airflow's own record of the deferral,
# which then fails the task.
FLOOR = 10.0
# Waits that started together would otherwise ask together for ever.
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class PollInterval:
    """The times between two polls, with the arguments of Airflow's ``BaseSensorOperator``.

    :param poke_interval: seconds between polls.
    :param exponential_backoff: grow the time between polls: the interval's half at first, then doubled each time,
        each plus up to as much again by chance.
    :param max_wait: the longest time between polls with ``exponential_backoff``, in seconds.
    """

    poke_interval: float
    exponential_backoff: bool = False
    max_wait: float | None = None

    def wait_after(self, polls: int) -> float:
        """Return how many seconds to wait after so many polls."""
        if self.exponential_backoff:
            # As BaseSensorOperator has it, with a limit that keeps the power from overflowing.
            least = max(self.poke_interval * 2.0 ** (min(polls, 40) - 2), 1.0)
            wait = least * random.uniform(1.0, 2.0)  # noqa: S311
            return wait if self.max_wait is None else min(wait, self.max_wait)
        return self.poke_interval * random.uniform(1.0 - JITTER, 1.0)  # noqa: S311
