# SPDX-License-Identifier: Apache-2.0
"""Mailchimp over HTTP: from the submit of bad records to the results in an archive, throttling, and cancel."""

import json

import pytest
from face import modes
from face.submit_cases import AUDIENCE, NEW_MEMBERS, both_modes, run, sent
from face.test_job_gone import after_first_poll

from airflow_provider_bulkjobs.exceptions import JobExpiredError, JobFailedError
from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobCancelOperator, BulkJobResultsOperator

RECORDS = [
    {"email_address": "Ann@example.com", "FNAME": "Ann"},
    {"email_address": "b", "FNAME": "Bob"},
    {"email_address": "cid@example.com", "status": "unsubscribed"},
]
UPSERT = {"operation": "upsert", "records": RECORDS, "options": AUDIENCE | NEW_MEMBERS}


def results(conn_id, job_id, path, **how):
    BulkJobResultsOperator(task_id="results", conn_id=conn_id, job_id=job_id, path=str(path), **how).execute({})
    return [json.loads(line) for line in path.read_text().splitlines()]


@both_modes
def test_counts_and_results_are_those_of_the_vendor(mode, sim, account, tmp_path):
    conn_id = account("mailchimp")
    with pytest.raises(JobFailedError, match="1 items failed, 0 allowed"):
        run(mode, conn_id=conn_id, **UPSERT)
    result = run(mode, conn_id=conn_id, allowed_failures=1, **UPSERT)
    assert [result[name] for name in ("state", "total", "succeeded", "failed")] == ["partially_failed", 3, 2, 1]
    assert [contact["email"] for contact in sim.contacts("mailchimp")] == ["Ann@example.com", "cid@example.com"]
    job_ids = [job["job_id"] for job in result["jobs"]]
    rows = results(conn_id, job_ids, tmp_path / "all.jsonl")
    assert {row["item"]["operation_id"]: row["status"] for row in rows} == {
        "email_address:Ann@example.com": "succeeded",
        "email_address:b": "failed",
        "email_address:cid@example.com": "succeeded",
    }
    download = sim.requests("mailchimp")[-1]
    assert "authorization" not in {name.lower() for name in download.headers}
    failed = results(conn_id, job_ids, tmp_path / "failed.jsonl", as_records=True)
    assert failed == [{"email_address": "b"}]


@both_modes
def test_tags_and_archive(mode, sim, account):
    conn_id = account("mailchimp")
    run(mode, conn_id=conn_id, operation="upsert", records=RECORDS[::2], options=AUDIENCE | NEW_MEMBERS)
    everybody = [{"email_address": "ann@EXAMPLE.com"}, {"email_address": "cid@example.com"}]
    run(mode, conn_id=conn_id, operation="tag", records=everybody, options={**AUDIENCE, "tags": ["vip"]})
    assert [contact["tags"] for contact in sim.contacts("mailchimp")] == [[{"name": "vip", "status": "active"}]] * 2
    run(mode, conn_id=conn_id, operation="archive", records=everybody[:1], options=AUDIENCE)
    assert [contact["email"] for contact in sim.contacts("mailchimp")] == ["cid@example.com"]


@both_modes
def test_wrong_audience_is_no_success(mode, sim, account):
    with pytest.raises(JobFailedError, match="3 items failed, 0 allowed"):
        run(mode, conn_id=account("mailchimp"), **{**UPSERT, "options": {"list_id": "x", **NEW_MEMBERS}})


@both_modes
def test_bare_403_is_throttling(mode, sim, account):
    sim.fault("mailchimp", "bare_403", count=1)
    arguments = {
        "operation": "archive",
        "records": [{"email_address": "a@example.com"}],
        "options": AUDIENCE,
        "allowed_failures": 1,
    }
    assert run(mode, conn_id=account("mailchimp"), **arguments)["failed"] == 1
    assert len(sent(sim, "mailchimp")) == 2  # it was not executed, so even an archive is sent again


@pytest.mark.parametrize("mode", modes.MODES)
def test_bare_403_while_waiting(mode, sim, account):
    job_id = sim.job("mailchimp", states=["started", "finished"], items=2)
    sim.fault("mailchimp", "bare_403", count=1)
    assert modes.run(mode, conn_id=account("mailchimp"), job_id=job_id)["state"] == "succeeded"


def test_cancel_keeps_the_results_of_a_finished_batch(sim, account, tmp_path):
    conn_id = account("mailchimp")
    running, over = sim.job("mailchimp", states=["started"]), sim.job("mailchimp", states=["finished"], items=2)
    counts = BulkJobCancelOperator(task_id="cancel", conn_id=conn_id, job_id=[running, over, "gone"]).execute({})
    assert counts == {"canceled": 1, "finished": 1, "gone": 1}
    assert hook_for(conn_id).cancel_job(over) is False
    assert len(results(conn_id, over, tmp_path / "all.jsonl")) == 2


@pytest.mark.parametrize("mode", modes.MODES)
def test_batch_that_is_canceled_during_a_wait_is_gone(mode, sim, account, monkeypatch):
    conn_id, job_id = account("mailchimp"), sim.job("mailchimp", states=["started"])
    after_first_poll(monkeypatch, job_id, lambda: hook_for(conn_id).cancel_job(job_id))
    with pytest.raises(JobExpiredError, match="no longer exists"):
        modes.run(mode, store=modes.Store(), conn_id=conn_id, job_id=job_id)


def test_data_center_of_the_host_is_a_hint(sim, account):
    passed, message = hook_for(account("mailchimp", password="0123456789abcdef-us20")).test_connection()
    assert not passed
    assert "another data center than the host" in message
