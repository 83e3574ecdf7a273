# SPDX-License-Identifier: Apache-2.0
"""Jobs that have finished stay known, whatever happens to the triggerer, while others are waited for."""

import asyncio
import json
import time

import pytest
from face.firing import fire, make_trigger
from face.modes import make, run

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import TaskDeferred
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator
from airflow_provider_bulkjobs.triggers import bulk_job
from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(bulk_job, "CHECKPOINT_AFTER", 0.3)


@pytest.fixture
def done(sim, account):
    account("sendgrid")
    return sim.job("sendgrid", "contacts", states=["completed"], items=3)


@pytest.fixture
def running(sim):
    return sim.job("sendgrid", "contacts", states=["pending"], items=2)


def again(trigger, **arguments):
    """Return the trigger as another triggerer makes it from what the database has."""
    return BulkJobTrigger(**json.loads(json.dumps(trigger.serialize()[1])) | arguments)


def resumed(event):
    """Return the deferral with which a worker continues after an event."""
    sensor = make("deferrable", conn_id="sendgrid_default", job_id="{{ x }}")
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute_complete({}, json.loads(json.dumps(event)))
    return deferred.value


async def test_a_running_trigger_serializes_what_is_known(done, running, sim):
    trigger = make_trigger(job_ids=[done, running])
    task = asyncio.ensure_future(fire(trigger))
    while not (trigger._tracker and trigger._tracker.is_finished(done)):
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    sim.expire(done)
    event = await fire(again(trigger, deadline=time.time() + 0.3))
    assert "1 of 2 jobs done" in event["message"]


async def test_finished_jobs_are_stored_while_others_are_unfinished(quick, done, running):
    trigger = make_trigger(job_ids=[done, running])
    event = await fire(trigger)
    assert event["status"] == "checkpoint"
    assert event["trigger"] == trigger.serialize()[1]
    assert {job["job_id"]: job["state"] for job in event["trigger"]["known_jobs"]}[done] == "succeeded"
    assert len(json.dumps(event)) < 2000


async def test_the_wait_continues_with_the_same_deadline_and_schedule(quick, done, running, sim):
    trigger = make_trigger(
        job_ids=[done, running],
        poke_interval=0.05,
        exponential_backoff=True,
        max_wait=7,
        started_at=time.time() - 100,
        cancel_on_kill=True,
    )
    deferred = resumed(await fire(trigger))
    before, after = trigger.serialize()[1], deferred.trigger.serialize()[1]
    first_poll_at = after.pop("first_poll_at")
    del before["first_poll_at"]
    assert after == before
    assert first_poll_at >= time.time() + 9, "an event must not overtake the deferral"
    assert deferred.method_name == "execute_complete"
    assert 300 < deferred.timeout.total_seconds() < 340
    sim.expire(done)
    event = await fire(again(deferred.trigger, deadline=time.time() + 0.3))
    assert "1 of 2 jobs done" in event["message"]


async def test_unchanged_checkpoint_is_not_written(quick, done, running):
    deferred = resumed(await fire(make_trigger(job_ids=[done, running])))
    event = await fire(again(deferred.trigger, first_poll_at=time.time(), deadline=time.time() + 1))
    assert event["status"] == "timeout"


@pytest.mark.parametrize(
    ("states", "deadline"),
    [
        (["pending", "pending", "completed"], 30),  # the other one finishes soon
        (["pending"], 0.25),  # the deadline comes first
    ],
)
async def test_a_wait_that_ends_before_needs_no_checkpoint(states, deadline, quick, done, sim):
    other = sim.job("sendgrid", "contacts", states=states, items=1)
    event = await fire(make_trigger(job_ids=[done, other], deadline=time.time() + deadline))
    assert event["status"] == ("finished" if len(states) > 1 else "timeout")


@pytest.mark.parametrize("states", [["pending"], ["pending", "completed"]])
async def test_a_single_job_needs_no_checkpoint(states, quick, sim, account):
    job_id = sim.job("sendgrid", "contacts", states=states, items=1)
    event = await fire(make_trigger(account("sendgrid"), job_ids=[job_id], deadline=time.time() + 0.6))
    assert event["status"] != "checkpoint"


async def test_checkpoint_above_the_size_limit_is_not_written(quick, sim, account, monkeypatch):
    from airflow_provider_bulkjobs.waiting import tracker as wait

    monkeypatch.setattr(wait, "MAX_KNOWN_JOBS_BYTES", 100)
    job_ids = [sim.job("sendgrid", "contacts", states=[state], items=1) for state in ("completed", "pending")]
    event = await fire(make_trigger(account("sendgrid"), job_ids=job_ids, deadline=time.time() + 0.8))
    assert event["status"] == "timeout"


def test_a_checkpoint_starts_an_hour_after_the_first_job_has_finished():
    assert bulk_job.CHECKPOINT_AFTER == 3600


def test_a_deferred_wait_with_checkpoints_ends_like_any_other(quick, sim, account, monkeypatch):
    checkpoints, original = [], bulk_job.checkpoint
    monkeypatch.setattr(bulk_job, "checkpoint", lambda arguments: checkpoints.append(1) or original(arguments))
    early = sim.job("sendgrid", "contacts", states=["pending", "completed"], items=3)
    late = sim.job("sendgrid", "contacts", states=["pending"] * 12 + ["errored"], items=2, failed=1)
    result = run("deferrable", conn_id=account("sendgrid"), job_id=[late, early], allowed_failures=1)
    assert (result["job_count"], result["total"], result["failed"]) == (2, 5, 1)
    assert sum(early in request.path_qs for request in sim.requests("sendgrid")) == 2
    assert checkpoints == [1]


def test_checkpoint_log_has_no_second_start_message(caplog, capsys):
    caplog.set_level("INFO")
    event = {"status": "checkpoint", "trigger": make_trigger(job_ids=["a", "b"]).serialize()[1]}
    resumed(event)
    printed = capsys.readouterr()
    log = caplog.text + printed.out + printed.err
    assert "0 of 2 jobs" in log
    assert "Waiting for" not in log


def test_the_numbers_of_an_operators_records_survive_a_checkpoint():
    event = {"status": "checkpoint", "trigger": make_trigger(job_ids=["a", "b"]).serialize()[1]}
    remembered = {"submitted": 7, "rejected": 2, "idempotent": True}
    operator = BulkJobOperator(task_id="submit", conn_id="sendgrid_default", records=[], deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute_complete({}, event, **remembered)
    assert deferred.value.kwargs == remembered


@pytest.mark.parametrize("trigger", [None, {}, [], {"job_ids": "a"}, {"job_ids": [], "known_jobs": []}])
@pytest.mark.parametrize("flag", [None, "soft_fail"])
def test_invalid_checkpoint_is_an_error(trigger, flag):
    sensor = make("deferrable", conn_id="a", job_id="b", **({flag: True} if flag else {}))
    with pytest.raises(errors.BulkJobError):
        sensor.execute_complete({}, {"status": "checkpoint", "trigger": trigger})


def test_a_checkpoint_of_another_version_is_an_error():
    arguments = make_trigger(job_ids=["a"]).serialize()[1]
    with pytest.raises(errors.BulkJobError, match="Retry the task"):
        make("deferrable", conn_id="a", job_id="b").execute_complete(
            {}, {"status": "checkpoint", "trigger": {**arguments, "flavour": "new"}}
        )


def test_a_checkpoint_that_a_worker_reads_after_the_deadline_leaves_time_for_the_last_poll():
    arguments = make_trigger(job_ids=["a", "b"], deadline=time.time() - 1000).serialize()[1]
    assert resumed({"status": "checkpoint", "trigger": arguments}).timeout.total_seconds() == 300
