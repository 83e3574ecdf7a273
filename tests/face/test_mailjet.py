# SPDX-License-Identifier: Apache-2.0
"""Mailjet over HTTP: both kinds of imports with bad contacts, and the steps of a CSV import."""

import csv
import json
from pathlib import Path

import pytest
from face.submit_cases import Store, WorkerDiedError, both_modes, make, run, sent

from airflow_provider_bulkjobs.exceptions import JobFailedError, PartialSubmitError
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator

LISTS = {"ContactsLists": [{"ListID": 57}]}
PEOPLE = [{"Email": "a@example.com", "age": 42}, {"Email": "b@example.invalid"}]
LINES = [{"email": "a@example.com", "age": 42}, {"email": "b@example.invalid", "age": 7}]
FILE = {"job_kind": "csv_import", "options": {"ContactsListID": 57}}


def paths(sim) -> list[str]:
    return [request.path_qs.rpartition("/")[2] for request in sent(sim, "mailjet")]


def results(conn_id: str, path: Path, **arguments) -> list[dict]:
    operator = BulkJobResultsOperator(task_id="results", conn_id=conn_id, path=str(path), **arguments)
    operator.execute({})
    with path.open(newline="") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]


@both_modes
def test_import_with_failed_contacts(mode, sim, account, tmp_path):
    conn_id = account("mailjet")
    with pytest.raises(JobFailedError, match="items failed, and the vendor does not report how many"):
        run(mode, conn_id=conn_id, records=PEOPLE, options=LISTS)
    job_id = sim.state()["mailjet"]["jobs"][0]["job_id"]
    [row] = results(conn_id, tmp_path / "results.jsonl", job_id=job_id)
    assert (row["status"], row["item"]["Email"]) == ("failed", "b@example.invalid")
    result = run(mode, conn_id=conn_id, records=PEOPLE, options=LISTS, allowed_failures=None)
    assert (result["state"], result["total"], result["failed"]) == ("partially_failed", 2, None)
    assert sim.contacts("mailjet")[0]["Properties"] == {"age": 42}


@both_modes
def test_csv_import_with_failed_lines(mode, sim, account, tmp_path):
    conn_id = account("mailjet")
    with pytest.raises(JobFailedError, match="1 items failed, 0 allowed"):
        run(mode, conn_id=conn_id, records=LINES, **FILE)
    result = run(mode, conn_id=conn_id, records=LINES, allowed_failures=1, **FILE)
    assert (result["total"], result["succeeded"], result["failed"]) == (2, 1, 1)
    [job] = result["jobs"]
    [line] = results(
        conn_id, tmp_path / "again.csv", job_id=job["job_id"], job_kind="csv_import", only="failed", as_records=True
    )
    assert line == {"email": "b@example.invalid", "age": "7"}


def test_undefined_property_fails_the_job(account, tmp_path, sim):
    conn_id = account("mailjet")
    with pytest.raises(JobFailedError, match="the import is failed"):
        run(conn_id=conn_id, records=[{"Email": "a@example.com", "agee": 42}], options=LISTS, allowed_failures=None)
    [row] = results(conn_id, tmp_path / "results.jsonl", job_id=sim.state()["mailjet"]["jobs"][0]["job_id"])
    assert (row["status"], row["error"]) == ("failed", "invalid property")


def test_worker_that_dies_after_the_upload_does_not_repeat_it(sim, account):
    arguments = {"conn_id": account("mailjet"), "records": LINES[:1], **FILE}
    store = Store(dies=lambda checkpoint: checkpoint["progress"] and checkpoint["in_flight"])  # right before the start
    with pytest.raises(WorkerDiedError):
        make(**arguments).execute({"task_state_store": store})
    store.dies = lambda _checkpoint: False
    assert make(**arguments).execute({"task_state_store": store})["state"] == "succeeded"
    assert paths(sim) == ["text:plain", "csvimport"]


def test_lost_response_to_the_start_is_not_repeated(sim, account):
    sim.fault("mailjet", "reset", count=1, path="csvimport")
    with pytest.raises(PartialSubmitError):
        run(conn_id=account("mailjet"), records=LINES[:1], **FILE)
    assert paths(sim) == ["text:plain", "csvimport"]


def test_rejection_by_the_front_end_is_retried(sim, account):
    sim.fault("mailjet", "too_many_requests_page", count=1)
    assert run(conn_id=account("mailjet"), records=PEOPLE[:1], options=LISTS)["state"] == "succeeded"
    assert sim.state()["mailjet"]["statuses"]["429"] == 1
