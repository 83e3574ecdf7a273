# SPDX-License-Identifier: Apache-2.0
"""Zoho CRM bulk write jobs: status and the zipped result.

https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/get-job-details.html
https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/download-bulk-write-result.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.spec.body_path import text_at, value_at
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict, as_dicts

DOCS_URL = "https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/get-job-details.html"
WRITE = "/crm/bulk/v8/write"
TOTAL = "file.total_count"
WRITTEN = {"added": "created", "updated": "updated"}  # all other rows failed

STATES = States(
    "Zoho CRM",
    DOCS_URL,
    "status",
    {
        "ADDED": JobState.PENDING,
        **dict.fromkeys(("IN PROGRESS", "IN_PROGRESS", "INPROGRESS"), JobState.RUNNING),  # documented: with the blank
        "COMPLETED": JobState.SUCCEEDED,  # or not: depends on the files and their counts
        **dict.fromkeys(("FAILED", "SKIPPED"), JobState.FAILED),  # documented for files only
    },
)


def _with_files(job: BulkJob, status: Mapping[str, Any]) -> BulkJob:
    """Sum the counts of the files, and derive the state from theirs: a completed job may have files that failed.

    Without all counts of a completed job, it is unknown how many rows failed: that is no success.
    """
    resources = as_dicts(status.get("resource"))
    added, updated, skipped = (_sum(resources, f"file.{name}_count") for name in ("added", "updated", "skipped"))
    total = _sum(resources, TOTAL)
    job = replace(job, state=_state_of(job.state, resources), total=total, created=added, updated=updated)
    if not job.state.is_finished:
        return replace(job, failed=skipped)
    if added is None or updated is None or skipped is None or total is None:
        return job.with_unknown_failures() if job.state is JobState.SUCCEEDED else job
    if job.state is JobState.PARTIALLY_FAILED and not all(count(value_at(each, TOTAL)) for each in resources):
        # The rows of a file that failed as a whole are in no count, so those that failed in others are not all.
        return replace(job, succeeded=total if added + updated == total else None, failed=None)
    return replace(job, succeeded=added + updated, failed=skipped)


def _state_of(state: JobState, resources: list[Mapping[str, Any]]) -> JobState:
    """Return the state of a job with these files.

    :param state: that of the job itself.
    """
    states = {_state_of_file(each) for each in resources}
    if state is not JobState.SUCCEEDED or states <= {JobState.SUCCEEDED}:
        return state
    if states <= {JobState.SUCCEEDED, JobState.FAILED}:
        return JobState.PARTIALLY_FAILED if JobState.SUCCEEDED in states else JobState.FAILED
    return JobState.RUNNING


def _state_of_file(resource: Mapping[str, Any]) -> JobState:
    """Return the state of a file: that of the resource or of its file, or failed if there is an error code.

    :raises UnknownStateError: a word is not documented.
    """
    states = [STATES.read(each)[0] for each in (resource, as_dict(resource.get("file"))) if STATES.key in each]
    if _error_code(resource) or JobState.FAILED in states:
        return JobState.FAILED
    return next((state for state in states if not state.is_finished), JobState.SUCCEEDED)


def _error_code(resource: Mapping[str, Any]) -> str:
    """Return the error code of a resource; empty if the code only repeats the state."""
    code = text_at(resource, "code")
    return "" if code in STATES.words else code


def _sum(resources: list[Mapping[str, Any]], path: str) -> int | None:
    """Return the sum of a count; ``None`` if it is missing anywhere."""
    numbers = [count(value_at(each, path)) for each in resources]
    known = [number for number in numbers if number is not None]
    return sum(known) if known and len(known) == len(numbers) else None


STATUS = StatusEndpoint(f"{WRITE}/{{job_id}}", STATES, times={"created_at": "created_time"}, adjust=_with_files)


def write_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield the files that failed as a whole, and then the result: an archive with a CSV file per module."""
    job = yield from STATUS.finished(account, job_id)
    failed = [each for each in as_dicts(job.get("resource")) if _state_of_file(each) is JobState.FAILED]
    if failed:
        yield [ItemResult("failed", _error_code(each) or str(each.get(STATES.key)), each) for each in failed]
    if url := text_at(job, "result.download_url"):
        yield Download(url, own=True, archive="zip", members="*.csv", read_row=_read_row, headers={"Accept": "*/*"})
    elif not failed:
        raise TransientError(f"{STATES.vendor} response of a finished job has no result.download_url")


def _read_row(row: dict[str, Any]) -> ItemResult:
    """Return the result of a row, which has the first three columns of the upload, and those that Zoho CRM adds."""
    word = str(row.get("STATUS") or "")
    if outcome := WRITTEN.get(word.lower()):
        return ItemResult(outcome, None, row)
    return ItemResult("failed", row.get("ERRORS") or f"Zoho CRM did not write this row (status {word!r})", row)
