# SPDX-License-Identifier: Apache-2.0
"""A trigger ends in exactly one event, as early as Airflow allows, unless Airflow cancels it."""

import asyncio
import json
import time

import pytest
from face.firing import fire, make_trigger

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.hooks import bulk_job as hooks
from airflow_provider_bulkjobs.http.aiohttp_transport import AiohttpTransport
from airflow_provider_bulkjobs.http.responses import FileUnavailableError
from airflow_provider_bulkjobs.triggers import bulk_job
from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger
from airflow_provider_bulkjobs.triggers.event import read_event

jobs = pytest.mark.parametrize("job_ids", [["a"], ["a", "b"], ["a", "b", "c"]], ids=len)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"conn_id": "nowhere"}, "BadConnectionError"),
        ({"conn_id": "empty"}, "BadConnectionError"),
        ({"conn_id": "other"}, "BadConnectionError"),
        ({"conn_id": "good", "job_kind": "leads"}, "BadArgumentError"),
        ({"conn_id": "good", "hook": "NoSuchHook"}, "BulkJobError"),
    ],
    ids=str,
)
@pytest.mark.parametrize("silent_fail", [True, False])
async def test_immediate_error_is_sent_after_the_minimum_deferral(
    arguments, error, silent_fail, account, connection, monkeypatch
):
    monkeypatch.setattr(bulk_job, "MIN_DEFERRAL", 0.3)
    account("sendgrid", "good")
    account("sendgrid", "empty", password="")
    connection("other", conn_type="http", host="http://127.0.0.1:1")
    started = time.time()
    trigger = make_trigger(
        job_ids=["a"],
        first_poll_at=started + 3600,
        deadline=started + 86400,
        poke_interval=3600,
        silent_fail=silent_fail,
        **arguments,
    )
    event = await fire(trigger)
    assert event["error"] == error
    assert 0.3 <= time.time() - started < 3


async def test_missing_certificates_end_the_wait_immediately(account, monkeypatch):
    monkeypatch.setattr(bulk_job, "MIN_DEFERRAL", 0.0)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    event = await fire(make_trigger(account("sendgrid"), job_ids=["a"], first_poll_at=time.time() + 3600))
    assert event["error"] == "BadConnectionError"


async def test_restarted_trigger_needs_no_minimum_deferral(account):
    account("sendgrid", password="")
    started = time.time()
    await fire(make_trigger(job_ids=["a"], first_poll_at=started - 60))
    assert time.time() - started < 3


@jobs
@pytest.mark.parametrize(
    "problem",
    [RuntimeError("bug"), OSError("disk"), ExceptionGroup("many", [ValueError("bug")]), asyncio.CancelledError()],
)
async def test_an_unexpected_error_in_a_poll_is_one_event(problem, job_ids, account, monkeypatch):
    async def fail(*_):
        raise problem

    monkeypatch.setattr(AiohttpTransport, "run", fail)
    event = await fire(make_trigger(account("sendgrid"), job_ids=job_ids))
    with pytest.raises(errors.BulkJobError, match="Unexpected error"):
        read_event(event)


@pytest.mark.parametrize(
    ("problem", "kind", "attributes"),
    [
        (errors.PermissionDeniedError("no", status=403, vendor_message="Ask"), errors.PermissionDeniedError, {}),
        (errors.VendorUnavailableError("down", retry_after=7.0), errors.VendorUnavailableError, {"job_ids": ["a"]}),
        (FileUnavailableError("gone", status=404), errors.VendorAPIError, {}),
    ],
)
async def test_error_of_an_event_has_the_attributes(problem, kind, attributes, account, monkeypatch):
    async def fail(*_):
        raise problem

    monkeypatch.setattr(AiohttpTransport, "run", fail)
    event = await fire(make_trigger(account("sendgrid"), job_ids=["a"]))
    with pytest.raises(kind) as caught:
        read_event(json.loads(json.dumps(event)))
    own_text = {"message": caught.value.message, "hint": caught.value.hint}
    assert vars(caught.value) == {**vars(problem), **own_text, **attributes}


async def test_event_of_an_unexpected_error_is_redacted(account, monkeypatch):
    async def fail(*_):
        raise KeyError("ann@example.com", "https://files.example.com/a.csv?X-Amz-Signature=abc")

    monkeypatch.setattr(AiohttpTransport, "run", fail)
    event = await fire(make_trigger(account("sendgrid"), job_ids=["a"]))
    assert event["message"] == (
        "Unexpected error in BulkJobTrigger: KeyError('<e-mail address>', 'https://files.example.com/a.csv')"
    )


@jobs
async def test_polls_that_fail_at_once_and_differently_are_one_event(job_ids, account, monkeypatch):
    problems = [RuntimeError("bug"), errors.UnknownStateError("wobbling"), errors.AuthenticationError("no")]
    gate = asyncio.Barrier(len(job_ids))

    async def fail(*_):
        problem = problems.pop(0)
        await gate.wait()
        raise problem

    monkeypatch.setattr(AiohttpTransport, "run", fail)
    event = await fire(make_trigger(account("sendgrid"), job_ids=job_ids, poke_interval=0.001))
    assert event["error"] == ("BulkJobError" if len(job_ids) == 1 else "UnknownStateError")


@jobs
@pytest.mark.parametrize("silent_fail", [True, False])
async def test_keys_that_change_cancel_nothing(silent_fail, job_ids, sim, account, monkeypatch):
    lookup, keys = hooks.get_connection_async, iter(range(10_000))

    async def rotate(conn_id):
        account("sendgrid", password=f"SG.wrong-{next(keys)}")
        return await lookup(conn_id)

    monkeypatch.setattr(hooks, "get_connection_async", rotate)
    account("sendgrid")
    trigger = make_trigger(job_ids=job_ids, poke_interval=0.01, deadline=time.time() + 1, silent_fail=silent_fail)
    event = await fire(trigger)
    assert event["status"] == ("timeout" if silent_fail else "error")


@pytest.mark.parametrize("when", ["loading", "asleep", "polling", "before the event"])
@jobs
async def test_a_cancel_by_airflow_goes_through(when, job_ids, sim, account, monkeypatch):
    account("sendgrid", password="" if when == "before the event" else "SG.wrong")
    reached = asyncio.Event()

    async def hang(*_, **__):
        reached.set()
        await asyncio.Event().wait()

    if when == "loading":
        monkeypatch.setattr(hooks, "get_connection_async", hang)
    if when == "polling":
        monkeypatch.setattr(AiohttpTransport, "run", hang)
    trigger = make_trigger(job_ids=job_ids, first_poll_at=time.time() + (0 if when == "polling" else 3600))
    task = asyncio.ensure_future(fire(trigger))
    if when in {"asleep", "before the event"}:
        await asyncio.sleep(0.2)
    else:
        await reached.wait()
    task.cancel("user-action")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_invalid_argument_from_the_database_is_one_event(account):
    arguments = make_trigger(account("sendgrid"), job_ids=["a"]).serialize()[1]
    event = await fire(BulkJobTrigger(**{**arguments, "known_jobs": [{"job_id": "a"}]}))
    assert event["status"] == "error"
