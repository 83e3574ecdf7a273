# SPDX-License-Identifier: Apache-2.0
"""Klaviyo import jobs: status and errors.

https://developers.klaviyo.com/en/reference/get_bulk_import_profiles_job
https://developers.klaviyo.com/en/reference/get_errors_for_bulk_import_profiles_job
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count, utc_time
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.paging import Pages
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, check_counts, request_details, require_finished

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


def _attributes(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return as_dict(as_dict(body.get("data")).get("attributes"))


def read_import(body: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read the state and the counts of an import; created and updated profiles are not counted separately."""
    attributes = _attributes(body)
    state, word = STATES.read(attributes)
    # An odd "failed_count" is a missing one: the errors are asked for instead.
    check_counts("Klaviyo", state, attributes.get("total_count"), attributes.get("completed_count"))
    return BulkJob(
        job_id,
        state,
        word,
        total=count(attributes.get("total_count")),
        succeeded=count(attributes.get("completed_count")) if state.is_finished else None,
        failed=count(attributes.get("failed_count")),
        created_at=utc_time(attributes.get("created_at")),
        started_at=utc_time(attributes.get("started_at")),
        finished_at=utc_time(attributes.get("completed_at")),
    )


def import_status(account: Account, job_id: str) -> Flow[BulkJob]:  # noqa: ARG001
    """Request an import and, if it has no count of failures, the first page of its errors."""
    job = read_import((yield Request("GET", _path(job_id))).json, job_id)
    if job.state is not JobState.SUCCEEDED or job.failed is not None:
        return job
    errors, cursor = yield from _read_errors(job_id)
    if errors or cursor is not None:
        return replace(job, state=JobState.PARTIALLY_FAILED, succeeded=None)
    if job.total is None:
        raise TransientError("Klaviyo returned 'complete' without a 'total_count', which every import has")
    return replace(job, failed=0)


def import_results(account: Account, job_id: str) -> ResultsFlow:  # noqa: ARG001
    """Yield the failed profiles with their errors, page by page; Klaviyo does not list the others."""
    attributes = _attributes((yield Request("GET", _path(job_id))).json)
    require_finished(STATES, attributes)
    pages = Pages("Klaviyo: the list of import errors", partial(_read_errors, job_id), max_pages=MAX_PAGES)
    listed_errors = 0
    while pages.has_next:
        errors = yield from pages.read_next()
        listed_errors += len(errors)
        yield [_failure(as_dict(as_dict(error).get("attributes"))) for error in errors]
    pages.require_complete()
    if not listed_errors and (failed := count(attributes.get("failed_count"))):
        raise TransientError(f"Klaviyo counts {failed} failed profiles, but returned no errors for them")


def _path(job_id: str) -> str:
    return f"{JOBS_PATH}/{path_segment(job_id)}"


def _read_errors(job_id: str, cursor: str = "") -> Flow[tuple[list[Any], str | None]]:
    """Request a page of errors; return them, and the cursor of the next page."""
    more = f"&page%5Bcursor%5D={quote(cursor, safe='')}" if cursor else ""
    page = yield from request_details(STATES.vendor, f"{_path(job_id)}/import-errors?page%5Bsize%5D={MAX_ERRORS}{more}")
    if not isinstance(page.get("data"), list):
        raise TransientError("Klaviyo response has no list of import errors")
    return page["data"], _next_cursor(page)


def _failure(error: Mapping[str, Any]) -> ItemResult:
    source = as_dict(error.get("source")).get("pointer")
    messages = [str(error[key]) for key in ("title", "detail") if error.get(key)]
    return ItemResult(
        "failed", ": ".join(messages) or None, as_dict(error.get("original_payload")) or {"source": source}
    )


def _next_cursor(page: Mapping[str, Any]) -> str | None:
    """Return the cursor of the next page; the link itself is not followed, as it may lead to another host."""
    links = page.get("links")
    link = links.get("next") if isinstance(links, dict) else links
    if link is None:
        return None
    cursors = parse_qs(link.partition("?")[2]).get("page[cursor]") if isinstance(link, str) else None
    if not cursors:
        raise TransientError("Klaviyo response has a link to the next page of errors without a cursor")
    return cursors[0]
