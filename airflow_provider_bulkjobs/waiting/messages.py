# SPDX-License-Identifier: Apache-2.0
"""The log messages of a wait, and the generated docs of the task."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.waiting.tracker import JobTracker

_FAILED_ITEMS = (
    "Next steps: (1) run BulkJobResultsOperator to get the failed items, if the vendor reports them, and resubmit "
    "them; or (2)"
)
NEXT_STEPS = f"{_FAILED_ITEMS} increase allowed_failures (None: any number) and clear this task."
NEXT_STEPS_OF_SUBMIT = (
    f"{_FAILED_ITEMS} run a BulkJobSensor with a larger allowed_failures (None: any number) on the job_ids in the "
    "XCom of this task. Do not clear this task, because that submits every record again."
)


def format_time(seconds: float) -> str:
    """Return a time in readable form."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return "a date after the year 9999"


def start_message(tracker: JobTracker, interval: float, timeout: float, page: str) -> str:
    """Return the first log message: the jobs, the poll interval, the deadline and the vendor's page."""
    look = f" {tracker.vendor.label} shows such jobs at {page}" if page else ""
    return (
        f"Waiting for {tracker.name()} of connection {tracker.conn_id!r}, polling every {interval:g} s until "
        f"{format_time(tracker.started_at + timeout)}.{look}"
    )


def deferred_message(first_poll_at: float) -> str:
    """Return the log message of a deferral."""
    return f"Deferred to the triggerer; next poll at {format_time(first_poll_at)}. The worker slot is released."


def first_poll_message(first_poll_at: float) -> str:
    """Return the log message of a wait that starts in the triggerer."""
    return f"Started in the triggerer, without a worker; first poll at {format_time(first_poll_at)}."


def worker_start_message(reason: str) -> str:
    """Return the log message of a wait that could start in the triggerer, but does not."""
    return f"Starting on a worker, not in the triggerer: {reason}"


def checkpoint_message(known: int, jobs: int, first_poll_at: float) -> str:
    """Return the log message of a checkpoint."""
    return (
        f"Checkpoint: the last known states of {known} of {jobs} jobs are stored. Deferred to the triggerer again; "
        f"next poll at {format_time(first_poll_at)}."
    )


def timeout_message(timeout: float, progress_summary: str) -> str:
    """Return the message of a timeout."""
    return (
        f"Timed out after {timeout:.0f} s. {progress_summary}. The vendor keeps processing the jobs: increase "
        "`timeout`, or start a BulkJobSensor with these ids."
    )


def task_docs(does: str, conn_id: Any, job_kind: str | None, allowed_failures: Any) -> str:
    """Return the default docs of a task."""
    match allowed_failures:
        case None:
            allowed = "with any number of failed items"
        case float():
            allowed = f"if at most {allowed_failures:.4g} of all items failed"
        case _:
            allowed = f"if at most {allowed_failures} items failed"
    jobs = f"{job_kind} jobs" if job_kind else "jobs"
    return (  # without `code`: Airflow 2 renders each piece of it on a separate line
        f"{does} {jobs} of connection **{conn_id}**. Succeeds {allowed}. Fails if a job failed or was "
        "canceled as a whole. The result is in XCom (*return_value*)."
    )
