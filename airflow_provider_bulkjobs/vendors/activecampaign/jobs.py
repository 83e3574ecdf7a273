# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign import batches: status, results, and rejections in a response with status 200.

https://developers.activecampaign.com/reference/bulk-import-status-info
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import BulkJobError, InvalidItem, TransientError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.listed_items import ListedItems
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, as_list, require_finished

DOCS_URL = "https://developers.activecampaign.com/reference/bulk-import-status-info"
IMPORT_LIMIT_REACHED = "Rate limit exceeded"  # message of the import limit, which is a 400 response
NOT_STORED = "false"  # the JSON value false: the batch is less than a second old, or does not exist
STATES = States(
    "ActiveCampaign",
    DOCS_URL,
    "status",
    {
        NOT_STORED: JobState.PENDING,
        "waiting": JobState.PENDING,
        "claimed": JobState.PENDING,
        "active": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "interrupted": JobState.FAILED,  # stopped by failures, never resumed
    },
)
CREATED = ListedItems("success", "created", key="id")
FAILED = ListedItems("failure", "failed", key="email")


def read_batch(body: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a batch: created and failed contacts are listed, updated ones are not.

    The lists hold personal data (e-mail addresses and ids), so only their lengths are kept.
    """
    state, word = STATES.read(_stored(body))
    if not state.is_finished:
        return BulkJob(job_id, state, word, known=word != NOT_STORED)
    created, failed = (len(each.values(body, STATES.vendor)) for each in (CREATED, FAILED))
    return BulkJob(job_id, state, word, failed=failed, created=created)


def _stored(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"status": NOT_STORED} if body.get("status") is False else body


def rejection_reason(body: Mapping[str, Any]) -> str | None:
    """Return the vendor's reason for a rejection in a response with status 200; the flag has two spellings."""
    flag = body.get("Success", body.get("success"))
    is_rejected = flag in {0, "0"} if isinstance(flag, (int, str)) else False
    return str(body.get("message") or "no reason given") if is_rejected else None


def raise_if_rejected(
    account: Account, body: Mapping[str, Any], rate_limit_error: type[BulkJobError] = VendorAPIError
) -> None:
    """Raise the vendor's reason, if a response with status 200 is a rejection.

    :param rate_limit_error: the error to raise if the import limit is reached.
    """
    if (reason := rejection_reason(body)) is None:
        return
    message = f"{STATES.vendor} rejected the request (status 200): {redact(reason, account.secrets)}"
    if IMPORT_LIMIT_REACHED in reason:
        raise rate_limit_error(message)
    raise VendorAPIError(message, invalid_items=invalid_contacts(body))


def invalid_contacts(body: Mapping[str, Any]) -> list[InvalidItem]:
    """Return the rejected contacts; the field is named only in the text of the reason."""
    reasons = [as_dict(reason) for reason in as_list(body.get("failureReasons"))]
    found = [(count(reason.get("contact")), reason.get("failureReason")) for reason in reasons]
    return [InvalidItem(index, None, str(text) if text else None) for index, text in found if index is not None]


def batch_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request the status of a batch."""
    body = (yield Request("GET", f"/api/3/import/info?batchId={path_segment(job_id)}")).json
    raise_if_rejected(account, body, rate_limit_error=TransientError)
    return read_batch(body, job_id)


def batch_results(account: Account, job_id: str) -> ResultsFlow:  # noqa: ARG001
    """Yield the ids of created contacts and the failed addresses; ActiveCampaign lists no reasons and no updates."""
    body = (yield Request("GET", f"/api/3/import/info?batchId={path_segment(job_id)}")).json
    require_finished(STATES, _stored(body))
    yield CREATED.read(body, STATES.vendor)
    yield FAILED.read(body, STATES.vendor)
