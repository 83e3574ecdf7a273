# SPDX-License-Identifier: Apache-2.0
"""Reading the status of a job and its details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import JobNotFinishedError, JobNotFoundError, TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.protocol.job import JobState, count
from airflow_provider_bulkjobs.vendors.spec.states import States


def as_list(value: Any) -> list[Any]:
    """Return a list: missing or null is an empty list, a single object is a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def as_dict(value: Any) -> Mapping[str, Any]:
    """Return an object: missing, null or malformed is an empty object."""
    return value if isinstance(value, dict) else {}


def request_details(vendor: str, path: str) -> Flow[dict[str, Any]]:
    """Request details of a job whose state was just read: its errors, or the results of its items.

    :raises TransientError: the details were not found (404). This does not mean that the job is gone: the retry
        reads its state first.
    """
    try:
        return (yield Request("GET", path)).json
    except JobNotFoundError as error:
        raise TransientError(f"{vendor} returned 404 for the job's details right after its state: {error}") from error


def require_finished(states: States, body: Mapping[str, Any]) -> str:
    """Return the vendor's name for the state of a finished job.

    :raises JobNotFinishedError: the job is not finished, so its results are incomplete.
    """
    state, word = states.read(body)
    if not state.is_finished:
        raise JobNotFinishedError(
            f"the job is still {word!r}. Wait for it with BulkJobSensor before reading its results."
        )
    return word


def check_counts(vendor: str, state: JobState, *counts: Any) -> None:
    """Check that what a successful job counts is numbers; a missing or null count is none.

    :raises TransientError: one is something else, and must not pass for "nothing failed".
    """
    if state is JobState.SUCCEEDED and any(value is not None and count(value) is None for value in counts):
        raise TransientError(f"{vendor} answered with a count that is not a number of items")
