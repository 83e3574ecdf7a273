# SPDX-License-Identifier: Apache-2.0
"""Omnisend batches: status, by the list that all waits of an account share, and the results of the items.

https://api-docs.omnisend.com/reference/get_batches
https://api-docs.omnisend.com/reference/get_batches-batchid
https://api-docs.omnisend.com/reference/get_batches-batchid-items
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.omnisend.contacts import to_record
from airflow_provider_bulkjobs.vendors.spec.body_path import text_at
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.listed_items import ListedItems
from airflow_provider_bulkjobs.vendors.toolkit.paging import Offset, list_pages
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict, request_details

DOCS_URL = "https://api-docs.omnisend.com/reference/get_batches-batchid"
BATCHES = "/api/batches"
PAGE = 100  # Omnisend's default; whether a listed batch has its items is undocumented, which would make it large
MAX_PAGES = 20  # the order is undocumented; after that, the batch itself is cheaper to request
MAX_AGE = 10.0  # seconds; the list takes a few of the 400 requests per minute
UNLIMITED_MAX_AGE = 0.5  # if the client-side limit is disabled

ERRORS = Errors(
    messages=(
        Message("", "title", "detail"),
        Message("errors", "field", "message"),
        Message("", "error"),  # of items, in an older version of the API
        Message("fields.*"),
    ),
    codes=("status",),
    hints={
        "403": "A wrong key may have the same response.",
        "410": "Omnisend has retired the version of its API: set the field 'api_version' (API version) to a newer one.",
    },
)
STATES = States(
    "Omnisend",
    DOCS_URL,
    "status",
    {
        "pending": JobState.PENDING,
        "inProgress": JobState.RUNNING,
        "finished": JobState.SUCCEEDED,  # or partially failed: depends on the counts
        "stopped": JobState.FAILED,  # too many errors
    },
)


def _require_counts(job: BulkJob, batch: Mapping[str, Any]) -> BulkJob:  # noqa: ARG001
    """Without all counts, it is unknown what a finished batch has done."""
    if job.state is JobState.SUCCEEDED and not (job.total and job.succeeded is not None):
        return job.with_unknown_failures(succeeded=None)
    return job


STATUS = StatusEndpoint(
    f"{BATCHES}/{{job_id}}",
    STATES,
    counts={"total": "totalCount", "processed": "finishedCount", "failed": "errorsCount"},
    times={"created_at": "createdAt", "started_at": "startedAt", "finished_at": "endedAt"},
    adjust=_require_counts,
)
LISTS = (ListedItems("responses", ""), ListedItems("errors", ""))


def batch_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Look up a batch in the list of batches; request it if the list does not have it, or has no counts at its end."""
    pages = list_pages(
        STATES.vendor,
        "batches",
        f"{BATCHES}?endpoint=contacts&limit={PAGE}",
        items="batches",
        following=Offset(PAGE),
        max_pages=MAX_PAGES,
        max_age=MAX_AGE if account["requests_per_second"] else UNLIMITED_MAX_AGE,
    )
    while pages.has_next:
        batches = yield from pages.read_next()
        found = next((each for each in batches if each.get("batchID") == job_id), None)
        if found is not None:
            job = STATUS.read(found, job_id)
            if not job.state.is_finished or job.failed is not None:
                return job
            break
    return (yield from STATUS(account, job_id))


def batch_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield the results of all items. Whether failed ones are in one or both of the lists is undocumented.

    :raises TransientError: fewer items are listed as failed than the batch counts.
    """
    counted = count((yield from STATUS.finished(account, job_id)).get("errorsCount")) or 0
    batch = yield from request_details(STATES.vendor, f"{BATCHES}/{path_segment(job_id)}/items")
    items = [as_dict(item) for each in LISTS for item in each.values(batch, STATES.vendor)]
    distinct = {text_at(item, "itemID") or number: item for number, item in enumerate(items)}
    results = [_read_item(item) for item in distinct.values()]
    listed = sum(result.status == "failed" for result in results)
    if listed < counted:
        raise TransientError(f"Omnisend counts {counted} failed items, but lists {listed}")
    yield results


def _read_item(item: Mapping[str, Any]) -> ItemResult:
    status, contact = count(item.get("responseCode")), item.get("request")
    if status is not None and 200 <= status < 300:
        return ItemResult({200: "updated", 201: "created"}.get(status, "succeeded"), None, item)
    error = ERRORS.text(item.get("response")) or (None if status else "not executed")
    return ItemResult("failed", error, item, to_record(contact) if isinstance(contact, dict) else None)
