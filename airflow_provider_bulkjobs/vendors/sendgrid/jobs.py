# SPDX-License-Identifier: Apache-2.0
"""SendGrid jobs: status, and the files with their results.

https://www.twilio.com/docs/sendgrid/api-reference/contacts/import-contacts-status
https://www.twilio.com/docs/sendgrid/api-reference/contacts/export-contacts-status
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict, object_in

DOCS_URL = "https://www.twilio.com/docs/sendgrid/api-reference/contacts"

IMPORT_STATES = States(
    "Twilio SendGrid",
    DOCS_URL,
    "status",
    {
        "pending": JobState.PENDING,  # until the end: there is no "running" state
        "completed": JobState.SUCCEEDED,
        "errored": JobState.PARTIALLY_FAILED,
        "failed": JobState.FAILED,
    },
)
EXPORT_STATES = States(
    "Twilio SendGrid",
    DOCS_URL,
    "status",
    {
        "pending": JobState.PENDING,
        "ready": JobState.SUCCEEDED,
        "failure": JobState.FAILED,
    },
)


def _count_successes(job: BulkJob, body: Mapping[str, Any]) -> BulkJob:
    """Complete the counts of a finished import; which ones there are depends on the type of job."""
    if not job.state.is_finished:
        return job
    if job.state is JobState.SUCCEEDED:
        object_in("SendGrid", body, "results")
    failed = job.failed
    if job.state in {JobState.PARTIALLY_FAILED, JobState.FAILED} and failed == 0:
        failed = None  # "errored" or "failed" with a count of 0: the number of failed items is unknown
    succeeded: int | None = None
    # "deleted_count" counts successes only for a delete; SendGrid documents it as a count of errors elsewhere.
    is_delete = body.get("job_type") == "delete" or (job.created is None and job.updated is None)
    parts = [part for part in ((job.deleted,) if is_delete else (job.created, job.updated)) if part is not None]
    if parts:
        succeeded = sum(parts)
    elif job.total is not None and failed is not None:
        succeeded = job.total - failed
    return replace(job, failed=failed, succeeded=succeeded)


# Upserts, CSV imports and deletes have the same endpoint.
import_status = StatusEndpoint(
    "/v3/marketing/contacts/imports/{job_id}",
    IMPORT_STATES,
    counts={
        "total": "results.requested_count",
        "failed": "results.errored_count",
        **{name: f"results.{name}_count" for name in ("created", "updated", "deleted")},
    },
    times={"started_at": "started_at", "finished_at": "finished_at"},
    adjust=_count_successes,
)
# Its download URLs are signed, so they are not stored in the job.
export_status = StatusEndpoint(
    "/v3/marketing/contacts/exports/{job_id}",
    EXPORT_STATES,
    counts={"total": "contact_count"},
    times={"created_at": "created_at", "finished_at": "completed_at"},
)


def import_results(account: Account, job_id: str) -> ResultsFlow:
    """Download the file of failed rows, if there is one."""
    body = yield from import_status.finished(account, job_id)
    url = as_dict(body.get("results")).get("errors_url")
    if url:
        yield Download(str(url), "failed", error_field="error", returns_records=True)
    elif failed := import_status.read(body, job_id).failed:
        raise TransientError(f"SendGrid counts {failed} failed contacts, but the response has no errors_url")


def export_results(account: Account, job_id: str) -> ResultsFlow:
    """Download the files of an export; there may be several."""
    body = yield from export_status.finished(account, job_id)
    if EXPORT_STATES.read(body)[1] != "ready":
        return
    urls = body.get("urls")
    if not isinstance(urls, list):
        raise TransientError("SendGrid returned 'ready' without the 'urls' of the files")
    for url in urls:
        path = str(url).partition("?")[0].removesuffix(".gzip").removesuffix(".gz")
        yield Download(str(url), "exported", "jsonl" if path.endswith(".json") else "csv")
