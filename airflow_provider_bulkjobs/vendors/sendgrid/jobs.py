# SPDX-License-Identifier: Apache-2.0
"""SendGrid jobs: status, and the files with their results.

https://www.twilio.com/docs/sendgrid/api-reference/contacts/import-contacts-status
https://www.twilio.com/docs/sendgrid/api-reference/contacts/export-contacts-status
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.flow import Download, Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count, utc_time
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, check_counts, require_finished

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


def read_import(body: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read an import; the counts in the response depend on the type of job."""
    state, word = IMPORT_STATES.read(body)
    if state is JobState.SUCCEEDED and not isinstance(body.get("results"), dict | None):
        raise TransientError("SendGrid response has 'results' that are not an object")
    results = as_dict(body.get("results"))
    counts = [results.get(f"{name}_count") for name in ("requested", "created", "updated", "deleted", "errored")]
    check_counts("SendGrid", state, *counts)
    total, created, updated, deleted, failed = map(count, counts)
    if state in {JobState.PARTIALLY_FAILED, JobState.FAILED} and failed == 0:
        failed = None  # "errored" or "failed" with a count of 0: the number of failed items is unknown
    succeeded: int | None = None
    if state.is_finished:
        # "deleted_count" counts successes only for a delete; SendGrid documents it as a count of errors elsewhere.
        is_delete = body.get("job_type") == "delete" or (created is None and updated is None)
        parts = [part for part in ((deleted,) if is_delete else (created, updated)) if part is not None]
        if parts:
            succeeded = sum(parts)
        elif total is not None and failed is not None:
            succeeded = total - failed
    return BulkJob(
        job_id,
        state,
        word,
        total=total,
        failed=failed,
        succeeded=succeeded,
        created=created,
        updated=updated,
        deleted=deleted,
        started_at=utc_time(body.get("started_at")),
        finished_at=utc_time(body.get("finished_at")),
    )


def read_export(body: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read an export; its download URLs are signed, so they are not stored in the job."""
    return BulkJob(
        job_id,
        *EXPORT_STATES.read(body),
        total=count(body.get("contact_count")),
        created_at=utc_time(body.get("created_at")),
        finished_at=utc_time(body.get("completed_at")),
    )


def import_status(account: Account, job_id: str) -> Flow[BulkJob]:  # noqa: ARG001
    """Request an import; upserts, CSV imports and deletes have the same endpoint."""
    response = yield Request("GET", f"/v3/marketing/contacts/imports/{path_segment(job_id)}")
    return read_import(response.json, job_id)


def export_status(account: Account, job_id: str) -> Flow[BulkJob]:  # noqa: ARG001
    """Request an export."""
    response = yield Request("GET", f"/v3/marketing/contacts/exports/{path_segment(job_id)}")
    return read_export(response.json, job_id)


def import_results(account: Account, job_id: str) -> ResultsFlow:  # noqa: ARG001
    """Download the file of failed rows, if there is one."""
    body = (yield Request("GET", f"/v3/marketing/contacts/imports/{path_segment(job_id)}")).json
    require_finished(IMPORT_STATES, body)
    url = as_dict(body.get("results")).get("errors_url")
    if url:
        yield Download(str(url), "failed", error_field="error")
    elif failed := read_import(body, job_id).failed:
        raise TransientError(f"SendGrid counts {failed} failed contacts, but the response has no errors_url")


def export_results(account: Account, job_id: str) -> ResultsFlow:  # noqa: ARG001
    """Download the files of an export; there may be several."""
    body = (yield Request("GET", f"/v3/marketing/contacts/exports/{path_segment(job_id)}")).json
    if require_finished(EXPORT_STATES, body) != "ready":
        return
    urls = body.get("urls")
    if not isinstance(urls, list):
        raise TransientError("SendGrid returned 'ready' without the 'urls' of the files")
    for url in urls:
        path = str(url).partition("?")[0].removesuffix(".gzip").removesuffix(".gz")
        yield Download(str(url), "exported", "jsonl" if path.endswith(".json") else "csv")
