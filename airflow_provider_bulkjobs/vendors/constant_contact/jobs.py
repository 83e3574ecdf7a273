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

from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.spec.errors import Message
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.listed_items import ListedItems, listed_results
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, object_in

DOCS_URL = "https://developer.constantcontact.com/api_guide/activity_status.html"
ACTIVITIES = "/v3/activities"
COMPLETED = "completed"
TOTAL, DONE = "items_total_count", "items_completed_count"
# Rows with errors, rows with errors that can be corrected in the web UI, and contacts who have unsubscribed.
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
    """Return the job with its result, which only a completed activity has.

    The result is unknown without the needed counts, or if there are messages but no failed items.

    :raises TransientError: the counts are not an object.
    """
    if job.vendor_state != COMPLETED:
        return replace(job, succeeded=None, failed=None)
    counts = object_in(STATES.vendor, activity, "status")
    if all(counts.get(name) is not None for name in needed):
        if job.succeeded is None and job.total is not None:
            # An import need not have this count; other activities do not have those of failures.
            done = count(counts.get(DONE))
            job = replace(job, succeeded=max((job.total if done is None else done) - (job.failed or 0), 0))
        has_no_contact = job.total and counts.get("person_count") == 0
        if job.failed or not (activity.get("activity_errors") or has_no_contact):
            return job
    return job.with_unknown_failures(succeeded=None)


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
MESSAGES = ListedItems("activity_errors", "failed", (Message("message"),), key="message")
activity_results = listed_results(IMPORTS, MESSAGES)
