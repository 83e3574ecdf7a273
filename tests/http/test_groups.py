# SPDX-License-Identifier: Apache-2.0
"""Groups of endpoints with a rate limit of their own."""

import asyncio
import time

import pytest
from test_engine import GET, QUIET, World, response

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.http import thread_rate_limiter
from airflow_provider_bulkjobs.http.engine import REFRESH, Acquire
from airflow_provider_bulkjobs.http.pacing import MARGIN, Pace, rate_of
from airflow_provider_bulkjobs.http.rate_limiter import RateLimiter
from airflow_provider_bulkjobs.http.thread_rate_limiter import ThreadRateLimiter
from airflow_provider_bulkjobs.metrics import Metrics
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.activecampaign.vendor import IMPORT_LIMIT
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit, Throttling

SLOW = RateLimit(("/slow",), 10, seconds=1.0)
ANY = RateLimit(("/",), 10, seconds=1.0)
NO_METRICS = Metrics("test")
IMPORT = Request("POST", "/api/3/import/bulk_import", idempotent=False)


def test_burst_is_sent_at_once_and_then_the_pace_holds() -> None:
    pace, sent = Pace(2, burst=3), []
    for _ in range(5):
        now = 100.0 + (sent[-1] if sent else 0.0)
        now += pace.wait(now)
        pace.record(now, now)
        sent.append(now - 100)
    assert sent == pytest.approx([0, 0, 0, MARGIN / 2, MARGIN])


def test_pause_is_not_ended_early_by_a_burst() -> None:
    pace = Pace(2, burst=3)
    pace.pause(100.0, 30)
    assert pace.wait(100.0) == pytest.approx(30)
    pace.record(130.0, 100.0)
    assert pace.wait(130.0) == pytest.approx(MARGIN / 2)


def test_no_client_side_limit_means_none_for_groups() -> None:
    assert rate_of(SLOW, 5.0) == 10
    assert rate_of(SLOW, 0.0) == 0


def test_import_limit_pauses_its_group_and_any_other_limit_the_account() -> None:
    world = World("activecampaign")
    world.exchange(IMPORT, response(429, retry_after="7"), response())
    world.exchange(GET, response(429, retry_after="8"), response())
    assert list(zip(world.pauses, world.paused_groups, strict=True)) == [(7, IMPORT_LIMIT), (8, None)]
    assert world.slowed == [IMPORT_LIMIT, None]


def test_limit_of_a_token_request_pauses_the_account() -> None:
    world = World("acquia_campaign_studio", extra={"auth_type": "oauth2"})
    world.engine._vendor = type("Limited", (type(world.engine._vendor),), {"throttling": Throttling(limits=(ANY,))})()
    with pytest.raises(TransientError):
        world.drive(world.engine.refresh(), [response(429, retry_after="7")])
    assert (world.pauses[0], world.paused_groups[0]) == (7, None)


def test_request_of_a_group_queues_with_its_limit() -> None:
    world = World("activecampaign", is_busy=True)
    steps = world.engine.exchange(IMPORT, QUIET)
    assert next(steps) == REFRESH
    world.drive(world.engine.refresh(), ())
    assert next(steps) == Acquire(limit=IMPORT_LIMIT)
    steps.close()


def test_paces_of_a_thread_both_count() -> None:
    limiter = ThreadRateLimiter(1000.0)
    assert limiter.try_acquire(SLOW)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(seconds)

    limiter.acquire(sleep, SLOW)
    assert sum(slept) == pytest.approx(MARGIN / 10, rel=0.2)
    limiter.pause(5, SLOW)
    time.sleep(0.002)
    assert limiter.try_acquire()
    assert not limiter.try_acquire(SLOW)
    limiter.pause(5)
    assert not limiter.try_acquire()


async def test_queue_of_a_group_does_not_hold_up_the_account() -> None:
    limiter = RateLimiter("mine")
    limiter.set_rate(1000)
    limiter.pause(60, SLOW)
    waiting = [asyncio.ensure_future(limiter.acquire(NO_METRICS, SLOW)) for _ in range(3)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await limiter.acquire(NO_METRICS)
    assert not any(task.done() for task in waiting)
    assert not limiter.is_paused
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_group_keeps_its_pace_and_waits_for_the_account_as_well() -> None:
    limiter = RateLimiter("mine")
    limiter.set_rate(1000)
    started = time.monotonic()
    await asyncio.gather(*(limiter.acquire(NO_METRICS, SLOW) for _ in range(3)))
    assert time.monotonic() - started >= 2 * MARGIN / 10 - 0.01
    limiter.pause(60)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await limiter.acquire(NO_METRICS, SLOW)


async def test_pause_of_a_group_holds_for_its_requests_in_the_queue_of_the_account() -> None:
    limiter = RateLimiter("mine")
    limiter.set_rate(20.0)
    await limiter.acquire(NO_METRICS)
    queued = asyncio.create_task(limiter.acquire(NO_METRICS, ANY))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    paused_at = time.monotonic()
    limiter.pause(0.3, ANY)
    await limiter.acquire(NO_METRICS)
    assert not queued.done()
    await queued
    assert time.monotonic() - paused_at >= 0.3


async def test_rate_of_a_group_follows_the_connection() -> None:
    limiter, group = RateLimiter("mine"), RateLimit(("/slow",), 2, seconds=1.0)
    limiter.set_rate(1000)
    await limiter.acquire(NO_METRICS, group)
    limiter.set_rate(0)
    started = time.monotonic()
    await asyncio.gather(*(limiter.acquire(NO_METRICS, group) for _ in range(9)))
    assert time.monotonic() - started < 4 * MARGIN  # as long as eight of them would take at the group's rate


async def test_group_is_served_in_order() -> None:
    limiter, served = RateLimiter("mine"), []
    limiter.set_rate(1000)
    limiter.pause(0.05, SLOW)

    async def request(name: str) -> None:
        await limiter.acquire(NO_METRICS, SLOW)
        served.append(name)

    first = asyncio.ensure_future(request("first"))
    await asyncio.sleep(0)
    time.sleep(0.08)  # the loop is held up until the pause is over  # noqa: ASYNC251
    await asyncio.gather(request("second"), first)
    assert served == ["first", "second"]


def test_long_wait_of_a_worker_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(thread_rate_limiter.time, "monotonic", lambda: now)
    limiter = ThreadRateLimiter(0.0)
    with caplog.at_level("INFO"):
        for pause in (30.0, 3600.0):
            limiter.pause(pause)
            limiter.acquire(sleep)
    assert [record.message[:50] for record in caplog.records] == ["The rate limit lets the next request through in 36"]
