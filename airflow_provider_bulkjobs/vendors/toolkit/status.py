# SPDX-License-Identifier: Apache-2.0
"""Reading the status of a job, and what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import JobNotFinishedError, JobNotFoundError, TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.protocol.job import JobState, count
from airflow_provider_bulkjobs.vendors.spec.states import States


def as_list(value: Any) -> list[Any]:
    """Return a vendor's list; a missing or null one is empty, a single object counts as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def as_dict(value: Any) -> Mapping[str, Any]:
    """Return a vendor's object; a missing, null or malformed one is empty."""
    return value if isinstance(value, dict) else {}


def request_details(vendor: str, path: str) -> Flow[dict[str, Any]]:
    """Ask for more of a job whose state has just been told: its errors, or how its items fared.

    :raises TransientError: that is not found. Whether the job itself is gone only its state may say, which is asked
        for first when all of it is asked again.
    """
    try:
        return (yield Request("GET", path)).json
    except JobNotFoundError as error:
        raise TransientError(f"{vendor} has told the state of the job, but not what belongs to it: {error}") from error


def require_finished(states: States, answer: Mapping[str, Any]) -> str:
    """Return the word for the state of a job that is over.

    :raises JobNotFinishedError: it is not, so that its results would be half of them.
    """
    state, word = states.read(answer)
    if not state.is_finished:
        raise JobNotFinishedError(
            f"the job is still {word!r}: wait for it with BulkJobSensor before asking for its results"
        )
    return word


def check_counts(vendor: str, state: JobState, *counts: Any) -> None:
    """Check that what a successful job counts is numbers; a missing or null count is none.

    :raises TransientError: one is something else, and must not pass for "nothing failed".
    """
    if state is JobState.SUCCEEDED and any(value is not None and count(value) is None for value in counts):
        raise TransientError(f"{vendor} answered with a count that is not a number of items")
