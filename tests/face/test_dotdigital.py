# SPDX-License-Identifier: Apache-2.0
"""Dotdigital over HTTP: imports and deletions with bad contacts, limits of jobs and of calls, and lost responses."""

import csv
import json
from pathlib import Path

import pytest
from face import modes
from face.submit_cases import both_modes, run, sent

from airflow_provider_bulkjobs.exceptions import JobFailedError, PartialSubmitError
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator
from airflow_provider_bulkjobs.vendors.dotdigital import vendor as declaration

LISTS = {"lists": [345579]}
PEOPLE = [
    {"email": "a@example.com", "firstName": "Ann"},
    {"email": "b@example.invalid", "firstName": "Bob"},
    {"email": "c@example.com", "lists": [7]},  # imported, but there is no such list
]
REJECTED = ["NotFinished", "RejectedByWatchdog"]


def results(conn_id: str, path: Path, **arguments) -> list[dict]:
    BulkJobResultsOperator(task_id="results", conn_id=conn_id, path=str(path), **arguments).execute({})
    with path.open(newline="") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]


@pytest.fixture
def short_pauses(monkeypatch):
    monkeypatch.setattr(declaration, "PAUSES", dict.fromkeys(declaration.PAUSES, 0.1))


@both_modes
def test_import_with_failed_contacts(mode, sim, account, tmp_path):
    conn_id = account("dotdigital")
    with pytest.raises(JobFailedError, match="2 items failed, 0 allowed"):
        run(mode, conn_id=conn_id, records=PEOPLE, options=LISTS, job_kind="contacts")
    result = run(mode, conn_id=conn_id, records=PEOPLE, options=LISTS, job_kind="contacts", allowed_failures=2)
    assert (result["total"], result["succeeded"], result["failed"]) == (3, 1, 2)
    assert (result["created"], result["updated"]) == (0, 2)  # by the second import
    arguments = {"job_id": result["jobs"][0]["job_id"], "job_kind": "contacts"}
    rows = results(conn_id, tmp_path / "results.jsonl", **arguments)
    assert [(row["status"], row["item"]["identifiers"]["email"][0]) for row in rows] == [
        *(("updated", "a"), ("updated", "c")),
        *(("failed", "b"), ("failed", "c")),
    ]
    again = results(conn_id, tmp_path / "again.csv", only="failed", as_records=True, **arguments)
    assert again == [{"email": "b@example.invalid"}, {"email": "c@example.com"}]
    assert sim.contacts("dotdigital")[0] | {"firstName": "Ann", "lists": [345579]} == sim.contacts("dotdigital")[0]


@both_modes
def test_deletion_with_unknown_contacts(mode, sim, account):
    sim.contacts("dotdigital", PEOPLE[:1])
    arguments = {"conn_id": account("dotdigital"), "job_kind": "deletions", "records": [{"email": "a@example.com"}]}
    assert run(mode, **arguments)["deleted"] == 1
    with pytest.raises(JobFailedError, match="1 items failed, 0 allowed"):
        run(mode, **arguments)
    assert sim.contacts("dotdigital") == []


@pytest.mark.parametrize("mode", modes.MODES)
def test_import_that_the_watchdog_rejected_is_never_sent_again(mode, sim, account):
    job_id = sim.job("dotdigital", states=REJECTED)
    with pytest.raises(JobFailedError, match="RejectedByWatchdog"):  # an AirflowFailException: no retry
        modes.run(mode, conn_id=account("dotdigital"), job_id=job_id, job_kind="contacts", allowed_failures=None)
    assert {request.method for request in sim.requests("dotdigital")} == {"GET"}


@pytest.mark.parametrize(("fault", "status"), [("too_many_imports", "429"), ("flat_rate", "400")])
def test_limit_is_waited_for(fault, status, sim, account, short_pauses):
    sim.fault("dotdigital", fault, count=1, path="/contacts/v3/import")
    result = run(conn_id=account("dotdigital"), job_kind="contacts", records=PEOPLE[:1])
    assert result["state"] == "succeeded"
    assert sim.state()["dotdigital"]["statuses"][status] == 1


def test_lost_response_to_the_put_is_not_repeated(sim, account):
    sim.fault("dotdigital", "reset", count=1, after=True)
    with pytest.raises(PartialSubmitError):
        run(conn_id=account("dotdigital"), job_kind="contacts", records=PEOPLE[:1])
    assert [request.method for request in sent(sim, "dotdigital")] == ["PUT"]
