# SPDX-License-Identifier: Apache-2.0
"""Mailjet jobs: status, and the files of failed contacts.

There are two unrelated kinds of ids: the ``JobID`` of a JSON import, and the ``ID`` of a CSV import.

https://github.com/mailjet/api-documentation/blob/master/guides/_contacts_bulk.md
https://dev.mailjet.com/reference/email/contacts/bulk-contact-management
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from airflow_provider_bulkjobs.protocol.flow import path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint

DOCS_URL = "https://dev.mailjet.com/reference/email/contacts/bulk-contact-management"
CONTACTS = "/v3/REST/contact/managemanycontacts"
CSV_IMPORTS = "/v3/REST/csvimport"
OBJECT = "Data.0"  # Mailjet wraps each object in a list
ERROR_MARK = "###"  # ###message###field
NOTHING = ("", None)

STATES = States(
    "Mailjet",
    DOCS_URL,
    "Status",
    {  # each source lists others of them
        "Allocated": JobState.PENDING,
        "Upload": JobState.PENDING,
        "Prepare": JobState.RUNNING,
        "Importing": JobState.RUNNING,
        "In Progress": JobState.RUNNING,
        "Completed": JobState.SUCCEEDED,  # or partially failed: depends on the errors
        "Error": JobState.FAILED,
        "Abort": JobState.CANCELED,
        "Aborted": JobState.CANCELED,
    },
    any_case=True,
)
TIMES = {"started_at": "JobStart", "finished_at": "JobEnd"}
# In both, Count is the number of contacts processed so far: the total is known only at the end.
PROCESSED = frozenset({JobState.SUCCEEDED, JobState.PARTIALLY_FAILED})


def _read_errors(job: BulkJob, found: Mapping[str, Any]) -> BulkJob:
    """Failed contacts are not counted: any error, or a response that does not say, means that there may be some."""
    if job.state not in PROCESSED:
        return replace(job, total=None)
    has_no_error = all(name in found and found[name] in NOTHING for name in ("Error", "ErrorFile"))
    if has_no_error and job.total is not None:
        return replace(job, succeeded=job.total)
    return job.with_unknown_failures()


def _read_counts(job: BulkJob, found: Mapping[str, Any]) -> BulkJob:  # noqa: ARG001
    """Without the number of errors, or of the contacts that were processed, it is unknown how many have failed."""
    if job.state not in PROCESSED:
        return replace(job, total=None, succeeded=None, failed=None)
    if job.total is None or job.failed is None:
        return job.with_unknown_failures()
    return job


STATUS = StatusEndpoint(
    f"{CONTACTS}/{{job_id}}", STATES, at=OBJECT, counts={"total": "Count"}, times=TIMES, adjust=_read_errors
)
CSV_STATUS = StatusEndpoint(
    f"{CSV_IMPORTS}/{{job_id}}",
    STATES,
    at=OBJECT,
    counts={"total": "Count", "failed": "Errcount"},
    times={"created_at": "RequestAt", **TIMES},
    adjust=_read_counts,
)


def import_results(account: Account, job_id: str) -> ResultsFlow:
    """Download the file of failed contacts, if there is one; else yield the error of the whole job, if it has one."""
    found = yield from STATUS.finished(account, job_id)
    error = str(found["Error"]) if found.get("Error") else None
    if file := found.get("ErrorFile"):
        yield Download(_error_path(file, job_id), format="json", own=True, read_row=partial(_failed_contact, error))
    elif error:
        yield [ItemResult("failed", error, {})]


def csv_results(account: Account, job_id: str) -> ResultsFlow:
    """Download the file of failed lines, unless the number of errors is 0."""
    found = yield from CSV_STATUS.finished(account, job_id)
    if count(found.get("Errcount")) != 0:
        path = f"/v3/DATA/BatchJob/{path_segment(job_id)}/CSVError/text:csv"
        yield Download(path, error_field="error", own=True, read_row=_failed_line)


def _error_path(file: Any, job_id: str) -> str:
    """Return the path of an error file on the account's own host; Mailjet returns it relative to ``/v3/``."""
    _, found, rest = str(file).partition("DATA/")
    documented = f"batchjob/{path_segment(job_id)}/JSONError/application:json/LAST"
    return f"/v3/DATA/{quote(rest, safe='/:') if found else documented}"


def _failed_contact(error: str | None, contact: dict[str, Any]) -> ItemResult:
    return ItemResult("failed", error, contact)


def _failed_line(line: dict[str, Any]) -> ItemResult:
    """Return a failed line; the error of one with too few cells is in the column of the first missing cell."""
    column = next((name for name, cell in line.items() if str(cell).strip().startswith(ERROR_MARK)), "error")
    parts = str(line.get(column) or "").strip().split(ERROR_MARK)
    record = {name: cell for name, cell in line.items() if cell and name not in {column, "error"}}
    return ItemResult("failed", ": ".join(filter(None, parts)) or None, line, record or None)
