# SPDX-License-Identifier: Apache-2.0
"""Marketo over HTTP: failures in successful responses, and the operators from the submit to the results."""

import json
from dataclasses import replace

import pytest
from face.modes import run as wait
from face.submit_cases import both_modes, run, sent

from airflow_provider_bulkjobs.exceptions import JobFailedError
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator
from airflow_provider_bulkjobs.vendors.marketo.vendor import Marketo

RECORDS = [
    {"email": "a@example.com", "leadScore": 12},
    {"email": "b@example.com", "leadScore": "high"},  # fails
    {"email": "nobody", "leadScore": 1},  # is imported, with a warning
]
MEMBERS = {"job_kind": "program_members", "options": {"programId": 1044, "programMemberStatus": "On List"}}
OBJECTS = {"job_kind": "custom_objects", "options": {"apiName": "vehicle_c"}}
VEHICLES = [{"vin": str(number), **record} for number, record in enumerate(RECORDS)]
FAMILIES = [({}, RECORDS), (MEMBERS, RECORDS), (OBJECTS, VEHICLES)]
each_family = pytest.mark.parametrize(
    ("arguments", "records"), FAMILIES, ids=["leads", "program_members", "custom_objects"]
)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    """Let the pauses that Marketo's errors stand for pass quickly."""
    pauses = dict.fromkeys(Marketo.errors.pauses, 0.02)
    monkeypatch.setattr(Marketo, "errors", replace(Marketo.errors, pauses=pauses))


@both_modes
@each_family
def test_failed_rows_are_counted_and_returned(mode, arguments, records, sim, account, tmp_path):
    conn_id = account("marketo")
    with pytest.raises(JobFailedError, match=r"1 items failed, 0 allowed"):
        run(mode, conn_id=conn_id, records=records, **arguments)
    result = run(mode, conn_id=conn_id, records=records, allowed_failures=1, **arguments)
    assert (result["state"], result["submitted"]) == ("partially_failed", 3)
    assert (result["total"], result["succeeded"], result["failed"]) == (3, 2, 1)
    again, everything = tmp_path / "again.jsonl", tmp_path / "all.jsonl"
    reading = {"task_id": "results", "conn_id": conn_id, "job_id": result["jobs"][0]["job_id"]}
    reading |= {"job_kind": arguments.get("job_kind")}
    BulkJobResultsOperator(path=str(again), as_records=True, **reading).execute({})
    [row] = map(json.loads, again.read_text().splitlines())
    assert row == {name: str(value) for name, value in records[1].items()}
    BulkJobResultsOperator(path=str(everything), **reading).execute({})
    rows = [json.loads(line) for line in everything.read_text().splitlines()]
    assert [(row["status"], row["error"]) for row in rows] == [
        ("failed", "Invalid data type in field Lead Score"),
        ("warning", "Invalid email address"),
    ]


@both_modes
def test_import_that_failed_as_a_whole_fails_the_task(mode, sim, account, tmp_path):
    conn_id, job_id = account("marketo"), sim.job("marketo", states=["Queued", "Importing", "Failed"])
    with pytest.raises(JobFailedError, match="Failed"):
        wait(mode, conn_id=conn_id, job_id=job_id, allowed_failures=None)
    path = tmp_path / "results.jsonl"
    BulkJobResultsOperator(task_id="results", conn_id=conn_id, job_id=job_id, path=str(path)).execute({})
    [row] = map(json.loads, path.read_text().splitlines())
    assert (row["status"], row["error"]) == ("failed", "Import failed: unknown field in header")


@both_modes
def test_full_queue_and_rate_limits_are_waited_for(mode, sim, account):
    sim.fault("marketo", "queue_full", count=1)
    sim.fault("marketo", "rate_limit", count=1, path="/batch/")
    assert run(mode, conn_id=account("marketo"), records=RECORDS[:1])["state"] == "succeeded"
    assert (len(sent(sim, "marketo")), len(sim.state()["marketo"]["jobs"])) == (2, 1)
    assert set(sim.state()["marketo"]["statuses"]) == {"200"}


def test_rejected_token_in_place_of_a_file_is_replaced(sim, account, tmp_path):
    conn_id, job_id = account("marketo"), sim.job("marketo", states=["Complete"], items=3, failed=1)
    sim.fault("marketo", "unauthorized", count=1, path="/failures")
    path = tmp_path / "results.jsonl"
    written = BulkJobResultsOperator(task_id="r", conn_id=conn_id, job_id=job_id, path=str(path)).execute({})
    assert written["rows"] == 1
    assert len([request for request in sim.requests("marketo") if "/failures" in request.path_qs]) == 2
