# SPDX-License-Identifier: Apache-2.0
"""The sensor's result: one small dict for any number of jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState

MAX_JOBS = 20
NUMBERS = ("total", "succeeded", "failed", "created", "updated", "deleted")
MAX_RESULT_BYTES = 4000  # as JSON; keeps the result under 4 KiB for ids of any length

WORST_FIRST = (
    JobState.FAILED,
    JobState.CANCELED,
    JobState.PARTIALLY_FAILED,
    JobState.RUNNING,
    JobState.PENDING,
    JobState.SUCCEEDED,
)


def summarize(*, vendor: str, conn_id: str, job_kind: str, jobs: Sequence[BulkJob]) -> dict[str, Any]:
    """Return the result of a wait as plain JSON.

    The state is the worst state of all jobs. The numbers are sums over all jobs, or ``None`` if the vendor does not
    report one of them. ``jobs`` lists at most the 20 worst jobs.
    """
    worst = sorted(jobs, key=lambda job: (WORST_FIRST.index(job.state), -(job.failed or 0)))
    listed = [_brief(job) for job in worst[:MAX_JOBS]]
    result: dict[str, Any] = {
        "vendor": vendor,
        "conn_id": conn_id,
        "job_kind": job_kind,
        "state": worst[0].state.value,
        "total": _sum(job.total for job in jobs),
        "succeeded": _sum(job.succeeded for job in jobs),
        "failed": _failed(jobs),
        "created": _sum(job.created for job in jobs),
        "updated": _sum(job.updated for job in jobs),
        "deleted": _sum(job.deleted for job in jobs),
        "created_at": _pick(min, (job.created_at for job in jobs)),
        "started_at": _pick(min, (job.started_at for job in jobs)),
        "finished_at": _pick(max, (job.finished_at for job in jobs)),
        "job_count": len(jobs),
        "jobs": listed,
    }
    while listed and len(json.dumps(result).encode()) > MAX_RESULT_BYTES:
        listed.pop()
    return result


def empty_result(vendor: str, conn_id: str, job_kind: str) -> dict[str, Any]:
    """Return the result of a submit without records."""
    job = BulkJob("", JobState.SUCCEEDED, "", total=0, succeeded=0, failed=0, created=0, updated=0, deleted=0)
    return {**summarize(vendor=vendor, conn_id=conn_id, job_kind=job_kind, jobs=[job]), "job_count": 0, "jobs": []}


def counted_items(result: dict[str, Any]) -> int | None:
    """Return how many items the vendor has counted: its total, or else what succeeded and failed; ``None``: unknown."""
    total: int | None = result["total"]
    if total is not None or result["succeeded"] is None:
        return total
    return int(result["succeeded"] + (result["failed"] or 0))


def with_missing(result: dict[str, Any], submitted: int) -> dict[str, Any]:
    """Return a result whose total is the number submitted; items that the vendor has not counted have failed.

    It is the same result if the vendor has counted as many, or does not count.
    """
    counted = counted_items(result)
    if counted is None or counted >= submitted:
        return result
    succeeded = result["state"] == JobState.SUCCEEDED
    failed = 0 if result["failed"] is None and succeeded else result["failed"]
    return {
        **result,
        "state": JobState.PARTIALLY_FAILED.value if succeeded else result["state"],
        "total": submitted,
        "failed": None if failed is None else failed + submitted - counted,
    }


def describe(result: dict[str, Any]) -> str:
    """Return a result as one log line."""
    numbers = [f"{name} {result[name]}" for name in NUMBERS if result[name] is not None]
    worst = [f"{job['job_id']} ({job['vendor_state']})" for job in result["jobs"][:3]]
    more = ["…"] if result["job_count"] > len(worst) else []
    return (
        f"{result['vendor']} {result['job_kind']}: {result['state']}; {', '.join(numbers) or 'no numbers'}; "
        f"jobs: {', '.join(worst + more)}"
    )


def _brief(job: BulkJob) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "state": job.state.value,
        "vendor_state": job.vendor_state,
        "total": job.total,
        "failed": job.failed,
    }


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = list(numbers)
    return None if None in known else sum(number for number in known if number)


def _failed(jobs: Sequence[BulkJob]) -> int | None:
    # A succeeded job without a count has no failed items, unless no job has a count: such a vendor never counts.
    counted = [job.failed for job in jobs]
    if all(number is None for number in counted):
        return None
    return _sum(0 if job.failed is None and job.state is JobState.SUCCEEDED else job.failed for job in jobs)


def _pick(choose: Callable[[list[str]], str], times: Iterable[str | None]) -> str | None:
    known = [time for time in times if time]
    return choose(known) if known else None
