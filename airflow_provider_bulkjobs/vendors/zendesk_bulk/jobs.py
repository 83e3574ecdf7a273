# SPDX-License-Identifier: Apache-2.0
"""Zendesk jobs: one status for all kinds, whose results are the only sign of failed items.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/job_statuses/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_provider_bulkjobs.exceptions import JobNotFoundError
from airflow_provider_bulkjobs.protocol.flow import Flow, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.spec.errors import Message, read_messages
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import request_optional
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict, as_dicts, require_finished

DOCS_URL = "https://developer.zendesk.com/api-reference/ticketing/ticket-management/job_statuses/"
JOBS_PATH = "/api/v2/job_statuses"
FAILED, SUCCEEDED = "failed", "succeeded"
OUTCOMES = {"Created": "created", "Updated": "updated", "Deleted": "deleted", "Failed": FAILED}

STATES = States(
    "Zendesk",
    DOCS_URL,
    "status",
    {
        "queued": JobState.PENDING,
        "working": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,  # or partially failed: depends on the results
        "failed": JobState.FAILED,
        "killed": JobState.CANCELED,
    },
)


def _count_results(job: BulkJob, status: Mapping[str, Any]) -> BulkJob:
    """Count the results of a finished job. ``progress`` includes failed items, and there is no other count.

    The results of a permanent deletion are one object for all tickets.
    """
    results = status.get("results")
    if not job.state.is_finished:
        return job
    if isinstance(results, list) and (results or job.total is not None):
        outcomes = Counter(map(_outcome, results))
        succeeded = len(results) - outcomes[FAILED]
        total = len(results) if job.total is None else job.total  # so that it can be compared with what was submitted
        failed = max(outcomes[FAILED], total - succeeded)  # an item without a result has failed
        # New tickets have no word; where every item has one, the others are 0.
        words = () if outcomes[SUCCEEDED] else ("created", "updated", "deleted")
        done: dict[str, Any] = {word: outcomes[word] for word in words}
        return replace(job, total=total, succeeded=succeeded, failed=failed, **done)
    if job.state is JobState.SUCCEEDED and as_dict(results).get("success") is not True:
        return job.with_unknown_failures()
    return job


STATUS = StatusEndpoint(
    f"{JOBS_PATH}/{{job_id}}.json", STATES, at="job_status", counts={"total": "total"}, adjust=_count_results
)


def job_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request the status of a job, and count its results."""
    return STATUS.read((yield from _request(account, job_id)), job_id)


def job_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield the results of the items, in the order of the request."""
    status = as_dict((yield from _request(account, job_id)).get("job_status"))
    require_finished(STATES, status)
    results = status.get("results")
    yield [_item_result(each) for each in results] if isinstance(results, list) else []


def _request(account: Account, job_id: str) -> Flow[Mapping[str, Any]]:
    """Request a job: one that is not found may still be in the response for several."""
    try:
        return (yield STATUS.request(account, job_id)).json
    except JobNotFoundError as error:
        body = yield from request_optional(f"{JOBS_PATH}/show_many.json?ids={path_segment(job_id)}")
        for job in as_dicts(body.get("job_statuses")):
            if job.get("id") == job_id:
                return {"job_status": job}
        raise error from None


def _outcome(item: Any) -> str:
    """Return what became of an item; one whose result is not documented has failed."""
    found = as_dict(item)
    if found.get("error") is not None or found.get("success") is False:
        return FAILED
    if (word := found.get("status")) is None:
        return FAILED if found.get("id") is None else SUCCEEDED
    return OUTCOMES.get(str(word), SUCCEEDED if found.get("success") is True else FAILED)


def _item_result(item: Any) -> ItemResult:
    found = item if isinstance(item, dict) else {"value": item}
    return ItemResult(_outcome(item), read_messages((Message("", "error", "details"),), found), found)
