# SPDX-License-Identifier: Apache-2.0
"""Intercom's jobs: how they stand, how their items fared, and how an export is stopped.

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
        # Also when every item failed: there is no word for that.
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
        "complete": JobState.SUCCEEDED,  # the spelling of the download page
        "no_data": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "canceled": JobState.CANCELED,
    },
)


def read_bulk_job(answer: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a bulk job: its tasks count the items, nothing counts the failures."""
    found = as_list(answer.get("tasks"))
    tasks = [as_dict(task) for task in found]
    items = [count(task.get("item_count")) for task in tasks]
    started = [time for task in tasks if (time := utc_time(task.get("started_at")))]
    state, word = BULK_STATES.read(answer)
    if state is JobState.SUCCEEDED:
        if not all(isinstance(task, dict) for task in found):
            raise TransientError("Intercom answered with tasks that are not objects")
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
        created_at=utc_time(answer.get("created_at")),
        started_at=min(started, default=None),
        finished_at=utc_time(answer.get("completed_at")),
    )


def _has_errors(task: Mapping[str, Any]) -> bool:
    return task.get("state") == "completed_with_errors"


def read_job(answer: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a generic job, which is about one resource and tells nothing but its state."""
    return BulkJob(job_id, *JOB_STATES.read(answer))


def read_export(answer: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a message data export; "no data" is a success with nothing in it."""
    state, word = EXPORT_STATES.read(answer)
    return BulkJob(job_id, state, word, total=0 if word == "no_data" else None)


def version(account: Account, default: str) -> dict[str, str]:
    """Return the header that asks for a version of the API."""
    return {"Intercom-Version": account["api_version"] or default}


def contacts_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Ask for a bulk contacts job; creates, updates and deletes answer alike."""
    answer = yield Request("GET", f"/contacts/bulk/{path_segment(job_id)}", version(account, "Preview"))
    return read_bulk_job(answer.json, job_id)


def companies_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Ask for a bulk companies job."""
    answer = yield Request("GET", f"/companies/bulk/{path_segment(job_id)}", version(account, "Preview"))
    return read_bulk_job(answer.json, job_id)


def job_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Ask for a generic job, such as a ticket that was enqueued."""
    answer = yield Request("GET", f"/jobs/status/{path_segment(job_id)}", version(account, "2.15"))
    return read_job(answer.json, job_id)


def export_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Ask for a message data export."""
    answer = yield Request("GET", f"/export/content/data/{path_segment(job_id)}", version(account, "2.15"))
    return read_export(answer.json, job_id)


def cancel_export(account: Account, job_id: str) -> Flow[None]:
    """Stop a message data export; the path is not below the one that tells its status."""
    yield Request("POST", f"/export/cancel/{path_segment(job_id)}", version(account, "2.15"))


def bulk_results(noun: str, account: Account, job_id: str) -> ResultsFlow:
    """Tell the tasks in which items failed; which items these were is told nowhere.

    :param noun: ``contacts`` or ``companies``.
    """
    answer = yield Request("GET", f"/{noun}/bulk/{path_segment(job_id)}", version(account, "Preview"))
    word = require_finished(BULK_STATES, answer.json)
    tasks = answer.json.get("tasks")
    if not isinstance(tasks, list):
        raise TransientError("Intercom answered without the tasks of the job")
    failed = [task for task in map(as_dict, tasks) if _has_errors(task)]
    if not failed and word != "completed":
        raise TransientError(f"Intercom answered {word!r}, but lists no task with errors")
    yield [
        ItemResult(
            "failed", "some of the task's items, or all", {"task_id": task.get("id"), "items": task.get("item_count")}
        )
        for task in failed
    ]


def job_results(account: Account, job_id: str) -> ResultsFlow:
    """Tell which resource became of a generic job."""
    answer = (yield Request("GET", f"/jobs/status/{path_segment(job_id)}", version(account, "2.15"))).json
    word = require_finished(JOB_STATES, answer)
    item = {name: answer.get(name) for name in ("resource_type", "resource_id")}
    yield [ItemResult("created" if word == "success" else "failed", None, item)]


def export_results(account: Account, job_id: str) -> ResultsFlow:
    """Download the messages of an export, from the account's own host, whatever the ``download_url`` says."""
    answer = yield Request("GET", f"/export/content/data/{path_segment(job_id)}", version(account, "2.15"))
    if require_finished(EXPORT_STATES, answer.json) in {"completed", "complete"}:
        headers = {"Accept": "application/octet-stream", **version(account, "2.15")}
        yield Download(f"/download/content/data/{path_segment(job_id)}", "exported", own=True, headers=headers)
