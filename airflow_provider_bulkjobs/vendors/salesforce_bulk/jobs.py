# SPDX-License-Identifier: Apache-2.0
"""Salesforce ingest jobs: status, results, abort.

https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-job-states.html
https://developer.salesforce.com/docs/platform/api-asynch/guide/get-job-info.html
https://developer.salesforce.com/docs/platform/api-asynch/guide/get-job-failed-results.html
https://developer.salesforce.com/docs/platform/api-asynch/guide/abort-job.html
"""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError, UntrustedResponseError
from airflow_provider_bulkjobs.protocol.flow import LARGE_BODY, Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, read_details
from airflow_provider_bulkjobs.vendors.toolkit.submits import object_request

DOCS_URL = "https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-job-states.html"
API = "/services/data/v66.0"
INGEST = f"{API}/jobs/ingest"
CSV = {"Accept": "text/csv"}
DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
ADDED = ("sf__Id", "sf__Created", "sf__Error")  # columns that were not submitted
OUTCOMES = {"delete": "deleted", "hardDelete": "deleted"}
# A column of records: the field, also of a related object. Text and JSON literals are no columns.
FIELD_NAME = re.compile(r"(?!(?:null|true|false)$)[A-Za-z][\w.:]*", re.ASCII)
UNPROCESSED = "Salesforce did not process this record"

STATES = States(
    "Salesforce Bulk",
    DOCS_URL,
    "state",
    {
        "Open": JobState.PENDING,  # until the job is closed
        "UploadComplete": JobState.PENDING,
        "InProgress": JobState.RUNNING,
        "JobComplete": JobState.SUCCEEDED,  # or partially failed: depends on the counts and the unprocessed records
        "Failed": JobState.FAILED,
        "Aborted": JobState.CANCELED,
    },
    remarks={
        "Open": "Salesforce does not process an open job: whoever created it must upload its file and close it, or "
        "abort it (BulkJobCancelOperator)"
    },
)
NO_CSV = f"{STATES.vendor} returned no CSV file of unprocessed records"
STATUS = StatusEndpoint(
    f"{INGEST}/{{job_id}}",
    STATES,
    counts={"processed": "numberRecordsProcessed", "failed": "numberRecordsFailed"},
    times={"created_at": "createdDate"},
)


def job_path(job_id: str) -> str:
    """Return the path of a job."""
    return f"{INGEST}/{path_segment(job_id)}"


def ingest_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request a job and, once it is complete, the records that were not processed, which no count includes."""
    job = yield from STATUS(account, job_id)
    if STATES.words[job.vendor_state] is not JobState.SUCCEEDED:
        return job
    unprocessed = None
    if job.succeeded is not None and job.failed is not None:
        request = Request("GET", f"{job_path(job_id)}/unprocessedrecords/", CSV)
        try:
            unprocessed = _count_rows((yield from read_details(STATES.vendor, request)).body)
        except UntrustedResponseError:  # too large to be read
            unprocessed = None
    if unprocessed is None or job.succeeded is None or job.failed is None:
        return job.with_unknown_failures()
    return replace(job, total=job.succeeded + job.failed + unprocessed)


def ingest_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield why the job failed as a whole, and the files of successful, failed and unprocessed records."""
    job = yield from STATUS.finished(account, job_id)
    if message := job.get("errorMessage"):
        yield [ItemResult("failed", str(message), {}, {})]
    delimiter = DELIMITERS.get(str(job.get("columnDelimiter")), ",")
    file = partial(Download, own=True, headers=CSV, delimiters=delimiter)
    succeeded = partial(_succeeded, OUTCOMES.get(str(job.get("operation"))))
    yield file(f"{job_path(job_id)}/successfulResults/", read_row=succeeded, columns=("sf__Id",))
    yield file(f"{job_path(job_id)}/failedResults/", "failed", read_row=_failed, columns=("sf__Error",))
    yield file(f"{job_path(job_id)}/unprocessedrecords/", "failed", read_row=_failed)


def abort(account: Account, job_id: str) -> Flow[None]:  # noqa: ARG001
    """Abort a job; records that were already written remain."""
    yield change_state(job_id, "Aborted")


def change_state(job_id: str, state: str) -> Request:
    """Return the request that closes a job (``UploadComplete``) or aborts it (``Aborted``), which may be repeated."""
    return object_request("PATCH", job_path(job_id), {"state": state}, idempotent=True)


def _count_rows(data: bytes) -> int | None:
    """Return the number of rows below the header; ``None`` if it is unknown: too many to be counted, or not CSV."""
    if data.removeprefix(BOM_UTF8).lstrip()[:1] in {b"<", b"{", b"["}:
        raise TransientError(NO_CSV)
    if len(data) > LARGE_BODY:  # this may run on an event loop
        return None
    try:
        rows = list(filter(None, csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)))
    except (csv.Error, UnicodeDecodeError):
        return None
    if any(map(any, rows)) and not all(map(FIELD_NAME.fullmatch, re.split(r"[,`^|;\t]", ",".join(rows[0])))):
        raise TransientError(NO_CSV)
    return max(len(rows) - 1, 0)


def _succeeded(outcome: str | None, row: dict[str, Any]) -> ItemResult:
    return ItemResult(outcome or ("created" if row.get("sf__Created") == "true" else "updated"), None, row)


def _failed(row: Mapping[str, Any]) -> ItemResult:
    record = {name: cell for name, cell in row.items() if cell and name not in ADDED}
    return ItemResult("failed", row.get("sf__Error") or UNPROCESSED, row, record)
