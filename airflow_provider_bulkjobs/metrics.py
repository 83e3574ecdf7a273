# SPDX-License-Identifier: Apache-2.0
"""What those who run Airflow can watch: our numbers among Airflow's own metrics, tagged with the vendor.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_bulkjobs.protocol.job import BulkJob

log = logging.getLogger(__name__)
_waits: Counter[str] = Counter()
EVERY = 1.0  # seconds: telling Airflow of each poll would cost as much as reading the vendor's answer


class Metrics:
    """The counters of one account in one process.

    :param vendor: the connection type, which tags every number.
    :param every: seconds between two reports to Airflow; what is counted meanwhile is summed up.
    """

    def __init__(self, vendor: str, every: float = EVERY) -> None:
        self._tags = {"vendor": vendor}
        self._every = every
        self._next = 0.0
        self._polls = self._errors = 0
        self._throttled = 0.0

    def poll(self) -> None:
        """Count a question about a job."""
        self._polls += 1
        self._tell_if_due()

    def error(self, _: object = None) -> None:
        """Count a failure that may well pass; tenacity calls this with the state of its tries."""
        self._errors += 1
        self._tell_if_due()

    def waited_for_rate_limit(self, seconds: float) -> None:
        """Count how long a request had to wait for its turn."""
        self._throttled += seconds
        self._tell_if_due()

    def finished(self, job: BulkJob) -> None:
        """Tell how long it took until the end of a job was noticed, where the vendor says when that was."""
        if job.finished_at is not None:
            with _harmlessly("detection_delay"):
                delay = max(datetime.now(UTC) - datetime.fromisoformat(job.finished_at), timedelta())
                _tell("timing", "detection_delay", delay, self._tags)

    def _tell_if_due(self) -> None:
        if time.monotonic() >= self._next:
            self.tell()

    def tell(self) -> None:
        """Report to Airflow what has been counted."""
        self._next = time.monotonic() + self._every
        seconds = int(self._throttled)  # counters are whole numbers; the rest is kept
        counted = {"polls": self._polls, "transient_errors": self._errors, "throttled_seconds": seconds}
        self._polls = self._errors = 0
        self._throttled -= seconds
        for name, number in counted.items():
            if number:
                _tell("incr", name, number, self._tags)


def initialize() -> None:
    """Do, in a thread, what takes time the first time."""
    from airflow_provider_bulkjobs._airflow import initialize_stats

    with _harmlessly("*"):
        initialize_stats()


@contextmanager
def in_flight(vendor: str) -> Iterator[None]:
    """Count a wait for as long as the block lasts."""
    _waits[vendor] += 1
    _tell("gauge", "waits", _waits[vendor], {"vendor": vendor})
    try:
        yield
    finally:
        _waits[vendor] -= 1
        _tell("gauge", "waits", _waits[vendor], {"vendor": vendor})


def _tell(how: str, name: str, value: Any, tags: dict[str, str]) -> None:
    from airflow_provider_bulkjobs._airflow import load_stats

    with _harmlessly(name):
        getattr(load_stats(), how)(f"bulkjobs.{name}", value, tags=tags)


@contextmanager
def _harmlessly(name: str) -> Iterator[None]:
    try:
        yield
    except Exception:  # no number is worth a wait
        log.debug("The metric bulkjobs.%s could not be told", name, exc_info=True)
