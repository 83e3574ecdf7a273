# SPDX-License-Identifier: Apache-2.0
"""Customer.io over HTTP: files that it downloads itself, from records and from object storage, and its reports."""

import json
import logging
from contextlib import nullcontext
from dataclasses import replace

import pytest
from face.submit_cases import Store, TaskInstance, WorkerDiedError, both_modes, run

from airflow_provider_bulkjobs.exceptions import BadArgumentError, JobFailedError, PartialSubmitError
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator
from airflow_provider_bulkjobs.vendors.customer_io.vendor import CustomerIo

RECORDS = [{"email": "ada@example.com", "plan": "pro"}, {"email": "bob@example.invalid", "plan": "free"}]
PEOPLE = {"operation": "import_people", "options": {"identifier": "email", "data_file_folder": "memory://people"}}


def imports(sim):
    return sum(one.method == "POST" for one in sim.requests("customer_io"))


@both_modes
def test_import_of_records_with_an_invalid_row(mode, sim, account, bucket, caplog):
    conn_id = account("customer_io")
    caplog.set_level(logging.DEBUG)
    with pytest.raises(JobFailedError, match="1 items failed, 0 allowed"):
        run(mode, conn_id=conn_id, records=RECORDS, **PEOPLE)
    result = run(mode, conn_id=conn_id, records=RECORDS, allowed_failures=1, **PEOPLE)
    counts = {name: result[name] for name in ("state", "submitted", "total", "succeeded", "failed")}
    assert counts == {"state": "partially_failed", "submitted": 2, "total": 2, "succeeded": 1, "failed": 1}
    assert [(one["email"], one["plan"]) for one in sim.contacts("customer_io")] == [("ada@example.com", "pro")]
    assert "s1gned" not in caplog.text + json.dumps(result)


def test_each_batch_has_its_own_file(sim, account, bucket, monkeypatch):
    [kind] = CustomerIo.kinds
    operations = tuple(replace(each, max_items=1) for each in kind.operations)
    monkeypatch.setattr(CustomerIo, "kinds", (replace(kind, operations=operations),))
    records = [{"email": "ada@example.com"}, {"email": "bob@example.com"}]
    result = run(conn_id=account("customer_io"), records=records, **PEOPLE)
    assert (result["job_count"], result["succeeded"]) == (2, 2)
    assert {one["email"] for one in sim.contacts("customer_io")} == {"ada@example.com", "bob@example.com"}


def test_records_need_a_folder(sim, account):
    arguments = PEOPLE | {"conn_id": account("customer_io"), "options": {"identifier": "email"}}
    with pytest.raises(BadArgumentError, match="option 'data_file_folder' is missing"):
        run(records=RECORDS, **arguments)
    assert not sim.requests("customer_io")


@both_modes
def test_file_in_object_storage(mode, account, bucket):
    options = {"identifier": "email", "data_file_url": "memory://people/contacts.csv"}
    arguments = {"conn_id": account("customer_io"), "operation": "import_people", "options": options}
    result = run(mode, allowed_failures=0.03, **arguments)
    assert (result["total"], result["failed"], result["submitted"]) == (1000, 30, 0)
    with pytest.raises(BadArgumentError, match="takes none"):
        run(mode, records=RECORDS, **arguments)


@pytest.fixture
def results(account, tmp_path):
    def read(job_id):
        path = tmp_path / "results.jsonl"
        arguments = {"conn_id": account("customer_io"), "job_id": job_id, "path": str(path)}
        BulkJobResultsOperator(task_id="results", **arguments).execute({})
        return [json.loads(line) for line in path.read_text().splitlines()]

    return read


@both_modes
def test_file_that_cannot_be_downloaded_fails_the_job(mode, account, results):
    instance = TaskInstance()
    options = {"identifier": "email", "data_file_url": "https://bucket.example.com/none.csv"}
    arguments = {"conn_id": account("customer_io"), "operation": "import_people", "options": options}
    with pytest.raises(JobFailedError):
        run(mode, {"ti": instance}, **arguments)
    [row] = results(instance.pushed[-1])
    assert (row["status"], row["error"]) == ("failed", "The file could not be downloaded.")


def test_results_are_the_report_that_is_downloaded_without_the_key(sim, results):
    job_id = sim.job("customer_io", states=["imported"], items=3, failed=1)
    [row] = results(job_id)
    assert (row["status"], row["item"]["identifier"]) == ("failed", "contact-3.example.com")
    status, link, report = sim.requests("customer_io")
    has_key = [any(name.lower() == "authorization" for name in one.headers) for one in (status, link, report)]
    assert has_key == [True, True, False]
    assert link.path_qs.endswith(f"/v1/exports/{job_id}/download")


@pytest.mark.parametrize(("operation", "number"), [("import_people", 2), ("import_events", 1)])
def test_only_an_import_of_events_is_not_repeated(sim, account, bucket, operation, number):
    sim.fault("customer_io", "reset", count=1, path="/v1/imports")
    arguments = PEOPLE | {"conn_id": account("customer_io"), "operation": operation, "records": RECORDS[:1]}
    with pytest.raises(PartialSubmitError) if operation == "import_events" else nullcontext():
        run(wait_for_completion=False, **arguments)
    assert imports(sim) == number


def test_retry_with_another_signature_resumes(sim, account, bucket):
    """The URL is signed for each request, and is no part of what a retry compares."""
    options = {"identifier": "email", "data_file_url": "memory://people/contacts.csv"}
    arguments = {"conn_id": account("customer_io"), "operation": "import_people", "options": options}
    store = Store(dies=lambda value: isinstance(value, dict) and bool(value.get("finished")))
    context = {"ti": TaskInstance(), "task_state_store": store}
    with pytest.raises(WorkerDiedError):
        run(context=context, allowed_failures=30, **arguments)
    store.dies = lambda _: False
    assert run(context=context, allowed_failures=30, **arguments)["succeeded"] == 970
    assert imports(sim) == bucket.signed == 1
