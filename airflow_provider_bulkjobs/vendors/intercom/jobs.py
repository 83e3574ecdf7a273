# SPDX-License-Identifier: Apache-2.0
"""Intercom jobs: status, results, and cancel of exports.

https://developers.intercom.com/docs/references/preview/rest-api/api.intercom.io/contacts
https://developers.intercom.com/docs/references/2.15/rest-api/api.intercom.io/jobs/jobsstatus
https://developers.intercom.com/docs/references/2.15/rest-api/api.intercom.io/data-export
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.flow import Download, Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count, utc_time
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, as_list, require_finished

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


def read_bulk_job(body: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a bulk job; the items are counted per task, the failures are not counted."""
    found = as_list(body.get("tasks"))
    tasks = [as_dict(task) for task in found]
    items = [count(task.get("item_count")) for task in tasks]
    started = [time for task in tasks if (time := utc_time(task.get("started_at")))]
    state, word = BULK_STATES.read(body)
    if state is JobState.SUCCEEDED:
        if not all(isinstance(task, dict) for task in found):
            raise TransientError("Intercom response has tasks that are not objects")
        states = {BULK_STATES.read(task)[0] for task in tasks if task.get("state") is not None}
        if not all(one.is_finished for one in states):
            state = JobState.RUNNING
        elif JobState.PARTIALLY_FAILED in states:
            state = JobState.PARTIALLY_FAILED
    return BulkJob(
        job_id,
        state,
        word,
        total=None if None in items or not items else sum(item for item in items if item),
        created_at=utc_time(body.get("created_at")),
        started_at=min(started, default=None),
        finished_at=utc_time(body.get("completed_at")),
    )


def _has_errors(task: Mapping[str, Any]) -> bool:
    return task.get("state") == "completed_with_errors"


def read_job(body: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a generic job, which processes one resource and reports only its state."""
    return BulkJob(job_id, *JOB_STATES.read(body))


def read_export(body: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a message data export; "no data" is a success with 0 items."""
    state, word = EXPORT_STATES.read(body)
    return BulkJob(job_id, state, word, total=0 if word == "no_data" else None)


def version(account: Account, default: str) -> dict[str, str]:
    """Return the header that selects the API version."""
    return {"Intercom-Version": account["api_version"] or default}


def contacts_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request a bulk contacts job; creates, updates and deletes have the same endpoint."""
    response = yield Request("GET", f"/contacts/bulk/{path_segment(job_id)}", version(account, "Preview"))
    return read_bulk_job(response.json, job_id)


def companies_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request a bulk companies job."""
    response = yield Request("GET", f"/companies/bulk/{path_segment(job_id)}", version(account, "Preview"))
    return read_bulk_job(response.json, job_id)


def job_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request a generic job, such as an enqueued ticket."""
    response = yield Request("GET", f"/jobs/status/{path_segment(job_id)}", version(account, "2.15"))
    return read_job(response.json, job_id)


def export_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request a message data export."""
    response = yield Request("GET", f"/export/content/data/{path_segment(job_id)}", version(account, "2.15"))
    return read_export(response.json, job_id)


def cancel_export(account: Account, job_id: str) -> Flow[None]:
    """Cancel a message data export; the path differs from the status path."""
    yield Request("POST", f"/export/cancel/{path_segment(job_id)}", version(account, "2.15"))


def bulk_results(noun: str, account: Account, job_id: str) -> ResultsFlow:
    """Yield the tasks with failed items; Intercom does not report which items failed.

    :param noun: ``contacts`` or ``companies``.
    """
    response = yield Request("GET", f"/{noun}/bulk/{path_segment(job_id)}", version(account, "Preview"))
    word = require_finished(BULK_STATES, response.json)
    tasks = response.json.get("tasks")
    if not isinstance(tasks, list):
        raise TransientError("Intercom response has no list of tasks")
    failed = [task for task in map(as_dict, tasks) if _has_errors(task)]
    if not failed and word != "completed":
        raise TransientError(f"Intercom returned {word!r}, but no task with errors")
    yield [
        ItemResult(
            "failed",
            "some or all task items failed",
            {"task_id": task.get("id"), "items": task.get("item_count")},
        )
        for task in failed
    ]


def job_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield the resource that a generic job created."""
    body = (yield Request("GET", f"/jobs/status/{path_segment(job_id)}", version(account, "2.15"))).json
    word = require_finished(JOB_STATES, body)
    item = {name: body.get(name) for name in ("resource_type", "resource_id")}
    yield [ItemResult("created" if word == "success" else "failed", None, item)]


def export_results(account: Account, job_id: str) -> ResultsFlow:
    """Download the messages of an export from the account's own host; ``download_url`` is ignored."""
    response = yield Request("GET", f"/export/content/data/{path_segment(job_id)}", version(account, "2.15"))
    if require_finished(EXPORT_STATES, response.json) in {"completed", "complete"}:
        headers = {"Accept": "application/octet-stream", **version(account, "2.15")}
        yield Download(f"/download/content/data/{path_segment(job_id)}", "exported", own=True, headers=headers)
