# SPDX-License-Identifier: Apache-2.0
"""Constant Contact activities: status, and the messages about failed rows.

https://developer.constantcontact.com/api_guide/activity_status.html
https://developer.constantcontact.com/api_reference/index.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.listed_items import ListedItems, listed_results
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict

DOCS_URL = "https://developer.constantcontact.com/api_guide/activity_status.html"
ACTIVITIES = "/v3/activities"
COMPLETED = "completed"
TOTAL, DONE = "items_total_count", "items_completed_count"
# Rows that nobody can correct, rows that can be corrected in the web UI, and contacts who have unsubscribed before.
FAILURES = ("error_count", "correctable_count", "cannot_add_to_list_count")

STATES = States(
    "Constant Contact",
    DOCS_URL,
    "state",
    {
        "initialized": JobState.PENDING,
        "processing": JobState.RUNNING,
        COMPLETED: JobState.SUCCEEDED,  # or partially failed: depends on the counts
        "cancelled": JobState.CANCELED,
        "failed": JobState.FAILED,
        "timed_out": JobState.FAILED,  # it is unconfirmed which rows were imported before
    },
)


def _read_counts(needed: tuple[str, ...], job: BulkJob, activity: Mapping[str, Any]) -> BulkJob:
    """Return the job with its result, which is unknown without the needed counts, or if they are no explanation.

    An activity that was not completed does not tell what it has done.
    """
    if job.vendor_state != COMPLETED:
        return replace(job, succeeded=None, failed=None)
    if not isinstance(activity.get("status"), dict | None):
        raise TransientError(f"{STATES.vendor} returned a 'status' that is not an object")
    counts = as_dict(activity.get("status"))
    has_no_contact = job.total and counts.get("person_count") == 0
    is_unexplained = not job.failed and (activity.get("activity_errors") or has_no_contact)
    if is_unexplained or any(counts.get(name) is None for name in needed):
        return replace(job, state=JobState.PARTIALLY_FAILED, succeeded=None, failed=None)
    if job.succeeded is not None:
        return job
    done = count(counts.get(DONE))  # imports need not have it; other activities have no count of failures
    done = job.total if done is None else done
    return replace(job, succeeded=None if done is None else max(done - (job.failed or 0), 0))


def _status(*needed: str) -> StatusEndpoint:
    return StatusEndpoint(
        f"{ACTIVITIES}/{{job_id}}",
        STATES,
        counts={
            "total": f"status.{TOTAL}",
            "processed": f"status.{DONE}",
            "failed": tuple(f"status.{name}" for name in FAILURES),
        },
        times={"created_at": "created_at", "started_at": "started_at", "finished_at": "completed_at"},
        adjust=partial(_read_counts, needed),
    )


IMPORTS = _status(TOTAL, *FAILURES)
OTHERS = _status(TOTAL, DONE)  # without the counts of failures, unless they are there

# Constant Contact lists no rows, only messages: as text, or as objects with the text in ``message``.
activity_results = listed_results(IMPORTS, ListedItems("activity_errors", "failed", ("message",), key="message"))
