# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
import time
from collections import Counter

import pytest
from face.firing import fire, make_trigger

from airflow_provider_bulkjobs import _airflow
from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.http import pool
from airflow_provider_bulkjobs.http import responses as answers
from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger
from airflow_provider_bulkjobs.triggers.event import read_event


async def test_trigger_only_reads(sim, account):
    account("acquia", auth_type="oauth2")
    job_id = sim.job("acquia", "contacts", states=["queued", "in_progress", "completed"], items=250, failed=1)
    event = await fire(make_trigger(account("acquia"), "AcquiaCampaignStudioHook", job_ids=[job_id]))
    assert event["result"]["total"] == 250
    assert {request.method for request in sim.requests("acquia")} == {"GET"}


async def test_it_sleeps_before_its_first_poll(sim, account):
    account("sendgrid")
    job_id = sim.job("sendgrid", "contacts", states=["completed"], items=1)
    started = time.time()
    await fire(make_trigger(job_ids=[job_id], first_poll_at=started + 0.5))
    assert sim.requests("sendgrid")[0].time >= started + 0.5


async def test_no_event_before_the_deferral_is_recorded():
    started = time.time()
    event = await fire(make_trigger("nowhere", job_ids=["1"], first_poll_at=started + 0.5))
    assert event["error"] == "BadConnectionError"
    assert time.time() >= started + 0.5


async def test_restarted_or_duplicate_trigger_succeeds(sim, account):
    account("sendgrid")
    job_id = sim.job("sendgrid", "contacts", states=["pending"] * 6 + ["completed"], items=3)
    first = make_trigger(job_ids=[job_id])
    interrupted = asyncio.ensure_future(fire(first))
    while not sim.requests("sendgrid"):
        await asyncio.sleep(0.01)
    interrupted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await interrupted
    again = [BulkJobTrigger(**json.loads(json.dumps(first.serialize()[1]))) for _ in range(2)]
    events = await asyncio.gather(*(fire(trigger) for trigger in again))
    assert [event["result"]["succeeded"] for event in events] == [3, 3]


async def test_cancelling_the_wait_does_not_cancel_the_job(sim, account):
    job_id = sim.job("acquia", "contacts", states=["in_progress"], items=1)
    trigger = make_trigger(account("acquia"), "AcquiaCampaignStudioHook", job_ids=[job_id], cancel_on_kill=True)
    task = asyncio.ensure_future(fire(trigger))
    while not sim.requests("acquia"):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert {request.method for request in sim.requests("acquia")} == {"GET"}


@pytest.mark.parametrize("cancel_on_kill", [True, False])
async def test_a_user_kill_cancels_the_job_if_asked_to(cancel_on_kill, sim, account):
    job_id = sim.job("acquia", "contacts", states=["in_progress"], items=1)
    conn_id = account("acquia")
    await make_trigger(conn_id, "AcquiaCampaignStudioHook", job_ids=[job_id], cancel_on_kill=cancel_on_kill).on_kill()
    assert [request.method for request in sim.requests("acquia")] == (["DELETE"] if cancel_on_kill else [])


async def test_a_user_kill_cancels_the_jobs_of_a_list_all_at_once(sim, account):
    jobs = [sim.job("acquia", "contacts", states=["in_progress"], items=1) for _ in range(10)]
    sim.fault("acquia", "slow", seconds=0.3)
    conn_id = account("acquia")
    started = time.monotonic()
    await make_trigger(conn_id, "AcquiaCampaignStudioHook", job_ids=jobs, cancel_on_kill=True).on_kill()
    assert time.monotonic() - started < 2
    assert [request.method for request in sim.requests("acquia")] == ["DELETE"] * 10


async def test_retry_after_pauses_every_wait_on_the_connection(sim, account):
    account("sendgrid")
    jobs = [sim.job("sendgrid", "contacts", states=["completed"], items=1) for _ in range(10)]
    sim.fault("sendgrid", "rate_limit", count=1, retry_after=1)
    first = asyncio.ensure_future(fire(make_trigger(job_ids=jobs[:1])))
    while not any(shared.transport.is_paused for shared in pool._transports.values()):
        await asyncio.sleep(0.005)
    events = await asyncio.gather(first, *(fire(make_trigger(job_ids=[job])) for job in jobs[1:]))
    assert {event["status"] for event in events} == {"finished"}
    times = [request.time for request in sim.requests("sendgrid")]
    assert times[1] - times[0] >= 0.95, "nobody asks during the pause"


async def test_a_renewed_key_is_picked_up_without_a_restart(sim, account):
    account("sendgrid")
    job_id = sim.job("sendgrid", "contacts", states=["pending"] * 3 + ["completed"], items=1)
    account("sendgrid", password="SG.old")
    trigger = make_trigger(job_ids=[job_id])
    hook_class = trigger._load_hook().__class__
    original = hook_class.load_account
    loaded = []

    async def load(self):
        loaded.append(await original(self))
        account("sendgrid")  # renewed right after the wait began
        return loaded[-1]

    hook_class.load_account = load
    try:
        event = await fire(trigger)
    finally:
        del hook_class.load_account
    assert event["status"] == "finished"
    assert len(loaded) == 2


async def test_a_bad_key_ends_the_wait_at_once(sim, account):
    account("sendgrid", password="SG.wrong")
    event = await fire(make_trigger(job_ids=["1"]))
    assert event["error"] == "AuthenticationError"
    assert len(sim.requests("sendgrid")) == 1
    with pytest.raises(errors.AuthenticationError, match="sendgrid_default"):
        read_event(event)


async def test_unexpected_exception_becomes_an_error_event(sim, account, monkeypatch):
    account("sendgrid")
    monkeypatch.setattr(BulkJobTrigger, "_poll_job", lambda *_: 1 / 0)
    event = await fire(make_trigger(job_ids=["1"]))
    with pytest.raises(errors.BulkJobError, match="ZeroDivisionError"):
        read_event(event)


async def test_polls_of_many_jobs_are_spread_over_the_interval(sim, account):
    account("sendgrid")
    jobs = [sim.job("sendgrid", "contacts", states=["pending", "completed"], items=1) for _ in range(20)]
    await fire(make_trigger(job_ids=jobs, poke_interval=1))
    times = [request.time for request in sim.requests("sendgrid")][:20]
    assert 0.7 < times[-1] - times[0] < 1.2
    assert sim.state()["sendgrid"]["max_concurrent"] == 1


async def test_400_batches_are_one_trigger_and_one_small_result(sim, account):
    account("sendgrid")
    done = [sim.job("sendgrid", "contacts", states=["completed"], items=100) for _ in range(200)]
    slow = [sim.job("sendgrid", "contacts", states=["pending", "errored"], items=100, failed=2) for _ in range(200)]
    event = await fire(make_trigger(job_ids=[*done, *slow], poke_interval=2))
    asked = Counter(request.path_qs.rpartition("/")[2] for request in sim.requests("sendgrid"))
    assert asked == Counter([*done, *slow, *slow]), "only those that have not finished are asked about again"
    result = event["result"]
    assert (result["job_count"], result["total"], result["failed"]) == (400, 40_000, 400)
    assert {job["job_id"] for job in result["jobs"]} <= set(slow)
    assert len(json.dumps(event)) < 4096


async def test_500_waits_share_one_transport_and_do_not_block_the_loop(sim, account):
    account("sendgrid")
    [job_id] = [sim.job("sendgrid", "contacts", states=["pending"], items=1)]
    await fire(make_trigger(job_ids=[job_id], deadline=time.time() + 0.2))  # what is imported once
    assert not pool._transports, "the last wait closes the driver"
    tasks = [asyncio.ensure_future(fire(make_trigger(job_ids=[job_id], poke_interval=60))) for _ in range(500)]
    while len(sim.requests("sendgrid")) < 500:
        await asyncio.sleep(0.01)
    assert len(pool._transports) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not pool._transports


async def test_failing_job_does_not_delay_the_others(sim, account):
    account("sendgrid")
    good = [sim.job("sendgrid", "contacts", states=["pending"] * 3 + ["completed"], items=1) for _ in range(5)]
    bad = sim.job("sendgrid", "contacts", states=["pending"], items=1)
    sim.fault("sendgrid", "server_error", path=bad)
    task = asyncio.ensure_future(fire(make_trigger(job_ids=[bad, *good], poke_interval=0.5)))
    async with asyncio.timeout(10):
        while sum(bad not in request.path_qs for request in sim.requests("sendgrid")) < 20:
            await asyncio.sleep(0.02)
    task.cancel()
    assert sum(bad in request.path_qs for request in sim.requests("sendgrid")) < 5


@pytest.mark.parametrize("how", ["incr", "gauge", "timing"])
async def test_unavailable_metrics_do_not_end_a_wait(how, sim, account, monkeypatch):
    class Broken:
        def __getattr__(self, name):
            return (lambda *_, **__: 1 / 0) if name == how else (lambda *_, **__: None)

    monkeypatch.setattr(_airflow, "load_stats", Broken)
    account("sendgrid")
    job_id = sim.job("sendgrid", "contacts", states=["pending", "completed"], items=1)
    assert (await fire(make_trigger(job_ids=[job_id])))["status"] == "finished"
    assert not pool._transports


async def test_failing_job_does_not_prevent_the_final_poll_of_others(sim, account):
    account("sendgrid")
    good, bad = (sim.job("sendgrid", "contacts", states=["completed"], items=1) for _ in range(2))
    sim.fault("sendgrid", "server_error", path=bad)
    now = time.time()
    event = await fire(make_trigger(job_ids=[bad, good], deadline=now + 0.1, first_poll_at=now + 5))
    assert "1 of 2 jobs done" in event["message"]
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in others if "_poll_job" in repr(task)]


async def test_rate_limited_account_still_gets_the_final_poll(sim, account, monkeypatch):
    monkeypatch.setattr(answers, "FINAL_POLL_TIMEOUT", 2)  # less than the last one waits for its turn
    account("activecampaign", extra={"requests_per_second": 5})
    jobs = [sim.job("activecampaign", states=["completed"], items=1) for _ in range(15)]
    past = time.time() - 1
    triggers = [make_trigger("activecampaign_default", "ActiveCampaignHook", job_ids=[j], deadline=past) for j in jobs]
    events = await asyncio.gather(*(fire(trigger) for trigger in triggers))
    assert {event["status"] for event in events} == {"finished"}


async def test_silent_fail_refused_job_does_not_delay_the_others(sim, account):
    account("sendgrid")
    bad, *good = (sim.job("sendgrid", "contacts", states=["pending"] * 2 + ["completed"], items=1) for _ in range(4))
    sim.fault("sendgrid", "unauthorized", path=bad)
    trigger = make_trigger(job_ids=[bad, *good], poke_interval=0.3, silent_fail=True, deadline=time.time() + 2)
    assert "3 of 4 jobs done" in (await fire(trigger))["message"]
