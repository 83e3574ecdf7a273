# SPDX-License-Identifier: Apache-2.0
"""SendGrid's jobs: how they stand, and where the files about their items are.

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
        "pending": JobState.PENDING,  # the whole run: there is no word for "running"
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


def read_import(answer: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read an import: counts are there or not, depending on the type of job."""
    state, word = IMPORT_STATES.read(answer)
    if state is JobState.SUCCEEDED and not isinstance(answer.get("results"), dict | None):
        raise TransientError("SendGrid answered with 'results' that are not an object")
    results = as_dict(answer.get("results"))
    counts = [results.get(f"{name}_count") for name in ("requested", "created", "updated", "deleted", "errored")]
    check_counts("SendGrid", state, *counts)
    total, created, updated, deleted, failed = map(count, counts)
    if state in {JobState.PARTIALLY_FAILED, JobState.FAILED} and failed == 0:
        failed = None  # "errored" or "failed" with nothing counted: how many items failed is not known
    succeeded: int | None = None
    if state.is_finished:
        # "deleted_count" is a success only of a delete: SendGrid describes it as a count of errors elsewhere.
        is_delete = answer.get("job_type") == "delete" or (created is None and updated is None)
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
        started_at=utc_time(answer.get("started_at")),
        finished_at=utc_time(answer.get("finished_at")),
    )


def read_export(answer: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read an export; its file addresses are signed, so they stay out of the job."""
    return BulkJob(
        job_id,
        *EXPORT_STATES.read(answer),
        total=count(answer.get("contact_count")),
        created_at=utc_time(answer.get("created_at")),
        finished_at=utc_time(answer.get("completed_at")),
    )


def import_status(account: Account, job_id: str) -> Flow[BulkJob]:  # noqa: ARG001
    """Ask for an import; an upsert, a CSV file and a delete answer at the same place."""
    answer = yield Request("GET", f"/v3/marketing/contacts/imports/{path_segment(job_id)}")
    return read_import(answer.json, job_id)


def export_status(account: Account, job_id: str) -> Flow[BulkJob]:  # noqa: ARG001
    """Ask for an export."""
    answer = yield Request("GET", f"/v3/marketing/contacts/exports/{path_segment(job_id)}")
    return read_export(answer.json, job_id)


def import_results(account: Account, job_id: str) -> ResultsFlow:  # noqa: ARG001
    """Download the file of failed rows, where there is one."""
    answer = (yield Request("GET", f"/v3/marketing/contacts/imports/{path_segment(job_id)}")).json
    require_finished(IMPORT_STATES, answer)
    url = as_dict(answer.get("results")).get("errors_url")
    if url:
        yield Download(str(url), "failed", error_field="error")
    elif failed := read_import(answer, job_id).failed:
        raise TransientError(f"SendGrid counts {failed} failed contacts, but names no file with them")


def export_results(account: Account, job_id: str) -> ResultsFlow:  # noqa: ARG001
    """Download the files of an export, of which there may be several."""
    answer = (yield Request("GET", f"/v3/marketing/contacts/exports/{path_segment(job_id)}")).json
    if require_finished(EXPORT_STATES, answer) != "ready":
        return
    urls = answer.get("urls")
    if not isinstance(urls, list):
        raise TransientError("SendGrid answered 'ready' without the addresses of the files")
    for url in urls:
        path = str(url).partition("?")[0].removesuffix(".gzip").removesuffix(".gz")
        yield Download(str(url), "exported", "jsonl" if path.endswith(".json") else "csv")
