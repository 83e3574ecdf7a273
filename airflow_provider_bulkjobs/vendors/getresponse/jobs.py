# SPDX-License-Identifier: Apache-2.0
"""GetResponse imports: status.

https://apireference.getresponse.com/#operation/getImportById
https://faq.getresponse360.com (what the counters mean)
https://github.com/GetResponse/public-api-agent-skills (imports: the first counts may be incomplete)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_bulkjobs.protocol.flow import Flow, Response
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict, object_in

DOCS_URL = "https://apireference.getresponse.com/#operation/getImportById"
IMPORTS = "/v3/imports"
COUNTS_COMPLETE_AFTER = 600.0  # seconds after the end; GetResponse's own advice is to look again for ten minutes
COUNTING = "finished (counts incomplete)"  # what a wait shows meanwhile
REVIEW = "GetResponse checks the quality of the list, possibly a person does, so this may take days"

STATES = States(
    "GetResponse",
    DOCS_URL,
    "status",
    {  # the documentation lists the words without their meaning
        "uploaded": JobState.PENDING,
        "to_review": JobState.PENDING,
        "review": JobState.PENDING,
        "approved": JobState.RUNNING,
        "finished": JobState.SUCCEEDED,  # or partially failed: depends on the counts
        "rejected": JobState.FAILED,
        "canceled": JobState.CANCELED,
    },
    remarks={"to_review": REVIEW, "review": REVIEW},
)


def _compare_counts(job: BulkJob, found: Mapping[str, Any]) -> BulkJob:
    """An import whose counts do not add up has contacts of unknown outcome: GetResponse drops some without counting."""
    loaded = None if job.created is None or job.updated is None else job.created + job.updated
    if job.state in {JobState.FAILED, JobState.CANCELED}:
        return replace(job, succeeded=loaded)
    # It is unconfirmed whether "finished" always follows "approved".
    if not job.state.is_finished and not (job.state is JobState.RUNNING and job.finished_at):
        return job
    object_in(STATES.vendor, found, "statistics")
    reasons = sum(count(number) or 0 for number in as_dict(found.get("errorStatistics")).values())
    adds_up = job.failed is not None and loaded is not None and job.failed + loaded == job.total
    if adds_up and job.total and reasons <= (job.failed or 0):
        return replace(job, state=JobState.SUCCEEDED, succeeded=loaded)  # or partially failed, if any are invalid
    return job.with_unknown_failures(succeeded=None)


STATUS = StatusEndpoint(
    f"{IMPORTS}/{{job_id}}",
    STATES,
    counts={
        "total": "statistics.uploaded",
        "failed": "statistics.invalid",
        "created": "statistics.addedToList",
        "updated": "statistics.updated",
    },
    times={"created_at": "createdOn", "finished_at": "finishedOn"},
    adjust=_compare_counts,
)


def import_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request an import. Counts that do not add up yet are not final before ten minutes have passed since its end."""
    response = yield STATUS.request(account, job_id)
    job = STATUS.read(response.json, job_id)
    is_unknown = job.state is JobState.PARTIALLY_FAILED and job.failed is None
    if is_unknown and abs(_seconds_since(job.finished_at, response)) < COUNTS_COMPLETE_AFTER:
        return replace(job, state=JobState.RUNNING, vendor_state=COUNTING, finished_at=None)
    return job


def _seconds_since(time: str | None, response: Response) -> float:
    """Return the seconds from a time to that of a response, by the vendor's clock; infinite if either is missing."""
    try:
        now = parsedate_to_datetime(response.headers["date"])
        return (now - datetime.fromisoformat(time or "")).total_seconds()
    except (KeyError, TypeError, ValueError):
        return float("inf")
