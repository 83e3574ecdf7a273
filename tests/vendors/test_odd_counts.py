# SPDX-License-Identifier: Apache-2.0
"""A success that is contradicted by its counts or tasks, or cannot be read, is not reported as a success."""

from typing import Any

import pytest
from vendors.scripted import DRIVERS, Script, make_account

from airflow_provider_bulkjobs.exceptions import UnknownStateError, VendorUnavailableError
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors import VENDORS

VENDOR = {vendor.conn_type: vendor for vendor in VENDORS}
NOT_COUNTS = [True, -1, "five", "-1", "", 1.5, 1e300, [], {"a": 1}]


def status(script: Script, transport: str, conn_type: str, *bodies: Any) -> Any:
    vendor = VENDOR[conn_type]
    script.play({"status": 200, "body": body} for body in bodies)
    account = make_account(vendor, script.url())
    return DRIVERS[transport](vendor, account, lambda: vendor.kinds[0].status(account, "j-1"))


@pytest.mark.parametrize("value", NOT_COUNTS, ids=repr)
@pytest.mark.parametrize("name", ["requested_count", "errored_count", "created_count"])
def test_sendgrid_success_with_unreadable_count_is_retried(script: Script, name: str, value: Any) -> None:
    body = {"status": "completed", "results": {"created_count": 3, name: value}}
    assert isinstance(status(script, "requests", "sendgrid", body), VendorUnavailableError)


@pytest.mark.parametrize("results", ["none", 0, [], [{"errored_count": 2}], True], ids=repr)
@pytest.mark.parametrize("transport", DRIVERS)
def test_sendgrid_success_with_unreadable_results_is_retried(script: Script, transport: str, results: Any) -> None:
    outcome = status(script, transport, "sendgrid", {"status": "completed", "results": results})
    assert isinstance(outcome, VendorUnavailableError)


def test_unreadable_count_of_unfinished_job_is_ignored(script: Script) -> None:
    job = status(script, "requests", "sendgrid", {"status": "pending", "results": {"requested_count": ""}})
    assert job == BulkJob("j-1", JobState.PENDING, "pending")


@pytest.mark.parametrize("value", NOT_COUNTS, ids=repr)
@pytest.mark.parametrize("name", ["total_count", "completed_count"])
def test_klaviyo_success_with_unreadable_count_is_retried(script: Script, name: str, value: Any) -> None:
    counts = {"total_count": 5, "completed_count": 5, "failed_count": 0, name: value}
    body = {"data": {"attributes": {"status": "complete", **counts}}}
    assert isinstance(status(script, "requests", "klaviyo", body), VendorUnavailableError)


@pytest.mark.parametrize("tasks", ["none", 3, ["task"], [None], True], ids=repr)
def test_intercom_success_with_unreadable_tasks_is_retried(script: Script, tasks: Any) -> None:
    outcome = status(script, "requests", "intercom", {"state": "completed", "tasks": tasks})
    assert isinstance(outcome, VendorUnavailableError)


@pytest.mark.parametrize("word", ["failed", ["completed_with_errors"], True, {"state": "completed"}], ids=repr)
def test_intercom_undocumented_task_state_is_an_error(script: Script, word: Any) -> None:
    outcome = status(script, "requests", "intercom", {"state": "completed", "tasks": [{"state": word}]})
    assert isinstance(outcome, UnknownStateError)


@pytest.mark.parametrize("word", ["pending", "running"])
def test_intercom_job_with_unfinished_task_is_still_running(script: Script, word: str) -> None:
    tasks = [{"state": "completed_with_errors"}, {"state": word}]
    job = status(script, "requests", "intercom", {"state": "completed", "tasks": tasks})
    assert (job.state, job.vendor_state) == (JobState.RUNNING, "completed")
