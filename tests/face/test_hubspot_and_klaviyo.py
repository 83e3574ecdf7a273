# SPDX-License-Identifier: Apache-2.0
"""HubSpot and Klaviyo over real HTTP: what is particular to them, from the submit to the results."""

import json

import pytest
from face.modes import run as wait
from face.submit_cases import both_modes, person, run, sent, submit

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobCancelOperator, BulkJobResultsOperator

VENDORS = {"hubspot": {"operation": "upsert"}, "klaviyo": {}}
MIXED = [person(n) for n in range(47)] + [{"email": f"bounces-{n}@example.invalid"} for n in range(3)]

both_vendors = pytest.mark.parametrize("vendor", VENDORS)


@both_modes
@both_vendors
def test_a_finished_job_with_failures_is_no_success(mode, vendor, sim, account):
    arguments = {"conn_id": account(vendor), "records": MIXED, **VENDORS[vendor]}
    result = run(mode, allowed_failures=0.06, **arguments)
    assert (result["state"], result["failed"], result["submitted"]) == ("partially_failed", 3, 50)
    assert (result["total"], result["succeeded"]) == ((None, None) if vendor == "hubspot" else (50, 47))
    with pytest.raises(errors.JobFailedError, match="3 items failed, 2 allowed"):
        run(mode, allowed_failures=2, **arguments)
    assert len(sim.contacts(vendor)) == 47  # the second import has updated them


@both_vendors
def test_failed_items_of_all_pages_are_written(vendor, sim, account, tmp_path):
    word = {"hubspot": "DONE", "klaviyo": "complete"}[vendor]
    job_id = sim.job(vendor, states=[word], items=300, failed=201)
    path = tmp_path / "results.jsonl"
    BulkJobResultsOperator(task_id="r", conn_id=account(vendor), job_id=job_id, path=str(path)).execute({})
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({json.dumps(row) for row in rows}) == 201
    assert all("A valid email is required." in row["error"] for row in rows)


@both_modes
@pytest.mark.parametrize(
    ("vendor", "word"), [("hubspot", "REVERTED"), ("hubspot", "CANCELED"), ("klaviyo", "cancelled")]
)
def test_a_job_that_was_undone_fails(mode, vendor, word, sim, account):
    with pytest.raises(errors.JobFailedError, match=word):
        wait(mode, conn_id=account(vendor), job_id=sim.job(vendor, states=[word], items=3))


def test_an_import_of_hubspot_is_canceled_once(sim, account, long_jobs):
    conn_id = account("hubspot")
    [job_id] = submit(conn_id=conn_id, operation="upsert", records=[person(1)])
    cancel = BulkJobCancelOperator(task_id="cancel", conn_id=conn_id, job_id=job_id)
    assert cancel.execute({}) == {"canceled": 1, "finished": 0, "gone": 0}
    assert hook_for(conn_id).get_job(job_id).vendor_state == "CANCELED"
    assert cancel.execute({}) == {"canceled": 0, "finished": 1, "gone": 0}


def test_companies_of_hubspot_are_matched_by_domain(sim, account):
    arguments = {"operation": "upsert", "options": {"columnObjectTypeId": "0-2"}}
    for name in ("Example", "Example Ltd"):
        run(conn_id=account("hubspot"), records=[{"domain": "example.com", "name": name}], **arguments)
    assert [each["name"] for each in sim.contacts("hubspot", kind="companies")] == ["Example Ltd"]


def test_the_line_of_a_profile_that_klaviyo_rejects_is_named(sim, account):
    records = [person(1), {"external_id": 7}]
    with pytest.raises(errors.VendorAPIError, match=r"line 2.*external_id"):
        submit(conn_id=account("klaviyo"), records=records)
    assert sim.contacts("klaviyo") == []


def test_a_revision_that_klaviyo_does_not_know_is_reported(sim, account):
    conn_id = account("klaviyo", extra={"revision": "tomorrow"})
    with pytest.raises(errors.VendorAPIError, match="is not a valid revision"):
        submit(conn_id=conn_id, records=[person(1)])
    assert len(sent(sim, "klaviyo")) == 1


@both_vendors
def test_the_connection_test_names_the_account(vendor, sim, account):
    good, message = hook_for(account(vendor)).test_connection()
    assert good, message
    assert {"hubspot": "1234567", "klaviyo": "AbC123"}[vendor] in message
