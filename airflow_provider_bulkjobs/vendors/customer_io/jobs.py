# SPDX-License-Identifier: Apache-2.0
"""Customer.io imports: status, and the reports of errors and warnings.

https://docs.customer.io/integrations/api/app/ (getImport, downloadExport)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.flow import path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, utc_time
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, request_details

DOCS_URL = "https://docs.customer.io/integrations/api/app/"
IMPORTS = "/v1/imports"
REPORTS = {"error": "failed", "warning": "warning"}  # the status of the rows in each
REPORT_ID = re.compile(r"/v1/exports/(\d{1,18})/download")

STATES = States(
    "Customer.io",
    DOCS_URL,
    "state",
    {
        "preprocessing": JobState.PENDING,
        "preprocessed": JobState.PENDING,  # a step, not an end
        "validating": JobState.RUNNING,
        "validated": JobState.RUNNING,  # a step, not an end
        "importing": JobState.RUNNING,
        "imported": JobState.SUCCEEDED,  # or partially failed: depends on the counts and the report of errors
        "failed": JobState.FAILED,
        "canceled": JobState.CANCELED,
    },
)


def _read_end(job: BulkJob, found: Mapping[str, Any]) -> BulkJob:
    """Complete a finished job. ``error`` is not read: the documentation has it in a successful import as well."""
    if not job.state.is_finished:
        return job
    job = replace(job, finished_at=utc_time(found.get("updated_at")))
    if job.state is not JobState.SUCCEEDED:
        return job
    if _has_report(found, "error") or job.total is None or job.succeeded is None:
        return job.with_unknown_failures()
    return replace(job, failed=0)


STATUS = StatusEndpoint(
    f"{IMPORTS}/{{job_id}}",
    STATES,
    at="import",
    counts={"total": "rows_to_import", "succeeded": "rows_imported"},
    times={"created_at": "created_at"},
    numeric=True,  # Customer.io may answer an empty 200 to any other id
    adjust=_read_end,
)


def import_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield the rows of the reports, or the reason of an import that failed as a whole.

    :raises TransientError: a report has no URL (yet), or rows have failed and there is no report.
    """
    found = yield from STATUS.finished(account, job_id)
    job = STATUS.read({"import": found}, job_id)
    if job.state is JobState.FAILED:
        yield [ItemResult("failed", str(found.get("error") or "no reason given"), found)]
    elif job.failed and not _has_report(found, "error"):
        raise TransientError(f"{STATES.vendor} counts {job.failed} failed rows, but the import has no report of errors")
    for report, status in REPORTS.items():
        if _has_report(found, report):
            # On the account's own host: the URL in the response may be that of another region.
            path = f"/v1/exports/{path_segment(_report_id(found, report))}/download"
            url = (yield from request_details(STATES.vendor, path)).get("url")
            if not isinstance(url, str):
                raise TransientError(f"{STATES.vendor} returned no URL of the report of {report}s")
            yield Download(url, status)  # signed for 15 minutes; its columns are undocumented


def _has_report(found: Mapping[str, Any], report: str) -> bool:
    return any(found.get(f"{report}_{key}") for key in ("export_id", "download_url"))


def _report_id(found: Mapping[str, Any], report: str) -> str:
    if number := found.get(f"{report}_export_id"):
        return str(number)
    if match := REPORT_ID.search(str(found.get(f"{report}_download_url"))):
        return match[1]
    raise TransientError(f"{STATES.vendor} returned a report of {report}s without its id")
