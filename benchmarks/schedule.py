# SPDX-License-Identifier: Apache-2.0
"""How late the end of a job is noticed, and how many requests that takes, for several settings of the sensor.

    python benchmarks/schedule.py

The times are computed from the sensor's own schedule, without waiting. Each figure is the mean of 2,000 jobs whose
length varies by 10 %.
"""

from __future__ import annotations

import random
import statistics

from airflow_provider_bulkjobs.sensors.base import MIN_DEFERRAL
from airflow_provider_bulkjobs.waiting.poll_interval import PollInterval

JOBS = {"10 s": 10.0, "2 min": 120.0, "30 min": 1800.0, "4 h": 14400.0}
SETTINGS = {
    "`poke_interval=15`": PollInterval(15),
    "`poke_interval=30`": PollInterval(30),
    "**`poke_interval=60`, the default**": PollInterval(60),
    "`poke_interval=300`": PollInterval(300),
    "`poke_interval=60, exponential_backoff=True`": PollInterval(60, exponential_backoff=True),
    "`…, max_wait=timedelta(minutes=5)`": PollInterval(60, exponential_backoff=True, max_wait=300),
    "`poke_interval=20, …, max_wait=timedelta(minutes=5)`": PollInterval(20, exponential_backoff=True, max_wait=300),
}
SAMPLES = 2000


def simulate(schedule: PollInterval, length: float) -> tuple[float, int]:
    """Return how late the end of a job is noticed in deferrable mode, and the number of requests."""
    now, polls = 0.0, 1  # the worker's first poll, right after the submit
    while now < length:
        wait = schedule.wait_after(polls)
        now += max(wait, MIN_DEFERRAL) if polls == 1 else wait
        polls += 1
    return now - length, polls


def main() -> None:
    print("| | " + " | ".join(f"job of {name}" for name in JOBS) + " |")
    print("|---" * (len(JOBS) + 1) + "|")
    for name, schedule in SETTINGS.items():
        cells = []
        for length in JOBS.values():
            samples = [simulate(schedule, length * random.uniform(0.9, 1.1)) for _ in range(SAMPLES)]
            late, polls = (statistics.mean(figures) for figures in zip(*samples, strict=True))
            cells.append(f"{late:,.0f} s late, {polls:,.0f} requests")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
