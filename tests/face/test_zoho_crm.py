# SPDX-License-Identifier: Apache-2.0
"""Zoho CRM over HTTP: the verdict and results of jobs, and a job that is created once, whatever is lost."""

import json
from dataclasses import replace

import pytest
from face.modes import run as wait
from face.submit_cases import Store, TaskInstance, both_modes, run, sent, submit

from airflow_provider_bulkjobs.exceptions import JobFailedError, PartialSubmitError, PermissionDeniedError
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator
from airflow_provider_bulkjobs.vendors.zoho_crm.vendor import ZohoCRM

NAME = "zoho_crm"
RECORDS = [
    {"Email": "a@example.com", "Last_Name": "Lovelace", "Phone": "1", "City": "Turin"},
    {"Email": "b@example.invalid", "Last_Name": 'B "Bob",\r\nJr.', "Phone": "2", "City": "Rome"},
    {"Email": "c@example.com", "Last_Name": "Zoe", "Phone": "3"},
]
CONTACTS = {"module": "Contacts"}
UPSERT = {"operation": "upsert", "records": RECORDS, "options": {**CONTACTS, "find_by": "Email"}}
INSERT = {"operation": "insert", "records": RECORDS, "options": CONTACTS}
UPLOAD, WRITE = "/crm/v8/upload", "/crm/bulk/v8/write"
each_operation = pytest.mark.parametrize("arguments", [UPSERT, INSERT], ids=["upsert", "insert"])


def paths(sim):
    return [request.path_qs.removeprefix(f"/{NAME}") for request in sent(sim, NAME)]


def results(conn_id, job_id, path, **arguments):
    written = {"task_id": "results", "conn_id": conn_id, "job_id": job_id, "path": str(path), **arguments}
    BulkJobResultsOperator(**written).execute({})
    return [json.loads(line) for line in path.read_text().splitlines()]


@both_modes
@each_operation
def test_verdict_and_results_are_what_was_booked(mode, arguments, sim, account, tmp_path):
    conn_id = account(NAME)
    with pytest.raises(JobFailedError, match="1 items failed, 0 allowed"):
        run(mode, conn_id=conn_id, **arguments)
    assert len(sim.contacts(NAME)) == 2
    sim.reset()
    result = run(mode, conn_id=conn_id, **arguments, allowed_failures=1)
    assert (result["state"], result["submitted"]) == ("partially_failed", 3)
    assert [result[name] for name in ("total", "succeeded", "failed", "created", "updated")] == [3, 2, 1, 2, 0]
    rows = results(conn_id, result["jobs"][0]["job_id"], tmp_path / "rows.jsonl")
    assert [(row["status"], row["error"], row["item"]["Email"]) for row in rows] == [
        ("created", None, "a@example.com"),
        ("failed", "INVALID_DATA-Email", "b@example.invalid"),
        ("created", None, "c@example.com"),
    ]
    known = {contact["id"] for contact in sim.contacts(NAME)}
    assert {row["item"]["RECORD_ID"] for row in rows if row["status"] == "created"} == known
    assert "City" not in rows[0]["item"], "only the first three columns are returned"


@both_modes
def test_completed_job_whose_file_failed_fails_the_task(mode, sim, account, tmp_path):
    conn_id, job_id = account(NAME), sim.job(NAME, states=["ADDED", "IN PROGRESS", "FAILED"])
    with pytest.raises(JobFailedError, match="COMPLETED"):
        wait(mode, conn_id=conn_id, job_id=job_id, allowed_failures=None)
    [row] = results(conn_id, job_id, tmp_path / "rows.jsonl")
    assert (row["status"], row["error"]) == ("failed", "INVALID_FILE_FORMAT")


@each_operation
def test_job_whose_id_was_lost_is_unknown_also_for_the_next_try(arguments, sim, account, quick_retries):
    sim.fault(NAME, "reset", path=WRITE, count=1, after=True)
    conn_id, store = account(NAME), Store()
    for _ in range(2):
        with pytest.raises(PartialSubmitError, match="outcome unknown"):
            submit({"ti": TaskInstance(), "task_state_store": store}, conn_id=conn_id, **arguments)
    assert len(sim.state()[NAME]["jobs"]) == 1


@pytest.mark.parametrize("after", [True, False], ids=["arrived", "lost"])
def test_upload_whose_response_is_lost_is_repeated(after, sim, account, quick_retries):
    sim.fault(NAME, "reset", path=UPLOAD, count=1, after=after)
    assert len(submit(conn_id=account(NAME), **INSERT)) == 1
    assert len(sim.contacts(NAME)) == 2


def test_next_try_creates_only_the_jobs_that_are_missing(sim, account, monkeypatch):
    [kind] = ZohoCRM.kinds
    one_each = tuple(replace(operation, max_items=1) for operation in kind.operations)
    monkeypatch.setattr(ZohoCRM, "kinds", (replace(kind, operations=one_each),))

    def refuse_the_next_job():
        sim.fault(NAME, "scope_mismatch", path=WRITE, count=1)

    conn_id, store = account(NAME), Store()
    with pytest.raises(PermissionDeniedError, match="lacks a scope"):
        submit({"ti": TaskInstance(refuse_the_next_job), "task_state_store": store}, conn_id=conn_id, **INSERT)
    assert len(sim.state()[NAME]["jobs"]) == 1
    assert paths(sim) == [UPLOAD, WRITE, UPLOAD, WRITE]
    job_ids = submit({"ti": TaskInstance(), "task_state_store": store}, conn_id=conn_id, **INSERT)
    assert [job["job_id"] for job in sim.state()[NAME]["jobs"]] == job_ids
    assert len(job_ids) == 3
    assert len(sim.contacts(NAME)) == 2
    organizations = [request for request in sim.requests(NAME) if request.path_qs.endswith("/crm/v8/org")]
    assert len(organizations) == 2, "once for each try, not for each upload"


@both_modes
def test_throttled_job_and_poll_are_sent_again(mode, sim, account, quick_retries, monkeypatch):
    monkeypatch.setattr(ZohoCRM, "errors", replace(ZohoCRM.errors, pauses={"TOO_MANY_REQUESTS": 0.02}))
    sim.fault(NAME, "rate_limit", count=1, path=WRITE)
    sim.fault(NAME, "rate_limit", count=1, path=f"{WRITE}/")
    assert run(mode, conn_id=account(NAME), **INSERT, allowed_failures=1)["failed"] == 1
    assert len(sim.state()[NAME]["jobs"]) == 1


@both_modes
def test_token_is_renewed_during_a_submit(mode, sim, account):
    first = TaskInstance(on_id=sim.revoke_tokens)
    assert run(mode, {"ti": first}, conn_id=account(NAME), **UPSERT, allowed_failures=1)["succeeded"] == 2
    assert sim.state()[NAME]["tokens_issued"] >= 2
