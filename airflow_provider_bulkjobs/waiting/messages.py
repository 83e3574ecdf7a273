# SPDX-License-Identifier: Apache-2.0
"""What people read of a wait: in the task's log, and in its docs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.waiting.tracker import JobTracker

# What can be done about a gate that stays closed, in the order in which people would.
NEXT_STEPS = (
    "Which items failed is what BulkJobResultsOperator writes, where the vendor tells: submit these again. If so many "
    "may fail, raise allowed_failures and clear this task; but clearing a task that submits submits all again, so "
    "there, judge the job_ids in its XCom anew with a BulkJobSensor."
)


def moment(seconds: float) -> str:
    """Return a time for people."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return "the end of days"


def start_message(wait: JobTracker, interval: float, timeout: float, page: str | None) -> str:
    """Return what is waited for, how often it is asked about, for how long, and where else to look."""
    look = f" {wait.vendor.label} shows such jobs at {page}" if page else ""
    return (
        f"Waiting for {wait.name()} of connection {wait.conn_id!r}, asking every {interval:g} s until "
        f"{moment(wait.started_at + timeout)} at most.{look}"
    )


def deferred_message(first_poll_at: float) -> str:
    """Return what happens to a wait that is deferred."""
    return f"Going on in the triggerer, which asks from {moment(first_poll_at)} on; no worker slot is held meanwhile."


def checkpoint_stored(known: int, jobs: int, first_poll_at: float) -> str:
    """Return what happens at a checkpoint."""
    return (
        f"Airflow stores what is known of {known} of {jobs} jobs. The wait continues in the triggerer, which asks from "
        f"{moment(first_poll_at)} on."
    )


def timeout_message(timeout: float, progress_summary: str) -> str:
    """Return how things stood when there was no more time."""
    return (
        f"Timed out after {timeout:.0f} s. {progress_summary}. The vendor keeps processing the jobs: increase "
        "`timeout`, or start a BulkJobSensor with these ids."
    )


def task_docs(does: str, conn_id: Any, job_kind: str | None, allowed_failures: Any) -> str:
    """Return what Airflow shows as the docs of a task that brings none of its own."""
    match allowed_failures:
        case None:
            allowed = "however many of their items failed"
        case float():
            allowed = f"if at most {allowed_failures:.4g} of all items failed"
        case _:
            allowed = f"if at most {allowed_failures} items failed"
    jobs = f"{job_kind} jobs" if job_kind else "jobs"
    return (  # without `code`, each piece of which Airflow 2 draws on a line of its own
        f"{does} {jobs} of connection **{conn_id}**, and lets the DAG go on {allowed}. A job that failed or was "
        "canceled as a whole never passes. The result is in XCom (*return_value*)."
    )
