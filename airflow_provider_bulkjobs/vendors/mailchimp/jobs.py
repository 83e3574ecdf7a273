# SPDX-License-Identifier: Apache-2.0
"""Mailchimp batches: status, the archive with the results, cancel.

https://mailchimp.com/developer/marketing/api/batch-operations/
https://mailchimp.com/developer/marketing/guides/run-async-requests-batch-endpoint/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict

DOCS_URL = "https://mailchimp.com/developer/marketing/api/batch-operations/"
BATCHES = "/3.0/batches"
ADDRESS = "email_address"
ID_PREFIX = f"{ADDRESS}:"  # of the operations that this provider submits, before the address of the contact
ERRORS = Errors(
    messages=(Message("", "title", "detail"), Message("errors", "field", "message")),
    hints={
        403: "Mailchimp responds like this to too many requests. If it persists, lower requests_per_second of the "
        "connection, and check what else uses the account: all apps of a user share 10 requests at the same time."
    },
)

STATES = States(
    "Mailchimp",
    DOCS_URL,
    "status",
    {
        "pending": JobState.PENDING,
        "preprocessing": JobState.RUNNING,
        "started": JobState.RUNNING,
        "finalizing": JobState.RUNNING,
        "finished": JobState.SUCCEEDED,  # or partially failed: depends on the counts; a batch never fails as a whole
    },
)


def _require_counts(job: BulkJob, batch: Mapping[str, Any]) -> BulkJob:  # noqa: ARG001
    """Without all counts, or with no operation at all, it is unknown what the batch has done."""
    if job.state.is_finished and not (job.total and job.succeeded is not None):
        return job.with_unknown_failures(succeeded=None)
    return job


STATUS = StatusEndpoint(
    f"{BATCHES}/{{job_id}}",
    STATES,
    counts={"total": "total_operations", "processed": "finished_operations", "failed": "errored_operations"},
    times={"created_at": "submitted_at", "finished_at": "completed_at"},
    adjust=_require_counts,
)


def batch_results(account: Account, job_id: str) -> ResultsFlow:
    """Download the archive with the response to each operation; its signed URL may be on any host."""
    url = (yield from STATUS.finished(account, job_id)).get("response_body_url")
    if not url:  # an empty string until the batch has finished
        raise TransientError("Mailchimp response has no response_body_url, although the batch has finished")
    yield Download(str(url), format="json", archive="tar.gz", members="*.json", read_row=_read_operation)


def _read_operation(row: dict[str, Any]) -> ItemResult:
    """Return the result of an operation, without the contact that a successful response has."""
    item = {"operation_id": row.get("operation_id"), "status_code": row.get("status_code")}
    status = count(item["status_code"])
    if status is not None and 200 <= status < 300:
        return ItemResult("succeeded", None, item)
    response, operation_id = _response(row), str(item["operation_id"])
    item |= {name: response[name] for name in ("title", "detail") if name in response}
    is_own = operation_id.startswith(ID_PREFIX)
    record = {ADDRESS: operation_id.removeprefix(ID_PREFIX)} if is_own else None
    return ItemResult("failed", ERRORS.text(response), item, record)


def _response(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the response to an operation, which is JSON in a string, or empty."""
    try:
        return as_dict(json.loads(row["response"]))
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}


def cancel_batch(account: Account, job_id: str) -> Flow[None]:
    """Delete a batch, which stops it; the operations that were executed remain, and their results are lost.

    :raises VendorAPIError: the batch has finished; Mailchimp would delete its results.
    """
    request = STATUS.request(account, job_id)
    if STATES.read((yield request).json)[0].is_finished:
        raise VendorAPIError(
            f"Mailchimp batch {job_id} has finished. It was not deleted, which would lose its results."
        )
    yield Request("DELETE", request.path)
