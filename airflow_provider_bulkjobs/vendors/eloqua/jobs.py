# SPDX-License-Identifier: Apache-2.0
"""Eloqua imports: status of the sync, counts from its logs, rejected records.

https://docs.oracle.com/en/cloud/saas/marketing/eloqua-develop/Developers/BulkAPI/Reference/reference.htm
https://docs.oracle.com/cloud/latest/marketingcs_gs/OMCAB/Developers/BulkAPI/Reference/troubleshooting.htm
https://docs.oracle.com/en/cloud/saas/marketing/eloqua-develop/Developers/GettingStarted/APIRequests/eloqua-status-codes.htm
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.protocol.flow import Flow, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.spec.body_path import text_at
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.composite_ids import CompositeId
from airflow_provider_bulkjobs.vendors.toolkit.paging import Offset, Pages, list_pages
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict

DOCS_URL = "https://docs.oracle.com/en/cloud/saas/marketing/eloqua-develop/Developers/BulkAPI/Reference/reference.htm"
API = "/api/bulk/2.0"
IMPORTS = "/contacts/imports"
SYNCS = f"{API}/syncs"
PAGE = 1000  # the maximum
MAX_LOGS, MAX_REJECTS = 10, 10_000  # pages; a sync has a log for each kind of outcome
IDS = CompositeId("Eloqua", ("import", "sync"))

TOTALS = ("ELQ-00130", "ELQ-00001")  # staged, processed
CREATED, UPDATED, REJECTED, WITH_REJECTED_FIELDS = "ELQ-00004", "ELQ-00022", "ELQ-00060", "ELQ-00144"
PROBLEMS = frozenset({"warning", "error"})
# Messages are optional. These codes end a sync.
MEANINGS = {
    "ELQ-00112": "the identifier field is not in the import",
    "ELQ-00122": "the sync stopped because of validation errors",
    "ELQ-00124": "the import has no data",
    "ELQ-00136": "the space for staged data is used up",
    "ELQ-00143": "the definition of the import was deleted",
    "ELQ-00146": "a temporary error: submit again after an hour",
}

STATES = States(
    "Eloqua",
    DOCS_URL,
    "status",
    {
        "pending": JobState.PENDING,
        "active": JobState.RUNNING,
        "success": JobState.SUCCEEDED,  # or partially failed: depends on the logs
        "warning": JobState.PARTIALLY_FAILED,  # some or all records were rejected
        "error": JobState.FAILED,
        "errored": JobState.FAILED,  # the same, on another page of the documentation
    },
)


def _check_import(job: BulkJob, sync: Mapping[str, Any]) -> BulkJob:
    uri = f"{IMPORTS}/{IDS.split(job.job_id)['import']}"
    if text_at(sync, "syncedInstanceUri") not in {uri, ""}:
        raise BadArgumentError(
            f"job_id={job.job_id!r}: this sync of Eloqua is not one of the import {uri}. Pass the id that the "
            "submitting task returned."
        )
    return job


STATUS = StatusEndpoint(
    f"{SYNCS}/{{sync}}",
    STATES,
    times={"created_at": "createdAt", "started_at": "syncStartedAt", "finished_at": "syncEndedAt"},
    ids=IDS,
    adjust=_check_import,
)


def import_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request the sync and, once it has processed the records, its logs: the status has no counts."""
    job = yield from STATUS(account, job_id)
    if job.state in {JobState.SUCCEEDED, JobState.PARTIALLY_FAILED}:
        return _with_counts(job, (yield from _details(job_id, "logs").read_all()))
    return job


def import_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield why the sync failed as a whole, and the rejected records. Those that were imported are not listed."""
    state, _ = STATES.read((yield from STATUS.finished(account, job_id)))
    if state is JobState.FAILED:
        logs = yield from _details(job_id, "logs").read_all()
        yield [_failure(log) for log in logs if log.get("severity") == "error"]
    yield from _details(job_id, "rejects").results(_failure)


def newest_syncs() -> Pages:
    """Return a page of the newest syncs of the account."""
    return _pages("syncs", f"{SYNCS}?limit={PAGE}&orderBy=createdAt%20DESC", max_pages=1)


def _details(job_id: str, name: str) -> Pages:
    max_pages = MAX_LOGS if name == "logs" else MAX_REJECTS
    return _pages(name, f"{SYNCS}/{path_segment(IDS.split(job_id)['sync'])}/{name}?limit={PAGE}", max_pages)


def _pages(name: str, path: str, max_pages: int) -> Pages:
    following = Offset(PAGE, more="hasMore", echo="offset")
    return list_pages(STATES.vendor, name, path, items="items", following=following, max_pages=max_pages)


def _with_counts(job: BulkJob, logs: list[Mapping[str, Any]]) -> BulkJob:
    """Return the job with its counts. If nothing is said to have failed after a warning, the number is unknown."""
    counts: Counter[str] = Counter()
    for log in logs:
        if (number := count(log.get("count"))) is not None:
            counts[str(log.get("statusCode"))] += number
    total = max(counts[code] for code in TOTALS)
    if not total or not counts.keys() & {CREATED, UPDATED}:
        return job.with_unknown_failures()
    succeeded = counts[CREATED] + counts[UPDATED]
    problems = [counts[str(log.get("statusCode"))] for log in logs if text_at(log, "severity") in PROBLEMS]
    lost = max(total - succeeded, counts[REJECTED]) + counts[WITH_REJECTED_FIELDS]
    failed = min(max(lost, *problems, 0), total)
    is_known = failed > 0 or job.state is JobState.SUCCEEDED
    return replace(
        job,
        total=total,
        succeeded=min(succeeded, total - failed) if is_known else None,
        failed=failed if is_known else None,
        created=counts.get(CREATED),
        updated=counts.get(UPDATED),
    )


def _failure(entry: Mapping[str, Any]) -> ItemResult:
    """Return the result of a log, or of a reject, which has the record; the message is optional."""
    code = str(entry.get("statusCode") or "")
    text = str(entry.get("message") or MEANINGS.get(code, ""))
    error = ": ".join(filter(None, [code, text])) or "no reason given"
    return ItemResult("failed", error, entry, as_dict(entry.get("fieldValues")) or None)
