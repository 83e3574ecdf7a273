# SPDX-License-Identifier: Apache-2.0
"""Zendesk over HTTP: completed jobs with failed items, the limit of open jobs, and what only this vendor does."""

import json
import time
from dataclasses import replace

import pytest
from face.modes import Store
from face.modes import run as wait
from face.submit_cases import both_modes, person, run, sent, submit
from face.test_job_gone import after_first_poll

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
from airflow_provider_bulkjobs.http.retry import NO_RETRY
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.spec.throttling import Throttling
from airflow_provider_bulkjobs.vendors.zendesk_bulk.simulated import SimulatedZendesk
from airflow_provider_bulkjobs.vendors.zendesk_bulk.vendor import STARTS, Zendesk

ZENDESK = "zendesk_bulk"
BAD = (17, 101, 102)
MIXED = [{"email": f"bounce-{n}@example.invalid"} if n in BAD else person(n) for n in range(120)]
OAUTH2 = {
    "login": "zendesk-client",
    "password": "zendesk-secret",
    "extra": {"auth_type": "oauth2", "requests_per_second": 0},
}


@pytest.fixture
def conn_id(account):
    return account(ZENDESK)


@both_modes
def test_completed_jobs_with_failed_users_are_no_success(mode, sim, conn_id, tmp_path):
    arguments = {"conn_id": conn_id, "job_kind": "users", "operation": "upsert", "records": MIXED}
    with pytest.raises(errors.JobFailedError, match="3 items failed, 0 allowed"):
        run(mode, **arguments)
    result = run(mode, allowed_failures=3, **arguments)
    assert (result["state"], result["total"], result["failed"]) == ("partially_failed", 120, 3)
    assert (result["created"], result["updated"], result["job_count"]) == (0, 117, 2)  # the first run has created them
    assert len(sim.contacts(ZENDESK)) == 117

    job_ids, path = [job["job_id"] for job in result["jobs"]], tmp_path / "failed.jsonl"
    results = BulkJobResultsOperator(task_id="r", conn_id=conn_id, job_id=job_ids, path=str(path), only="failed")
    results.execute({})
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(row["item"]["id"] for row in rows) == [1, 2, 17]  # their positions in the two batches


@both_modes
def test_submit_above_the_limit_of_open_jobs_waits_for_the_end_of_one(mode, sim, conn_id, monkeypatch):
    open_jobs = [sim.job(ZENDESK, states=["working"]) for _ in range(30)]
    refuse = SimulatedZendesk.error

    def refuse_and_end_one(self, status, *args):
        if status == 429:
            del self.jobs[open_jobs.pop()]
        return refuse(self, status, *args)

    monkeypatch.setattr(SimulatedZendesk, "error", refuse_and_end_one)
    monkeypatch.setattr(Zendesk, "throttling", Throttling(limits=(replace(STARTS, pause=0.1),)))
    result = run(mode, conn_id=conn_id, operation="upsert", records=[person(1)])
    assert (result["state"], result["created"], len(open_jobs)) == ("succeeded", 1, 29)


def test_polls_go_on_while_a_submit_waits(conn_id, long_jobs):
    job_ids = submit(conn_id=conn_id, operation="upsert", records=[person(n) for n in range(3000)])
    hook = hook_for(conn_id)
    with pytest.raises(errors.VendorUnavailableError, match="429") as refused:
        hook.transport.send(Request("POST", "/api/v2/users/create_many", body=b'{"users": []}'), NO_RETRY)
    assert refused.value.retry_after == STARTS.pause
    began = time.monotonic()
    assert hook.get_job(job_ids[0]).state == "pending"
    assert time.monotonic() - began < STARTS.pause / 2


@both_modes
def test_job_whose_day_has_passed_is_gone(mode, sim, conn_id, monkeypatch):
    job_id = sim.job(ZENDESK, states=["working"], items=3)
    after_first_poll(monkeypatch, job_id, lambda: sim.expire(job_id))
    with pytest.raises(errors.JobExpiredError, match="no longer exists"):
        wait(mode, store=Store(), conn_id=conn_id, job_id=job_id)


@both_modes
def test_job_that_is_not_found_alone_is_found_among_several(mode, sim, conn_id):
    job_id = sim.job(ZENDESK, states=["completed"], items=3)
    sim.fault(ZENDESK, "not_json", count=1, status=404)
    assert wait(mode, conn_id=conn_id, job_id=job_id)["succeeded"] == 3


def test_users_are_not_imported_unless_zendesk_has_switched_it_on(sim, conn_id):
    sim.fault(ZENDESK, "bulk_imports_off")
    with pytest.raises(errors.PermissionDeniedError, match="support has switched them on"):
        submit(conn_id=conn_id, operation="upsert", records=[person(1)])
    assert len(sent(sim, ZENDESK)) == 1


def test_connection_test_names_the_user(sim, account):
    assert hook_for(account(ZENDESK)).test_connection() == (
        True,
        f"Connected to {sim.url_of(ZENDESK)} as user 'Ann Lee' (id 19000000).",
    )
    assert hook_for(account(ZENDESK, "oauth", **OAUTH2)).test_connection()[0]
    good, message = hook_for(account(ZENDESK, "wrong", password="wrong")).test_connection()
    assert not good
    assert "Couldn't authenticate you" in message


def test_access_token_is_renewed(sim, account):
    conn_id = account(ZENDESK, "oauth", **OAUTH2)
    hook = hook_for(conn_id)
    job_id = sim.job(ZENDESK, states=["working"])
    assert hook.get_job(job_id).state == "running"
    sim.revoke_tokens()
    assert hook.get_job(job_id).state == "running"
    assert sim.state()[ZENDESK]["tokens_issued"] == 2
