# SPDX-License-Identifier: Apache-2.0
"""A refused key may have been renewed. A backend with another key at each lookup must not cause endless polls."""

import asyncio
import itertools
import time

import pytest
from face.firing import fire, make_trigger
from face.modes import MODES, FirstTry, make, run

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import AirflowRescheduleException, AirflowSensorTimeout, BaseHook
from airflow_provider_bulkjobs.hooks import bulk_job
from airflow_provider_bulkjobs.http import pool
from airflow_provider_bulkjobs.http.aiohttp_transport import AiohttpTransport
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.waiting import poll_sync as asking

every_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(asking, "KEY_PAUSE", 0.05)


@pytest.fixture
def rotating(account, monkeypatch):
    """Give another key at each lookup; those whose number is in ``good`` are the vendor's."""

    def rotate(good=()):
        numbers = itertools.count()
        real_async, real = bulk_job.get_connection_async, BaseHook.get_connection

        def rotate_key():
            number = next(numbers)
            account("sendgrid", **({} if number in good else {"password": f"SG.wrong-{number}"}))

        async def lookup_async(conn_id):
            rotate_key()
            return await real_async(conn_id)

        def lookup(conn_id):
            rotate_key()
            return real(conn_id)

        monkeypatch.setattr(bulk_job, "get_connection_async", lookup_async)
        monkeypatch.setattr(BaseHook, "get_connection", lookup)
        return "sendgrid_default"

    return rotate


@every_mode
@pytest.mark.parametrize("jobs", [1, 3])
def test_three_rejected_keys_in_a_row_end_the_wait(jobs, mode, sim, rotating):
    # In the triggerer, the polls of a list are spread over the interval: one after another, also on a busy machine.
    interval = 1.5 if jobs > 1 and mode in {"deferrable", "triggerer"} else 0.05
    wait = {"job_id": [f"job-{number}" for number in range(jobs)], "timeout": 20, "poke_interval": interval}
    with pytest.raises(
        errors.AuthenticationError, match="Each lookup of the connection returned another key"
    ) as raised:
        run(mode, conn_id=rotating(), **wait)
    assert "SG." not in str(raised.value)
    # Deferred, the worker has been refused once before, and the jobs of a list ask in turn.
    assert len(sim.requests("sendgrid")) <= 3 + (jobs if mode == "deferrable" else 0)


@every_mode
def test_a_renewed_key_is_used_without_a_restart(mode, sim, rotating):
    job_id = sim.job("sendgrid", "contacts", states=["pending", "completed"], items=1)
    assert run(mode, conn_id=rotating(good=range(1, 20)), job_id=job_id)["state"] == "succeeded"
    assert len(sim.requests("sendgrid")) == 3


@every_mode
def test_unchanged_rejected_key_is_not_retried(mode, sim, account):
    with pytest.raises(errors.AuthenticationError):
        run(mode, conn_id=account("sendgrid", password="SG.wrong"), job_id="a")
    assert len(sim.requests("sendgrid")) == 1


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_with_silent_fail_refused_keys_keep_the_interval_until_the_deadline(jobs, mode, sim, rotating):
    conn_id = rotating()
    with pytest.raises(AirflowSensorTimeout):
        run(mode, conn_id=conn_id, job_id=["a", "b"][:jobs], poke_interval=0.2, timeout=1, silent_fail=True)
    polls = 1 / (0.2 * 0.9) + 3  # the worker's, the first, and one at the deadline
    assert len(sim.requests("sendgrid")) <= jobs * polls


def test_with_silent_fail_each_job_is_polled_once_per_poke(sim, rotating):
    job_ids = ["a", "b", "c", "d", "e"]
    sensor = make("reschedule", conn_id=rotating(), job_id=job_ids, silent_fail=True)
    with pytest.raises(AirflowRescheduleException):
        sensor.execute({"ti": FirstTry()})
    assert [request.path_qs.rpartition("/")[2] for request in sim.requests("sendgrid")] == job_ids


async def test_refused_keys_keep_the_interval_in_the_triggerer(sim, rotating):
    started = time.monotonic()
    trigger = make_trigger(rotating(), job_ids=["a", "b"], poke_interval=0.4)
    assert (await fire(trigger))["error"] == "AuthenticationError"
    # The polls of two jobs alternate: the third key is refused after one interval.
    assert time.monotonic() - started >= 0.36
    assert len(sim.requests("sendgrid")) == 3


async def test_concurrent_rejected_polls_read_the_connection_once(account, monkeypatch):
    lookups, polls, refused = [], itertools.count(1), asyncio.Barrier(3)
    lookup = bulk_job.get_connection_async

    async def renewed(conn_id):
        lookups.append(conn_id)
        account("sendgrid", password=f"SG.key-{len(lookups)}")
        return await lookup(conn_id)

    async def answer(_driver, start, _patience):
        if next(polls) <= 3:
            await refused.wait()
            raise errors.AuthenticationError("no")
        return BulkJob(next(start()).path.rpartition("/")[2], JobState.SUCCEEDED, "completed")

    monkeypatch.setattr(bulk_job, "get_connection_async", renewed)
    monkeypatch.setattr(AiohttpTransport, "run", answer)
    event = await fire(make_trigger(account("sendgrid"), job_ids=["a", "b", "c"]))
    assert (event["status"], len(lookups)) == ("finished", 2)
    assert not pool._transports


async def test_a_renewed_key_cancels_no_poll_of_the_others(sim, account):
    slow, refused = (sim.job("sendgrid", "contacts", states=["completed"], items=1) for _ in range(2))
    sim.fault("sendgrid", "slow", seconds=0.5, path=slow)
    sim.fault("sendgrid", "unauthorized", path=refused, count=1)
    trigger = make_trigger(account("sendgrid"), job_ids=[slow, refused], poke_interval=0.2)
    original = trigger._load_account

    async def renewed(hook):
        account("sendgrid", extra={"requests_per_second": 0, "on_behalf_of": f"sub{next(numbers)}"})
        return await original(hook)

    numbers = itertools.count()
    trigger._load_account = renewed
    assert (await fire(trigger))["status"] == "finished"
    assert sum(slow in request.path_qs for request in sim.requests("sendgrid")) == 1
