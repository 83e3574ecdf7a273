# SPDX-License-Identifier: Apache-2.0
"""Brevo imports: status, by the list that all waits of an account share, and reports of failed rows.

https://developers.brevo.com/reference/getprocesses
https://developers.brevo.com/reference/getprocess
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from airflow_provider_bulkjobs.protocol.flow import Flow
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.spec.body_path import value_at
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.paging import Offset, list_pages
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict

DOCS_URL = "https://developers.brevo.com/reference/getprocess"
PROCESSES = "/v3/processes"
PAGE = 50  # the maximum
MAX_PAGES = 8  # after that, the job itself is cheaper to request
MAX_AGE = 60.0  # seconds; status requests are limited to 100 an hour
UNLIMITED_MAX_AGE = 1.0  # if the client-side limit is disabled

STATES = States(
    "Brevo",
    DOCS_URL,
    "status",
    {
        "queued": JobState.PENDING,
        "in_process": JobState.RUNNING,
        "processing": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,  # or partially failed: depends on the reports
        "failed": JobState.FAILED,
        "cancelled": JobState.CANCELED,
    },
)


def _read_reports(job: BulkJob, process: Mapping[str, Any]) -> BulkJob:
    """A report is the only sign of failed rows; without the list of reports, it is unknown whether there are any."""
    reports = _reports(process)
    if job.state is JobState.SUCCEEDED and (not reports or any(url is not None for url in reports.values())):
        return job.with_unknown_failures()
    return job


STATUS = StatusEndpoint(f"{PROCESSES}/{{job_id}}", STATES, adjust=_read_reports)


def import_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Look up an import in the list of the newest processes; request it once it is completed, or is not in the list."""
    pages = list_pages(
        STATES.vendor,
        "processes",
        f"{PROCESSES}?limit={PAGE}&sort=desc",
        items="processes",
        following=Offset(PAGE),
        max_pages=MAX_PAGES,
        max_age=MAX_AGE if account["requests_per_second"] else UNLIMITED_MAX_AGE,
    )
    while pages.has_next:
        processes = yield from pages.read_next()
        found = next((each for each in processes if str(each.get("id")) == job_id), None)
        if found is not None:
            state, word = STATES.read(found)
            if state is not JobState.SUCCEEDED:
                return BulkJob(job_id, state, word)
            break  # Brevo does not document whether the list has the reports
        if any(_is_older(each.get("id"), job_id) for each in processes):
            break
    return (yield from STATUS(account, job_id))


def import_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield the rows of the reports; a row may be in several. The rows that were imported are not listed."""
    for name, url in _reports((yield from STATUS.finished(account, job_id))).items():
        if isinstance(url, str):
            # The columns and the delimiter are undocumented.
            yield Download(url, "failed", delimiters=";,", read_row=partial(_failed_row, name))


def _reports(process: Mapping[str, Any]) -> Mapping[str, Any]:
    return as_dict(value_at(process, "info.import"))


def _failed_row(report: str, row: dict[str, Any]) -> ItemResult:
    return ItemResult("failed", report, row)


def _is_older(number: Any, job_id: str) -> bool:
    """Return whether a process began before a job: ids grow."""
    return isinstance(number, int) and job_id.isdecimal() and number < int(job_id)
