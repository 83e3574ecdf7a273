# SPDX-License-Identifier: Apache-2.0
"""Omnisend over HTTP: one wait for many batches, bad contacts, the wait in the body, and welcome messages."""

import asyncio
import json
import time
from collections import Counter

import pytest
from face import modes
from face.firing import fire, make_trigger
from face.submit_cases import both_modes, make, run, sent

from airflow_provider_bulkjobs._airflow import TaskDeferred
from airflow_provider_bulkjobs.exceptions import JobFailedError, PartialSubmitError
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator
from airflow_provider_bulkjobs.vendors.omnisend import jobs

BATCHES = 300
PEOPLE = [{"email": f"person-{number}@example.com"} for number in range(149)]
BAD = {"email": "b@example.invalid", "firstName": "Bob"}


def paths(sim):
    """Return how many lists and how many single batches were requested."""
    polls = [request for request in sim.requests("omnisend") if request.method == "GET"]
    return Counter("list" if "?" in request.path_qs else "one" for request in polls)


def test_one_trigger_waits_for_many_batches_with_few_requests(sim, account):
    sim.settings(job_seconds=1.5)
    people = [{"email": f"person-{number}@example.com"} for number in range(100 * BATCHES - 7)]
    operator = make(
        "deferrable",
        conn_id=account("omnisend"),
        operation="import",
        records=[*people, *[BAD] * 7],
        allowed_failures=0.001,
    )
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    event = modes.fire(deferred.value.trigger)
    result = getattr(operator, deferred.value.method_name)({}, event, **deferred.value.kwargs)
    assert (result["state"], result["job_count"]) == ("partially_failed", BATCHES)
    assert (result["total"], result["succeeded"], result["failed"]) == (30_000, 29_993, 7)
    assert len(json.dumps(result).encode()) < 4096
    assert paths(sim)["list"] + paths(sim)["one"] < BATCHES / 10
    assert set(sim.state()["omnisend"]["statuses"]) == {"200", "201"}


def test_batch_that_is_not_listed_is_requested(sim, account, monkeypatch):
    monkeypatch.setattr(jobs, "MAX_PAGES", 1)
    ids = [sim.job("omnisend", states=["finished"], items=2) for _ in range(jobs.PAGE + 1)]
    result = modes.run("poke", conn_id=account("omnisend"), job_id=ids)
    assert (result["state"], result["total"]) == ("succeeded", 202)
    assert paths(sim) == {"list": 1, "one": 1}


@both_modes
def test_import_with_a_failed_contact(mode, sim, account, tmp_path):
    arguments = {"conn_id": account("omnisend"), "operation": "import", "records": [*PEOPLE, BAD]}
    with pytest.raises(JobFailedError, match="1 items failed, 0 allowed"):
        run(mode, **arguments)
    result = run(mode, options={"status": "subscribed"}, allowed_failures=1, **arguments)
    assert [result[name] for name in ("state", "total", "succeeded", "failed", "job_count")] == [
        *("partially_failed", 150, 149, 1),
        2,
    ]
    path = tmp_path / "again.jsonl"
    ids = [job["job_id"] for job in result["jobs"]]
    BulkJobResultsOperator(
        task_id="results", conn_id=arguments["conn_id"], job_id=ids, path=str(path), only="failed", as_records=True
    ).execute({})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{**BAD, "status": "subscribed"}]
    assert len(sim.contacts("omnisend")) == 149


@pytest.mark.parametrize(("operation", "welcome"), [("import", False), ("import_with_welcome", True)])
def test_welcome_message_is_off_unless_asked_for(sim, account, operation, *, welcome):
    run(conn_id=account("omnisend"), operation=operation, records=PEOPLE[:1])
    [contact] = sim.contacts("omnisend")
    assert contact["identifiers"] == [{"type": "email", "id": PEOPLE[0]["email"], "sendWelcomeMessage": welcome}]


def test_wait_in_the_body_is_obeyed_on_a_worker_and_in_the_triggerer(sim, account):
    conn_id, job_id = account("omnisend"), sim.job("omnisend", states=["finished"], items=2)
    trigger = make_trigger(conn_id, "OmnisendHook", job_ids=[job_id])
    for wait in (lambda: modes.run("poke", conn_id=conn_id, job_id=job_id), lambda: asyncio.run(fire(trigger))):
        sim.fault("omnisend", "rate_limit", count=1)  # its retryAfter is 1
        began = time.monotonic()
        wait()
        assert time.monotonic() - began >= 1
    assert sim.state()["omnisend"]["statuses"]["429"] == 2


def test_stopped_batch_fails_the_task_whatever_is_allowed(sim, account):
    job_id = sim.job("omnisend", states=["inProgress", "stopped"], items=100, failed=70)
    with pytest.raises(JobFailedError, match="stopped"):
        modes.run("poke", conn_id=account("omnisend"), job_id=job_id, allowed_failures=None)


def test_lost_response_is_sent_again(sim, account):
    sim.fault("omnisend", "reset", count=1, after=True)
    assert run(conn_id=account("omnisend"), operation="import", records=PEOPLE[:1])["state"] == "succeeded"
    assert len(sent(sim, "omnisend")) == 2


def test_lost_response_of_welcome_messages_is_not_sent_again(sim, account):
    sim.fault("omnisend", "reset", count=1, after=True)
    with pytest.raises(PartialSubmitError):
        run(conn_id=account("omnisend"), operation="import_with_welcome", records=PEOPLE[:1])
    assert len(sent(sim, "omnisend")) == 1
