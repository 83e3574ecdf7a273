# SPDX-License-Identifier: Apache-2.0
"""Salesforce over HTTP: verdict and results of a job, and a submit whose steps are lost or whose worker dies."""

import json
import logging
import re
from collections import Counter

import pytest
from face.submit_cases import Store, TaskInstance, WorkerDiedError, both_modes, run, submit

from airflow_provider_bulkjobs.exceptions import JobFailedError
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator
from airflow_provider_bulkjobs.operators.cancel import BulkJobCancelOperator
from airflow_provider_bulkjobs.operators.checkpoint_store import TaskCheckpointStore

NAME = "salesforce_bulk"
RECORDS = [
    {"CRM_Key__c": "C-1", "LastName": "Lovelace", "Email": "a@example.com"},
    {"CRM_Key__c": "C-2", "LastName": 'Bob "B",\r\nJr.', "Email": "b@example.invalid"},
    {"CRM_Key__c": "C-3", "LastName": "Zoe", "Email": "c@example.com"},
]
OPTIONS = {"object": "Contact", "externalIdFieldName": "CRM_Key__c"}
UPSERT = {"operation": "upsert", "records": RECORDS, "options": OPTIONS}
INSERT = {"operation": "insert", "records": RECORDS, "options": {"object": "Contact"}}


def is_uploaded(value):
    return isinstance(value, dict) and "uploaded" in value["progress"]


def is_accepted(value):
    return isinstance(value, dict) and value["accepted"] == 1


def states(sim):
    return Counter(job["state"] for job in sim.state()[NAME]["jobs"])


@both_modes
@pytest.mark.parametrize(("unprocessed", "succeeded"), [("none", 2), ("last", 1)])
def test_verdict_is_what_was_booked(mode, unprocessed, succeeded, sim, account):
    sim.settings(salesforce_bulk_unprocessed=unprocessed)
    arguments = {"conn_id": account(NAME), **UPSERT}
    with pytest.raises(JobFailedError, match=f"{3 - succeeded} items failed, 0 allowed"):
        run(mode, **arguments)
    result = run(mode, **arguments, allowed_failures=2)
    assert result["state"] == "partially_failed"
    assert [result[name] for name in ("submitted", "total", "succeeded", "failed")] == [3, 3, succeeded, 3 - succeeded]
    assert len(sim.contacts(NAME)) == 2


def test_results_are_the_records_of_three_files(sim, account, tmp_path):
    sim.settings(salesforce_bulk_unprocessed="last")
    conn_id = account(NAME)
    job_id = run(conn_id=conn_id, **UPSERT, allowed_failures=2)["jobs"][0]["job_id"]
    arguments = {"task_id": "results", "conn_id": conn_id, "job_id": job_id, "path": str(tmp_path / "rows.jsonl")}
    BulkJobResultsOperator(**arguments).execute({})
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [(row["status"], row["item"]["CRM_Key__c"]) for row in rows] == [
        *(("created", "C-1"), ("failed", "C-2"), ("failed", "C-3"))
    ]
    assert rows[1]["error"] == "INVALID_RECORD:A valid email is required.:--"
    BulkJobResultsOperator(**arguments, as_records=True).execute({})
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == RECORDS[1:]


@pytest.mark.parametrize("after", [True, False], ids=["arrived", "lost"])
@pytest.mark.parametrize("arguments", [UPSERT, INSERT], ids=["upsert", "insert"])
def test_upload_of_unknown_outcome_goes_to_another_job(after, arguments, sim, account, quick_retries):
    sim.fault(NAME, "reset", path="/batches", count=1, after=after)
    [job_id] = submit(conn_id=account(NAME), **arguments)
    jobs = {job["job_id"]: job["state"] for job in sim.state()[NAME]["jobs"]}
    assert len(jobs) == 2
    assert jobs.pop(job_id) != "Aborted"
    assert list(jobs.values()) == ["Aborted"]
    assert len(sim.contacts(NAME)) == 2


@pytest.mark.parametrize("arguments", [UPSERT, INSERT], ids=["upsert", "insert"])
def test_close_whose_response_is_lost_is_looked_up(arguments, sim, account, quick_retries):
    def lose_the_next_response(value):
        if is_uploaded(value):
            sim.fault(NAME, "half_body", count=1, after=True)
        return False

    context = {"ti": TaskInstance(), "task_state_store": Store(dies=lose_the_next_response)}
    job_ids = submit(context, conn_id=account(NAME), **arguments)
    assert [job["job_id"] for job in sim.state()[NAME]["jobs"]] == job_ids
    assert [request.method for request in sim.requests(NAME)][-4:] == ["PUT", "PATCH", "PATCH", "GET"]
    assert len(sim.contacts(NAME)) == 2


@pytest.mark.parametrize(
    ("dies", "jobs"),
    [(is_uploaded, 2), (is_accepted, 1)],
    ids=["before the close", "after the close"],
)
def test_next_try_leaves_no_job_open_and_repeats_none(dies, jobs, sim, account, long_jobs):
    store = Store(dies)
    with pytest.raises(WorkerDiedError):
        submit({"ti": TaskInstance(), "task_state_store": store}, conn_id=account(NAME), **INSERT)
    store.dies = lambda _value: False
    [job_id] = submit({"ti": TaskInstance(), "task_state_store": store}, conn_id=account(NAME), **INSERT)
    found = {job["job_id"]: job["state"] for job in sim.state()[NAME]["jobs"]}
    assert found.pop(job_id) == "UploadComplete"
    assert list(found.values()) == ["Aborted"] * (jobs - 1)
    assert len(sim.contacts(NAME)) == 2


def test_job_that_a_killed_worker_left_open_is_aborted_by_the_id_in_its_log(sim, account, monkeypatch, caplog, capsys):
    def die(self, checkpoint):
        if checkpoint.progress:
            raise WorkerDiedError

    monkeypatch.setattr(TaskCheckpointStore, "save", die)
    conn_id = account(NAME)
    with caplog.at_level(logging.INFO), pytest.raises(WorkerDiedError):
        submit({"ti": TaskInstance()}, conn_id=conn_id, **INSERT)
    assert states(sim) == {"Open": 1}
    [job_id] = re.findall(r"job_id (\w+)", caplog.text or capsys.readouterr().out)
    BulkJobCancelOperator(task_id="cancel", conn_id=conn_id, job_id=job_id).execute({})
    assert states(sim) == {"Aborted": 1}


@both_modes
def test_token_is_renewed_during_a_submit(mode, sim, account):
    sim.settings(job_seconds=0.2)
    first = TaskInstance(on_id=sim.revoke_tokens)
    assert run(mode, {"ti": first}, conn_id=account(NAME), **UPSERT, allowed_failures=1)["succeeded"] == 2
    assert sim.state()[NAME]["tokens_issued"] >= 2


def test_running_job_is_aborted(sim, account):
    sim.settings(job_seconds=60)
    conn_id = account(NAME)
    [job_id] = submit(conn_id=conn_id, **UPSERT)
    BulkJobCancelOperator(task_id="cancel", conn_id=conn_id, job_id=job_id).execute({})
    assert states(sim) == {"Aborted": 1}


def test_connection_of_airflows_own_type(sim, connection):
    extra = {"consumer_key": "salesforce-key", "consumer_secret": "salesforce-secret", "requests_per_second": 0}
    values = {"conn_type": "salesforce", "login": "etl@acme.example", "password": "unused"}
    conn_id = connection("sf", **values, extra={**extra, "instance_url": sim.url_of(NAME)})
    assert run(conn_id=conn_id, **UPSERT, allowed_failures=1)["state"] == "partially_failed"
