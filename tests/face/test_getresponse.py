# SPDX-License-Identifier: Apache-2.0
"""GetResponse over HTTP: imports with bad contacts, a review, and counts that do not add up."""

import logging
from dataclasses import replace

import pytest
from face import modes
from face.submit_cases import both_modes, run, sent

from airflow_provider_bulkjobs.exceptions import JobFailedError
from airflow_provider_bulkjobs.vendors.getresponse import jobs
from airflow_provider_bulkjobs.vendors.getresponse.vendor import GetResponse

LIST = {"campaignId": "z5c"}
RECORDS = [
    {"email": "a@example.com", "name": "Ada", "tag:vip": True},
    {"email": "b@example.invalid", "age": 7},
    {"email": "A@example.com"},
]
UNCOUNTED = {
    "importId": "o6gE",
    "status": "finished",
    "statistics": {"uploaded": 25, "invalid": 1, "updated": 10, "addedToList": 12},
    "createdOn": "2024-11-20T13:30:42+0000",
    "finishedOn": "2024-11-20T13:34:02+0000",
}


@both_modes
def test_import_with_bad_contacts(mode, sim, account):
    conn_id = account("getresponse")
    with pytest.raises(JobFailedError, match="2 items failed, 1 allowed"):
        run(mode, conn_id=conn_id, records=RECORDS, options=LIST, allowed_failures=1)
    result = run(mode, conn_id=conn_id, records=RECORDS, options=LIST, allowed_failures=2)
    assert result["state"] == "partially_failed"
    assert [result[name] for name in ("total", "succeeded", "failed", "created", "updated")] == [3, 1, 2, 0, 1]
    [contact] = sim.contacts("getresponse")
    assert (contact["name"], contact["tag:vip"], contact["age"]) == ("Ada", "1", "")


@both_modes
def test_counts_that_do_not_add_up_fail_the_gate(mode, sim, account):
    conn_id, job_id = account("getresponse"), sim.job("getresponse", body=UNCOUNTED)
    with pytest.raises(JobFailedError, match="the vendor does not report how many"):
        modes.run(mode, conn_id=conn_id, job_id=job_id, allowed_failures=0.5)
    result = modes.run(mode, conn_id=conn_id, job_id=job_id, allowed_failures=None)
    assert (result["state"], result["total"], result["failed"]) == ("partially_failed", 25, None)


@pytest.mark.parametrize("mode", modes.MODES)
def test_review_is_explained_once(mode, sim, account, caplog, capsys):
    caplog.set_level(logging.INFO)
    job_id = sim.job("getresponse", states=["uploaded", "to_review", "to_review", "approved", "finished"])
    result = modes.run(mode, store=modes.Store(), conn_id=account("getresponse"), job_id=job_id)
    assert result["state"] == "succeeded"
    printed = capsys.readouterr()
    logs = (caplog.text, printed.out + printed.err)  # Airflow 2, Airflow 3
    assert max(log.count(jobs.REVIEW) for log in logs) == 1


def test_rejected_import_fails(sim, account):
    job_id = sim.job("getresponse", states=["to_review", "rejected"], items=3)
    with pytest.raises(JobFailedError, match="the import is failed"):
        modes.run("poke", conn_id=account("getresponse"), job_id=job_id, allowed_failures=None)


def test_import_waits_for_another_one_into_the_list(sim, account, monkeypatch):
    monkeypatch.setattr(GetResponse, "errors", replace(GetResponse.errors, pauses={"1008": 0.1}))
    sim.fault("getresponse", "import_active", count=1)
    result = run(conn_id=account("getresponse"), records=RECORDS[:1], options=LIST)
    assert (result["state"], result["total"]) == ("succeeded", 1)
    assert len(sent(sim, "getresponse")) == 2
    assert len(sim.state()["getresponse"]["jobs"]) == 1
