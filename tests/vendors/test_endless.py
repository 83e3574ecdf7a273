# SPDX-License-Identifier: Apache-2.0
"""Endless lists of errors, and too many columns: cases that a single fixture cannot show."""

from typing import Any

import pytest
from vendors.scripted import DRIVERS, Script, make_account

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.hubspot import imports as hubspot_jobs
from airflow_provider_bulkjobs.vendors.hubspot.vendor import HubSpot
from airflow_provider_bulkjobs.vendors.spec.operation import Payload, SubmitContext

DONE = {"status": 200, "body": {"state": "DONE"}}
each_driver = pytest.mark.parametrize("transport", DRIVERS)


def errors_of_hubspot(number: int) -> dict[str, Any]:
    body = {"results": [{"sourceData": {"fileId": 1, "lineNumber": number}}], "paging": {"next": {"after": number}}}
    return {"status": 200, "body": body}


def no_errors_of_hubspot(number: int) -> dict[str, Any]:
    return {"status": 200, "body": {"results": [], "paging": {"next": {"after": number}}}}


@each_driver
@pytest.mark.parametrize("page", [errors_of_hubspot, no_errors_of_hubspot])
def test_hubspot_error_pages_are_limited(
    script: Script, monkeypatch: pytest.MonkeyPatch, page: Any, transport: str
) -> None:
    monkeypatch.setattr(hubspot_jobs, "MAX_PAGES", 3)
    script.play([DONE, *map(page, range(1, 9))])
    vendor = HubSpot()
    account = make_account(vendor, script.url())
    job = DRIVERS[transport](vendor, account, lambda: hubspot_jobs.import_status(account, "7"))
    assert isinstance(job, BulkJob)
    assert (job.state, job.failed) == (JobState.PARTIALLY_FAILED, None)
    assert len(script.seen) == 1 + 3


def test_mappings_for_other_columns_are_rejected_before_sending() -> None:
    account = make_account(HubSpot(), "https://vendor.example.com")
    payload = Payload(lambda: pytest.fail("read"), 1, 1, ("email", "firstname"))
    context = SubmitContext(account, payload, {"columnMappings": [{"columnName": "email"}]})
    with pytest.raises(BadArgumentError, match="has 1 entries for 2 columns: give one"):
        next(hubspot_jobs.OPERATIONS[0].submit(context))
