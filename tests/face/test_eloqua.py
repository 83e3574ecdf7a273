# SPDX-License-Identifier: Apache-2.0
"""Eloqua over HTTP: verdict and results of an import, and submits whose steps are lost or whose worker dies."""

import json

import pytest
from face.submit_cases import Store, TaskInstance, WorkerDiedError, both_modes, run, submit

from airflow_provider_bulkjobs.exceptions import AuthenticationError, JobFailedError
from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator
from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor
from airflow_provider_bulkjobs.vendors.eloqua import submits

RECORDS = [
    {"C_EmailAddress": "ann@example.com", "C_FirstName": 'Ann "A",\r\nPh.D.'},
    {"C_EmailAddress": "bob@example.invalid", "C_FirstName": "Bob"},
    {"C_EmailAddress": "zoe@example.com"},
]
REFRESH = {
    "login": "eloqua-client",
    "password": "eloqua-secret",
    "extra": {
        "auth_type": "refresh_token",
        "refresh_token": "eloqua-refresh",
        "redirect_uri": "https://example.com/oauth",
        "requests_per_second": 0,
    },
}


def requested(sim):
    """Return the requests that change something, with the last part of their paths."""
    changes = [each for each in sim.requests("eloqua") if each.method != "GET"]
    return [f"{each.method} {each.path_qs.rpartition('/')[2]}" for each in changes]


def synced(sim):
    return [job["job_id"] for job in sim.state()["eloqua"]["jobs"]]


def is_staged(value):
    return isinstance(value, dict) and "staged" in value["progress"]


def is_accepted(value):
    return isinstance(value, dict) and value["accepted"] == 1


@both_modes
def test_verdict_is_what_was_booked(mode, sim, account):
    arguments = {"conn_id": account("eloqua"), "records": RECORDS}
    with pytest.raises(JobFailedError, match="1 items failed, 0 allowed"):
        run(mode, **arguments)
    result = run(mode, **arguments, allowed_failures=1)
    assert result["state"] == "partially_failed"
    assert [result[name] for name in ("submitted", "total", "succeeded", "failed")] == [3, 3, 2, 1]
    names = {contact["email"]: contact.get("C_FirstName") for contact in sim.contacts("eloqua")}
    assert names == {"ann@example.com": 'Ann "A",\r\nPh.D.', "zoe@example.com": ""}


def test_results_are_the_rejected_records(sim, account, tmp_path):
    conn_id = account("eloqua")
    job_id = run(conn_id=conn_id, records=RECORDS, allowed_failures=1)["jobs"][0]["job_id"]
    arguments = {"task_id": "results", "conn_id": conn_id, "job_id": job_id, "path": str(tmp_path / "rows.jsonl")}
    BulkJobResultsOperator(**arguments).execute({})
    [row] = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert (row["status"], row["error"]) == ("failed", "ELQ-00002: A valid email is required.")
    BulkJobResultsOperator(**arguments, as_records=True).execute({})
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == [RECORDS[1]]


def test_data_in_pieces_is_one_import(sim, account, monkeypatch):
    monkeypatch.setattr(submits, "MAX_PIECE", 80)
    assert run(conn_id=account("eloqua"), records=RECORDS, allowed_failures=1)["succeeded"] == 2
    assert requested(sim) == ["POST imports", *["POST data"] * 2, "POST syncs"]


@pytest.mark.parametrize("after", [True, False], ids=["arrived", "lost"])
def test_piece_of_unknown_outcome_goes_to_another_import(after, sim, account, quick_retries):
    sim.fault("eloqua", "reset", path="/data", count=1, after=after)
    result = run(conn_id=account("eloqua"), records=RECORDS, allowed_failures=1)
    assert [result[name] for name in ("total", "succeeded", "failed")] == [3, 2, 1]
    assert [each.partition(" ")[0] for each in requested(sim)] == ["POST", "POST", "DELETE", "POST", "POST", "POST"]


@pytest.mark.parametrize(("after", "requests"), [(True, 1), (False, 2)], ids=["arrived", "lost"])
def test_sync_whose_response_is_lost_is_looked_up(after, requests, sim, account, quick_retries):
    conn_id = account("eloqua")

    def lose_the_next_response(value):
        if is_staged(value):
            sim.fault("eloqua", "reset", count=1, after=after)
        return False

    context = {"ti": TaskInstance(), "task_state_store": Store(lose_the_next_response)}
    job_ids = submit(context, conn_id=conn_id, records=RECORDS)
    assert synced(sim) == job_ids
    assert requested(sim).count("POST syncs") == requests
    assert len(sim.contacts("eloqua")) == 2


@pytest.mark.parametrize(
    ("dies", "data"), [(is_staged, 2), (is_accepted, 1)], ids=["before it is noted as staged", "after the sync"]
)
def test_next_try_stages_nothing_twice(dies, data, sim, account):
    store, arguments = Store(dies), {"conn_id": account("eloqua"), "records": RECORDS}
    with pytest.raises(WorkerDiedError):
        submit({"ti": TaskInstance(), "task_state_store": store}, **arguments)
    store.dies = lambda _value: False
    job_ids = submit({"ti": TaskInstance(), "task_state_store": store}, **arguments)
    assert synced(sim) == job_ids
    assert requested(sim).count("POST data") == data
    assert run(conn_id=arguments["conn_id"], records=RECORDS, allowed_failures=1)["total"] == 3


def test_refresh_token_serves_one_submit_or_one_wait(sim, account):
    conn_id = account("eloqua", **REFRESH)
    [job_id] = submit(conn_id=conn_id, records=RECORDS)
    with pytest.raises(AuthenticationError) as caught:
        BulkJobSensor(task_id="wait", conn_id=conn_id, job_id=job_id, poke_interval=0.05).execute({})
    assert "The refresh token is invalid" in str(caught.value)
    assert "Eloqua accepts a refresh token once" in str(caught.value)
    assert "set auth_type to basic" in str(caught.value)
    assert "eloqua-refresh" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "good", "told"),
    [
        ({}, True, "Connected to Eloqua as 'Acme' (id 42)."),
        (
            {"password": "wrong"},
            False,
            r"Not authenticated. Check the credentials in this connection. The login has the form Company\user.",
        ),
        (REFRESH, False, "Eloqua accepts it once, and the test would use it up"),
    ],
)
def test_connection_test(values, good, told, sim, account):
    is_good, message = hook_for(account("eloqua", **values)).test_connection()
    assert is_good is good
    assert told in message
    assert "POST token" not in requested(sim)
