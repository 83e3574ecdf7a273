# SPDX-License-Identifier: Apache-2.0
"""Constant Contact over HTTP: the operators from the submit to the results, tokens, and what the vendor cuts."""

import json
from dataclasses import replace

import pytest
from face.modes import run as wait
from face.submit_cases import LISTS, books, both_modes, each_once, run, sent

from airflow_provider_bulkjobs.exceptions import AuthenticationError, BadConnectionError, JobFailedError
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobResultsOperator
from airflow_provider_bulkjobs.vendors.constant_contact import vendor

VENDOR = "constant_contact"
RECORDS = [
    {"email": "a@example.com", "birthday_month": "3", "birthday_day": "14", "cf:tea": "green"},
    {"email": "nobody"},  # can be corrected
    {"sms_number": "5081231235"},
]
COUNTS = {"items_total_count": 3, "person_count": 3, "error_count": 0, "correctable_count": 0}


@both_modes
def test_failed_contacts_are_counted_and_their_messages_returned(mode, sim, account, tmp_path):
    conn_id = account(VENDOR)
    with pytest.raises(JobFailedError, match=r"1 items failed, 0 allowed"):
        run(mode, conn_id=conn_id, records=RECORDS, options=LISTS)
    result = run(mode, conn_id=conn_id, records=RECORDS, options=LISTS, allowed_failures=1)
    assert (result["state"], result["total"], result["succeeded"], result["failed"]) == ("partially_failed", 3, 2, 1)
    stored = sim.contacts(VENDOR)[0]
    assert (stored["birthday_month"], stored["birthday_day"], stored["cf:tea"]) == (3, 14, "green")
    path = tmp_path / "messages.jsonl"
    job_id = result["jobs"][0]["job_id"]
    BulkJobResultsOperator(task_id="results", conn_id=conn_id, job_id=job_id, path=str(path)).execute({})
    [row] = map(json.loads, path.read_text().splitlines())
    assert (row["status"], row["error"]) == ("failed", "Row 1: A valid email is required.")


@both_modes
def test_contacts_who_have_unsubscribed_fail(mode, sim, account):
    status = {**COUNTS, "cannot_add_to_list_count": 2}
    job_id = sim.job(VENDOR, body={"state": "completed", "activity_errors": [], "status": status})
    with pytest.raises(JobFailedError, match=r"2 items failed, 0 allowed"):
        wait(mode, conn_id=account(VENDOR), job_id=job_id)


@both_modes
@pytest.mark.parametrize("word", ["timed_out", "failed", "cancelled"])
def test_unfinished_work_is_never_a_success(mode, word, sim, account):
    job_id = sim.job(VENDOR, states=["initialized", "processing", word], items=3)
    with pytest.raises(JobFailedError, match=word):
        wait(mode, conn_id=account(VENDOR), job_id=job_id, allowed_failures=None)


@both_modes
def test_activities_on_ids_of_contacts(mode, sim, account):
    conn_id = account(VENDOR)
    run(mode, conn_id=conn_id, records=RECORDS[:1], options=LISTS)
    [known] = [{"contact_id": each["id"]} for each in sim.contacts(VENDOR)]
    activity = {"conn_id": conn_id, "job_kind": "activities"}
    assert run(mode, operation="add_list_memberships", records=[known], options=LISTS, **activity)["succeeded"] == 1
    assert run(mode, operation="delete", records=[known], **activity)["state"] == "succeeded"
    assert not sim.contacts(VENDOR)
    with pytest.raises(JobFailedError, match=r"1 items failed, 0 allowed"):
        run(mode, operation="remove_list_memberships", records=[known], options=LISTS, **activity)


def test_nothing_is_cut_from_large_requests(sim, account):
    records = [{"email": f"{number}@example.com", "street": "x" * 250} for number in range(30_000)]
    result = run(conn_id=account(VENDOR), records=records, options=LISTS)
    assert (result["state"], result["total"], result["failed"]) == ("succeeded", 30_000, 0)
    assert books(sim, VENDOR) == each_once(30_000)
    assert len(sent(sim, VENDOR)) == 3  # the simulated vendor drops what is above 4 MB as well


@both_modes
def test_rotating_refresh_token_submits_nothing(mode, sim, account):
    sim.settings(constant_contact_refresh_tokens="rotating")
    with pytest.raises(BadConnectionError, match="cannot be stored in the connection"):
        run(mode, conn_id=account(VENDOR), records=RECORDS, options=LISTS)
    assert len(sim.requests(VENDOR)) == 1


@both_modes
def test_refresh_token_that_has_rotated_away_is_explained(mode, sim, account):
    sim.fault(VENDOR, "refresh_token_replaced")
    with pytest.raises(AuthenticationError, match=r"invalid_grant.* Long Lived refresh tokens"):
        wait(mode, conn_id=account(VENDOR), job_id=sim.job(VENDOR))


@both_modes
def test_full_queue_and_rate_limit_are_waited_for(mode, sim, account, monkeypatch):
    quick = replace(vendor.SUBMITS, pause=0.02)
    throttling = replace(vendor.ConstantContact.throttling, limits=(quick,))
    monkeypatch.setattr(vendor.ConstantContact, "throttling", throttling)
    errors = replace(vendor.ConstantContact.errors, pauses={"throttled": 0.02})
    monkeypatch.setattr(vendor.ConstantContact, "errors", errors)
    sim.fault(VENDOR, "activity_queue_full", count=1)
    sim.fault(VENDOR, "rate_limit", count=1, path="/v3/activities/")
    assert run(mode, conn_id=account(VENDOR), records=RECORDS[:1], options=LISTS)["state"] == "succeeded"
    assert len(sim.state()[VENDOR]["jobs"]) == 1
