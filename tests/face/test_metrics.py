# SPDX-License-Identifier: Apache-2.0
"""Metrics, in every mode."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from face.firing import fire, make_trigger
from face.modes import MODES, run

from airflow_provider_bulkjobs import _airflow
from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.metrics import Metrics
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState


class Recorder:
    """As much of Airflow's Stats as is used, recording the calls."""

    def __init__(self) -> None:
        self.emitted: list[tuple[str, Any, dict[str, str]]] = []

    def incr(self, stat: str, count: int, *, tags: dict[str, str]) -> None:
        assert type(count) is int
        self.emitted.append((stat, count, tags))

    def gauge(self, stat: str, value: float, *, tags: dict[str, str]) -> None:
        self.emitted.append((stat, value, tags))

    def timing(self, stat: str, dt: timedelta, *, tags: dict[str, str]) -> None:
        assert type(dt) is timedelta
        self.emitted.append((stat, dt, tags))

    def sum(self, stat: str) -> int:
        return sum(count for name, count, _ in self.emitted if name == f"bulkjobs.{stat}")

    def values(self, stat: str) -> list[Any]:
        return [value for name, value, _ in self.emitted if name == f"bulkjobs.{stat}"]


@pytest.fixture
def stats(monkeypatch):
    recorder = Recorder()
    _airflow.load_stats.cache_clear()
    monkeypatch.setattr(_airflow, "load_stats", lambda: recorder)
    return recorder


@pytest.mark.parametrize("mode", MODES)
def test_polls_errors_and_delays_are_counted(mode, sim, account, stats, monkeypatch):
    conn_id = account("sendgrid")
    job_id = sim.job("sendgrid", "contacts", states=["pending", "pending", "completed"], items=3)
    sim.fault("sendgrid", "server_error", count=1)
    run(mode, conn_id=conn_id, job_id=job_id)
    asked = len(sim.requests("sendgrid"))
    assert stats.sum("transient_errors") == 1
    # What is asked again because of an error is the same question; a first poll that fails defers at once.
    assert stats.sum("polls") == (asked if mode == "deferrable" else asked - 1)
    delays = stats.values("detection_delay")
    assert len(delays) == (mode != "reschedule"), "there, no poke knows that the job was unfinished before"
    assert all(timedelta() <= delay < timedelta(seconds=10) for delay in delays)
    assert {tuple(tags.items()) for _, _, tags in stats.emitted} == {(("vendor", "sendgrid"),)}
    if mode == "deferrable":
        assert stats.values("waits") == [1, 0]


def test_seconds_in_the_queue_are_counted(sim, account, stats):
    conn_id = account("sendgrid", extra={"requests_per_second": 2})
    jobs = [sim.job("sendgrid", "contacts", states=["completed"], items=1) for _ in range(4)]
    started = time.monotonic()
    run("poke", conn_id=conn_id, job_id=jobs)
    assert 1 <= stats.sum("throttled_seconds") <= time.monotonic() - started


def test_counts_are_flushed_at_intervals_and_none_is_lost(stats):
    metrics = Metrics("sendgrid", every=3600)
    for _ in range(100):
        metrics.poll()
    assert stats.sum("polls") == 1
    metrics.waited_for_rate_limit(1.7)
    metrics.flush()
    assert (stats.sum("polls"), stats.sum("throttled_seconds")) == (100, 1)
    metrics.waited_for_rate_limit(0.4)
    metrics.flush()
    assert stats.sum("throttled_seconds") == 2


def test_a_clock_of_the_vendor_that_is_ahead_is_no_negative_delay(stats):
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    Metrics("sendgrid").finished(BulkJob("a", JobState.SUCCEEDED, "completed", finished_at=ahead))
    Metrics("sendgrid").finished(BulkJob("a", JobState.SUCCEEDED, "completed"))
    assert stats.values("detection_delay") == [timedelta()]


def test_errors_are_flushed_immediately_without_interval(stats):
    metrics = Metrics("sendgrid", every=0)
    metrics.error()
    metrics.waited_for_rate_limit(2)
    assert (stats.sum("transient_errors"), stats.sum("throttled_seconds")) == (1, 2)


def test_failed_poll_is_counted(sim, account, stats):
    conn_id = account("sendgrid")
    sim.fault("sendgrid", "unauthorized")
    with pytest.raises(errors.AuthenticationError):
        run("poke", conn_id=conn_id, job_id="1")
    asyncio.run(fire(make_trigger(job_ids=["1"])))
    assert stats.sum("polls") == 2


def test_a_time_without_a_zone_ends_no_wait(stats):
    Metrics("acme").finished(BulkJob("a", JobState.SUCCEEDED, "completed", finished_at="2026-03-14T12:00:00"))
    assert not stats.emitted


def test_airflow_has_such_metrics():
    stats = _airflow.load_stats()
    for tell in (stats.incr, stats.gauge):
        tell("bulkjobs.polls", 1, tags={"vendor": "sendgrid"})
    stats.timing("bulkjobs.detection_delay", timedelta(seconds=1), tags={"vendor": "sendgrid"})
