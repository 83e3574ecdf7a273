# SPDX-License-Identifier: Apache-2.0
"""Intercom jobs: status, results, and cancel of exports.

https://developers.intercom.com/docs/references/preview/rest-api/api.intercom.io/contacts
https://developers.intercom.com/docs/references/2.15/rest-api/api.intercom.io/jobs/jobsstatus
https://developers.intercom.com/docs/references/2.15/rest-api/api.intercom.io/data-export
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count, utc_time
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict, as_dicts, as_list

DOCS_URL = "https://developers.intercom.com/docs/references/rest-api/api.intercom.io"

BULK_STATES = States(
    "Intercom",
    DOCS_URL,
    "state",
    {
        "pending": JobState.PENDING,
        "running": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        # Also if every item failed: there is no separate state for that.
        "completed_with_errors": JobState.PARTIALLY_FAILED,
    },
)
JOB_STATES = States(
    "Intercom",
    DOCS_URL,
    "status",
    {
        "pending": JobState.PENDING,
        "success": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
    },
)
EXPORT_STATES = States(
    "Intercom",
    DOCS_URL,
    "status",
    {
        "pending": JobState.PENDING,
        "in_progress": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        "complete": JobState.SUCCEEDED,  # spelling on the documentation page of the download
        "no_data": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "canceled": JobState.CANCELED,
    },
)


def _read_tasks(job: BulkJob, body: Mapping[str, Any]) -> BulkJob:
    """Complete a bulk job; the items are counted per task, the failures are not counted."""
    found = as_list(body.get("tasks"))
    tasks = [as_dict(task) for task in found]
    items = [count(task.get("item_count")) for task in tasks]
    started = [time for task in tasks if (time := utc_time(task.get("started_at")))]
    state = job.state
    if state is JobState.SUCCEEDED:
        if not all(isinstance(task, dict) for task in found):
            raise TransientError("Intercom response has tasks that are not objects")
        states = {BULK_STATES.read(task)[0] for task in tasks if task.get("state") is not None}
        if not all(one.is_finished for one in states):
            state = JobState.RUNNING
        elif JobState.PARTIALLY_FAILED in states:
            state = JobState.PARTIALLY_FAILED
    return replace(
        job,
        state=state,
        total=None if None in items or not items else sum(item for item in items if item),
        started_at=min(started, default=None),
    )


def _read_no_data(job: BulkJob, _body: Mapping[str, Any]) -> BulkJob:
    """Complete a message data export; "no data" is a success with 0 items."""
    return replace(job, total=0) if job.vendor_state == "no_data" else job


def version(account: Account, default: str) -> dict[str, str]:
    """Return the header that selects the API version."""
    return {"Intercom-Version": account["api_version"] or default}


_bulk_status = partial(
    StatusEndpoint,
    states=BULK_STATES,
    times={"created_at": "created_at", "finished_at": "completed_at"},
    headers=partial(version, default="Preview"),
    adjust=_read_tasks,
)
contacts_status = _bulk_status("/contacts/bulk/{job_id}")  # creates, updates and deletes have the same endpoint
companies_status = _bulk_status("/companies/bulk/{job_id}")
# A generic job, such as an enqueued ticket: it processes one resource, and reports only its state.
job_status = StatusEndpoint("/jobs/status/{job_id}", JOB_STATES, headers=partial(version, default="2.15"))
export_status = StatusEndpoint(
    "/export/content/data/{job_id}", EXPORT_STATES, headers=partial(version, default="2.15"), adjust=_read_no_data
)


def cancel_export(account: Account, job_id: str) -> Flow[None]:
    """Cancel a message data export; the path differs from the status path."""
    yield Request("POST", f"/export/cancel/{path_segment(job_id)}", version(account, "2.15"))


def bulk_results(status: StatusEndpoint, account: Account, job_id: str) -> ResultsFlow:
    """Yield the tasks with failed items; Intercom does not report which items failed."""
    body = yield from status.finished(account, job_id)
    tasks = body.get("tasks")
    if not isinstance(tasks, list):
        raise TransientError("Intercom response has no list of tasks")
    failed = [task for task in as_dicts(tasks) if task.get("state") == "completed_with_errors"]
    if not failed and body["state"] != "completed":
        raise TransientError(f"Intercom returned {body['state']!r}, but no task with errors")
    items = [{"task_id": task.get("id"), "items": task.get("item_count")} for task in failed]
    yield [ItemResult("failed", "some or all task items failed", item) for item in items]


def job_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield the resource that a generic job created."""
    body = yield from job_status.finished(account, job_id)
    item = {name: body.get(name) for name in ("resource_type", "resource_id")}
    yield [ItemResult("created" if body["status"] == "success" else "failed", None, item)]


def export_results(account: Account, job_id: str) -> ResultsFlow:
    """Download the messages of an export from the account's own host; ``download_url`` is ignored."""
    body = yield from export_status.finished(account, job_id)
    if body["status"] in {"completed", "complete"}:
        headers = {"Accept": "application/octet-stream", **version(account, "2.15")}
        yield Download(f"/download/content/data/{path_segment(job_id)}", "exported", own=True, headers=headers)
