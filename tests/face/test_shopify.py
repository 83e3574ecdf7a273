# SPDX-License-Identifier: Apache-2.0
"""Shopify over HTTP: verdict and results of an operation, the limit of operations at a time, a retired version."""

import json
from collections import Counter

import pytest
from face.submit_cases import both_modes, run, submit

from airflow_provider_bulkjobs.exceptions import BadConnectionError, JobFailedError
from airflow_provider_bulkjobs.http import retry
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator
from airflow_provider_bulkjobs.operators.cancel import BulkJobCancelOperator
from airflow_provider_bulkjobs.vendors.shopify.vendor import Shopify
from airflow_provider_bulkjobs.vendors.toolkit import signed_files

NAME = "shopify"
RECORDS = [
    {"email": "a@example.com", "firstName": "Ada", "tags": ["a", "b"]},
    {"email": "b@example.invalid", "firstName": 'Bob "B"\nJr.'},
    {"email": "c@example.com", "firstName": "Zoë"},
]
UPSERT = {"operation": "upsert", "records": RECORDS}
CREATE = {"operation": "create", "records": RECORDS}


def posts(sim):
    return [each for each in sim.requests(NAME) if "graphql.json" in each.path_qs]


def states(sim):
    return Counter(job["state"] for job in sim.state()[NAME]["jobs"])


@both_modes
def test_verdict_is_what_was_booked(mode, sim, account):
    arguments = {"conn_id": account(NAME), **UPSERT}
    with pytest.raises(JobFailedError, match="1 items failed, 0 allowed"):
        run(mode, **arguments)
    result = run(mode, **arguments, allowed_failures=1)
    assert result["state"] == "partially_failed"
    assert [result[name] for name in ("submitted", "total", "succeeded", "failed")] == [3, 3, 2, 1]
    assert {each["email"] for each in sim.contacts(NAME)} == {"a@example.com", "c@example.com"}


@both_modes
def test_results_are_read_in_pieces(mode, sim, account, monkeypatch):
    monkeypatch.setattr(signed_files, "PIECE", 1000)
    records = [{"email": f"person-{number}@example.{'com' if number % 4 else 'invalid'}"} for number in range(100)]
    result = run(mode, conn_id=account(NAME), operation="upsert", records=records, allowed_failures=0.25)
    assert [result[name] for name in ("total", "succeeded", "failed")] == [100, 75, 25]
    files = [each for each in sim.requests(NAME) if "-downloads/" in each.path_qs]
    assert len(files) > 9


@both_modes
@pytest.mark.parametrize("fault", ["half_body", "server_error", "reset"])
def test_file_that_cannot_be_read_is_read_again(mode, fault, sim, account, quick_retries):
    sim.fault(NAME, fault, path="-downloads/", count=1)
    result = run(mode, conn_id=account(NAME), **UPSERT, allowed_failures=1)
    assert [result[name] for name in ("total", "succeeded", "failed")] == [3, 2, 1]


@pytest.mark.parametrize("after", [True, False], ids=["arrived", "lost"])
@pytest.mark.parametrize("fault", ["reset", "server_error"])
def test_upload_is_repeated(after, fault, sim, account, quick_retries):
    sim.fault(NAME, fault, path="/shopify-staged", count=1, after=after)
    submit(conn_id=account(NAME), **CREATE)
    assert len(sim.state()[NAME]["jobs"]) == 1
    assert len(sim.contacts(NAME)) == 2


def test_token_is_sent_to_the_shop_only(sim, account):
    run(conn_id=account(NAME), **UPSERT, allowed_failures=1)
    elsewhere = [each for each in sim.requests(NAME) if "graphql.json" not in each.path_qs]
    assert [each.method for each in elsewhere] == ["POST", "GET"]  # the upload, and the file of results
    assert all("x-shopify-access-token" not in each.headers for each in elsewhere)
    assert all("x-shopify-access-token" in each.headers for each in posts(sim))


def test_results_have_the_lines(sim, account, tmp_path):
    conn_id = account(NAME)
    job_id = run(conn_id=conn_id, **CREATE, allowed_failures=1)["jobs"][0]["job_id"]
    assert job_id.startswith("gid://shopify/BulkOperation/")
    path = tmp_path / "rows.jsonl"
    BulkJobResultsOperator(task_id="results", conn_id=conn_id, job_id=job_id, path=str(path)).execute({})
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["status"], row["item"]["__lineNumber"]) for row in rows] == [
        *(("created", 0), ("failed", 1), ("created", 2))
    ]
    assert rows[1]["error"] == "A valid email is required."


@pytest.mark.parametrize("limit", [1, 5])
def test_submit_waits_until_another_operation_has_ended(limit, sim, account, monkeypatch, long_jobs):
    sim.settings(shopify_operations=str(limit))
    conn_id = account(NAME)
    running = [submit(conn_id=conn_id, **CREATE)[0] for _ in range(limit)]

    def backoff(*_):
        sim.expire(running[0])
        return 0.01

    monkeypatch.setattr(retry.random, "uniform", backoff)
    monkeypatch.setitem(Shopify.errors.pauses, "OPERATION_IN_PROGRESS", 0.01)
    [job_id] = submit(conn_id=conn_id, **CREATE)
    assert job_id not in running
    assert len(posts(sim)) == 2 * limit + 3  # only the start was sent again


def test_retired_version_is_told_before_anything_is_imported(sim, account):
    sim.settings(shopify_version="2027-07")
    with pytest.raises(BadConnectionError, match=r"2026-10, which Shopify has retired.*version 2027-07"):
        submit(conn_id=account(NAME), **UPSERT)
    assert sim.state()[NAME]["jobs"] == []


@both_modes
def test_token_of_client_credentials(mode, sim, account):
    extra = {"auth_type": "client_credentials", "requests_per_second": 0}
    conn_id = account(NAME, login="shopify-client", password="shopify-secret", extra=extra)
    assert run(mode, conn_id=conn_id, **UPSERT, allowed_failures=1)["succeeded"] == 2
    assert sim.state()[NAME]["tokens_issued"] >= 1


def test_running_operation_is_canceled(sim, account):
    sim.settings(job_seconds=60)
    conn_id = account(NAME)
    [job_id] = submit(conn_id=conn_id, **UPSERT)
    BulkJobCancelOperator(task_id="cancel", conn_id=conn_id, job_id=job_id).execute({})
    assert states(sim) == {"CANCELED": 1}
