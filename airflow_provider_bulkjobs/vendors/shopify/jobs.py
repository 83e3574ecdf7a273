# SPDX-License-Identifier: Apache-2.0
"""Shopify bulk operations that run a mutation: status, the file of results, cancel.

https://shopify.dev/docs/api/usage/bulk-operations/imports
https://shopify.dev/docs/api/admin-graphql/latest/queries/bulkOperation
https://shopify.dev/docs/api/admin-graphql/latest/enums/BulkOperationErrorCode
https://shopify.dev/docs/api/admin-graphql/latest/mutations/bulkOperationCancel
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError, JobNotFoundError, TransientError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Flow
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.shopify.graphql import graphql, read
from airflow_provider_bulkjobs.vendors.spec.body_path import value_at
from airflow_provider_bulkjobs.vendors.spec.errors import Message, read_messages
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.errors import USER_ERRORS
from airflow_provider_bulkjobs.vendors.toolkit.signed_files import SignedFile
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict, require_finished

DOCS_URL = "https://shopify.dev/docs/api/admin-graphql/latest/enums/BulkOperationStatus"
OPERATION = "data.bulkOperation"
QUERY = (
    "query($id: ID!) { bulkOperation(id: $id) "
    "{ id type status errorCode createdAt completedAt objectCount url partialDataUrl } }"
)
CANCEL = (
    "mutation($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { id status } userErrors { field message } } }"
)
CREATED_BY = {"customerCreate": "created"}  # other mutations do not say what they did
MESSAGES = (Message("errors", "extensions.code", "message"), Message(USER_ERRORS, "code", "message"))
# What the errorCode of a failed operation means.
REASONS = {
    "ACCESS_DENIED": "the app has lost a permission that the mutation needs",
    "INTERNAL_SERVER_ERROR": "an error at Shopify; submit again",
    "TIMEOUT": "it did not end within 24 hours; submit fewer records",
}

STATES = States(
    "Shopify",
    DOCS_URL,
    "status",
    {
        "CREATED": JobState.PENDING,
        "RUNNING": JobState.RUNNING,
        "CANCELING": JobState.RUNNING,
        "COMPLETED": JobState.SUCCEEDED,  # each line was executed; whether it failed is only in the file of results
        "CANCELED": JobState.CANCELED,
        "FAILED": JobState.FAILED,
        "EXPIRED": JobState.PARTIALLY_FAILED,  # it has ended, and the file of results is deleted
    },
)
STATUS = StatusEndpoint(
    "/graphql.json",
    STATES,
    at=OPERATION,
    counts={"total": "objectCount"},
    times={"created_at": "createdAt", "finished_at": "completedAt"},
)


def operation_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request an operation and, once it is completed, read its results, as only they say what has failed."""
    body = yield from _request(account, job_id)
    job, operation = STATUS.read(body, job_id), as_dict(value_at(body, OPERATION))
    if STATES.words[job.vendor_state] is not JobState.SUCCEEDED:
        return replace(job, total=None)  # the number of lines until now
    lines = failed = 0
    file = SignedFile(STATES.vendor, str(operation["url"])) if operation.get("url") else None
    while file and file.has_next:
        for line in (yield from file.read_next()):
            lines += 1
            failed += not _has_succeeded(_parse(line))
    if not lines:
        return job.with_unknown_failures(total=None)
    return replace(job, total=max(lines, job.total or 0), succeeded=lines - failed, failed=failed)


def operation_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield why the operation failed as a whole, and the file with a line for each record, also of a part of them."""
    operation = as_dict(value_at((yield from _request(account, job_id)), OPERATION))
    word = require_finished(STATES, operation)
    if word == "FAILED":
        code = str(operation.get("errorCode"))
        yield [ItemResult("failed", f"{code}: {REASONS.get(code, 'no reason given')}", {"errorCode": code})]
    if url := operation.get("url") or operation.get("partialDataUrl"):
        yield Download(str(url), format="jsonl", read_row=read_row)
    elif word in {"COMPLETED", "EXPIRED"}:
        raise VendorAPIError(
            f"Shopify has no file of results for {job_id} ({word}). It deletes them after 7 days.",
            hint="Look the records up in the shop.",
        )


def read_row(row: dict[str, Any]) -> ItemResult:
    """Return the result of a line; it has the number of the line that was submitted, but not the record."""
    if _has_succeeded(row):
        return ItemResult(CREATED_BY.get(next(iter(row["data"])), "succeeded"), None, row)
    return ItemResult("failed", read_messages(MESSAGES, row) or "no reason given", row)


def cancel(account: Account, job_id: str) -> Flow[None]:
    """Cancel an operation; it stops some time later, and what it has done remains."""
    body = read(account, (yield graphql(account, CANCEL, id=job_id)))
    if value_at(body, "data.bulkOperationCancel.bulkOperation") is None:
        raise JobNotFoundError(f"Shopify has no bulk operation {job_id}")


def _request(account: Account, job_id: str) -> Flow[Mapping[str, Any]]:
    body = read(account, (yield graphql(account, QUERY, id=job_id)))
    data = as_dict(body.get("data"))
    if "bulkOperation" in data and data["bulkOperation"] is None:
        raise JobNotFoundError(f"Shopify has no bulk operation {job_id}")
    if value_at(body, f"{OPERATION}.type") == "QUERY":
        raise BadArgumentError(
            f"job_id={job_id!r}: this bulk operation of Shopify is an export (QUERY). Pass the id of an import."
        )
    return body


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise TransientError("Shopify's file of results has a line that is not JSON") from None


def _has_succeeded(row: Any) -> bool:
    """Return whether a line proves that its mutation was executed without an error.

    A mutation that does not select ``userErrors`` hides its errors, so it proves nothing.
    """
    data = None if not isinstance(row, dict) or row.get("errors") else row.get("data")
    if not isinstance(data, dict) or not data:
        return False
    return all(isinstance(each, dict) and each.get("userErrors") == [] for each in data.values())
