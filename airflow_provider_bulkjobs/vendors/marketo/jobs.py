# SPDX-License-Identifier: Apache-2.0
"""Marketo imports: status, and the files of failed rows and of warnings.

https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-lead-import
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-program-member-import
https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-custom-object-import
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.composite_ids import CompositeId
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint

DOCS_URL = "https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-lead-import"
RESULT = "result.0"
FAILED_ROWS = "numOfRowsFailed"
COMPLETE = frozenset({JobState.SUCCEEDED, JobState.PARTIALLY_FAILED})

STATES = States(
    "Marketo",
    DOCS_URL,
    "status",
    {
        "Queued": JobState.PENDING,
        "Importing": JobState.RUNNING,
        "Complete": JobState.SUCCEEDED,  # or partially failed: depends on the counts
        "Failed": JobState.FAILED,
    },
)


def _with_total(job: BulkJob, _status: Mapping[str, Any]) -> BulkJob:
    """Rows that failed are not counted as processed. Without both counts, it is unknown how many rows have failed."""
    if job.state not in COMPLETE:
        return job
    if job.succeeded is None or job.failed is None:
        return job.with_unknown_failures()
    return replace(job, total=job.succeeded + job.failed)


_endpoint = partial(StatusEndpoint, states=STATES, at=RESULT, adjust=_with_total)
ROWS = {"succeeded": "numOfLeadsProcessed", "failed": FAILED_ROWS}
# An import of a custom object is found only with the name of the object.
OBJECT_ID = CompositeId(STATES.vendor, ("apiName", "batchId"))
LEADS = _endpoint("/bulk/v1/leads/batch/{job_id}.json", counts=ROWS)
MEMBERS = _endpoint("/bulk/v1/program/members/import/{job_id}/status.json", counts=ROWS)
OBJECTS = _endpoint(
    "/bulk/v1/customobjects/{apiName}/import/{batchId}/status.json",
    counts={"succeeded": "numOfObjectsProcessed", "failed": FAILED_ROWS},
    ids=OBJECT_ID,
)


def results_of(status: StatusEndpoint, ending: str) -> Callable[[Account, str], ResultsFlow]:
    """Return the results flow of a family of imports.

    :param ending: the end of the status path, in place of which the paths of the files have their names.
    """

    def results(account: Account, job_id: str) -> ResultsFlow:
        """Yield the rows of the files that have any, and the reason of an import that failed as a whole.

        A file without rows is not requested: Marketo responds with 404, or with an empty one.
        """
        found = yield from status.finished(account, job_id)
        if STATES.read(found)[0] is JobState.FAILED and not count(found.get(FAILED_ROWS)):
            yield [ItemResult("failed", str(found.get("message") or "no reason given"), found)]
        base = status.request(account, job_id).path.removesuffix(ending)
        file = partial(Download, own=True, headers={"Accept": "*/*"})  # the path ends in .json, the file is CSV
        if count(found.get(FAILED_ROWS)):
            reason = "Import Failure Reason"
            yield file(f"{base}/failures.json", "failed", error_field=reason, returns_records=True)
        if count(found.get("numOfRowsWithWarning")):
            yield file(f"{base}/warnings.json", "warning", error_field="Import Warning Reason")

    return results
