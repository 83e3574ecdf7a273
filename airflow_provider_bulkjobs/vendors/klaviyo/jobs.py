# SPDX-License-Identifier: Apache-2.0
"""Klaviyo import jobs: status and errors.

https://developers.klaviyo.com/en/reference/get_bulk_import_profiles_job
https://developers.klaviyo.com/en/reference/get_errors_for_bulk_import_profiles_job
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.spec.errors import Message, read_messages
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.paging import CursorInLink, Pages, list_pages
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict

DOCS_URL = "https://developers.klaviyo.com/en/reference/get_bulk_import_profiles_job"
JOBS_PATH = "/api/profile-bulk-import-jobs"
MAX_ERRORS = 100  # per page
MAX_PAGES = 10_000  # a job has up to 10,000 profiles, and a page has at least one error

STATES = States(
    "Klaviyo",
    DOCS_URL,
    "status",
    {
        "queued": JobState.PENDING,
        "processing": JobState.RUNNING,
        "complete": JobState.SUCCEEDED,  # or partially failed: depends on the counts, or on the errors
        "cancelled": JobState.CANCELED,
    },
)


def _read_failed(job: BulkJob, attributes: Mapping[str, Any]) -> BulkJob:
    """Read the count of failures. An invalid one counts as missing: the errors are requested instead."""
    return replace(job, failed=count(attributes.get("failed_count")))


# Created and updated profiles are not counted separately.
STATUS = StatusEndpoint(
    f"{JOBS_PATH}/{{job_id}}",
    STATES,
    at="data.attributes",
    counts={"total": "total_count", "succeeded": "completed_count"},
    times={"created_at": "created_at", "started_at": "started_at", "finished_at": "completed_at"},
    adjust=_read_failed,
)


def import_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request an import and, if its counts do not prove that nothing failed, the first page of its errors."""
    job = yield from STATUS(account, job_id)
    if job.state is not JobState.SUCCEEDED or None not in (job.failed, job.succeeded):
        return job
    pages = _errors(job_id)
    errors = yield from pages.read_next()
    if errors or not pages.is_complete:
        return job.with_unknown_failures(succeeded=None)
    if job.total is None:
        raise TransientError("Klaviyo returned 'complete' without a 'total_count', which every import has")
    return replace(job, failed=0)


def import_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield the failed profiles with their errors, page by page; Klaviyo does not list the others."""
    attributes = yield from STATUS.finished(account, job_id)
    pages = _errors(job_id)
    listed_errors = 0
    while pages.has_next:
        errors = yield from pages.read_next()
        listed_errors += len(errors)
        yield [_failure(as_dict(error.get("attributes"))) for error in errors]
    pages.require_complete()
    if not listed_errors and (failed := count(attributes.get("failed_count"))):
        raise TransientError(f"Klaviyo counts {failed} failed profiles, but returned no errors for them")


def _errors(job_id: str) -> Pages:
    return list_pages(
        "Klaviyo",
        "import errors",
        f"{JOBS_PATH}/{path_segment(job_id)}/import-errors?page%5Bsize%5D={MAX_ERRORS}",
        items="data",
        following=CursorInLink("links.next", "page[cursor]"),
        max_pages=MAX_PAGES,
    )


def _failure(error: Mapping[str, Any]) -> ItemResult:
    source = as_dict(error.get("source")).get("pointer")
    message = read_messages((Message("", "title", "detail"),), error)
    payload = as_dict(error.get("original_payload"))
    return ItemResult("failed", message, payload or {"source": source}, _record(payload) if payload else None)


def _record(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a profile as it was submitted. The format of the payload is undocumented: attributes, or the profile."""
    attributes = payload.get("attributes")
    if not isinstance(attributes, dict):
        return payload
    return {**({"id": payload["id"]} if payload.get("id") else {}), **attributes}
