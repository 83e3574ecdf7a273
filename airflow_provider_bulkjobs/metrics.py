# SPDX-License-Identifier: Apache-2.0
"""Metrics of this package, emitted with Airflow's own metrics and tagged with the vendor.

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
FLUSH_INTERVAL = 1.0  # seconds: to emit each poll would cost as much as parsing the response


class Metrics:
    """The counters of one account in one process.

    :param vendor: the connection type, the tag of all metrics.
    :param every: seconds between two flushes to Airflow; counts are summed up in between.
    """

    def __init__(self, vendor: str, every: float = FLUSH_INTERVAL) -> None:
        self._tags = {"vendor": vendor}
        self._every = every
        self._next = 0.0
        self._polls = self._errors = 0
        self._throttled = 0.0

    def poll(self) -> None:
        """Count a poll of a job."""
        self._polls += 1
        self._flush_if_due()

    def error(self, _: object = None) -> None:
        """Count a transient error."""
        self._errors += 1
        self._flush_if_due()

    def waited_for_rate_limit(self, seconds: float) -> None:
        """Count the seconds that a request waited for the rate limiter."""
        self._throttled += seconds
        self._flush_if_due()

    def finished(self, job: BulkJob) -> None:
        """Emit the delay between the end of a job and its detection, if the vendor reports the end."""
        if job.finished_at is not None:
            with _suppress_errors("detection_delay"):
                delay = max(datetime.now(UTC) - datetime.fromisoformat(job.finished_at), timedelta())
                _emit("timing", "detection_delay", delay, self._tags)

    def _flush_if_due(self) -> None:
        if time.monotonic() >= self._next:
            self.flush()

    def flush(self) -> None:
        """Emit the counts to Airflow."""
        self._next = time.monotonic() + self._every
        seconds = int(self._throttled)  # counters are integers; the remainder is kept
        counts = {"polls": self._polls, "transient_errors": self._errors, "throttled_seconds": seconds}
        self._polls = self._errors = 0
        self._throttled -= seconds
        for name, number in counts.items():
            if number:
                _emit("incr", name, number, self._tags)


def initialize() -> None:
    """Initialize Airflow's metrics client, which is slow; call it in a thread."""
    from airflow_provider_bulkjobs._airflow import initialize_stats

    with _suppress_errors("*"):
        initialize_stats()


@contextmanager
def in_flight(vendor: str) -> Iterator[None]:
    """Count a wait for the duration of the block."""
    _waits[vendor] += 1
    _emit("gauge", "waits", _waits[vendor], {"vendor": vendor})
    try:
        yield
    finally:
        _waits[vendor] -= 1
        _emit("gauge", "waits", _waits[vendor], {"vendor": vendor})


def _emit(how: str, name: str, value: Any, tags: dict[str, str]) -> None:
    from airflow_provider_bulkjobs._airflow import load_stats

    with _suppress_errors(name):
        getattr(load_stats(), how)(f"bulkjobs.{name}", value, tags=tags)


@contextmanager
def _suppress_errors(name: str) -> Iterator[None]:
    try:
        yield
    except Exception:  # an error in a metric must not end a wait
        log.debug("The metric bulkjobs.%s could not be emitted", name, exc_info=True)
