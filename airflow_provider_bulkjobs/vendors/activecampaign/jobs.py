# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign import batches: status and results.

https://developers.activecampaign.com/reference/bulk-import-status-info
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.protocol.flow import Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.listed_items import ListedItems
from airflow_provider_bulkjobs.vendors.toolkit.status import require_finished

DOCS_URL = "https://developers.activecampaign.com/reference/bulk-import-status-info"
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
FAILED = ListedItems("failure", "failed", key="email", record=lambda contact: contact)


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


def batch_status(account: Account, job_id: str) -> Flow[BulkJob]:  # noqa: ARG001
    """Request the status of a batch."""
    body = (yield Request("GET", f"/api/3/import/info?batchId={path_segment(job_id)}")).json
    return read_batch(body, job_id)


def batch_results(account: Account, job_id: str) -> ResultsFlow:  # noqa: ARG001
    """Yield the ids of created contacts and the failed addresses; ActiveCampaign lists no reasons and no updates.

    The address is all that it returns of a failed contact.
    """
    body = (yield Request("GET", f"/api/3/import/info?batchId={path_segment(job_id)}")).json
    require_finished(STATES, _stored(body))
    yield CREATED.read(body, STATES.vendor)
    yield FAILED.read(body, STATES.vendor)
