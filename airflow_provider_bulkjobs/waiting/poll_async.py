# SPDX-License-Identifier: Apache-2.0
"""The polling loop of the trigger: when each job is polled, until every job has finished."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.waiting.poll_interval import PollInterval
from airflow_provider_bulkjobs.waiting.tracker import JobTracker

PollJob = Callable[[str], Coroutine[Any, Any, None]]


async def poll(tracker: JobTracker, schedule: PollInterval, poll_job: PollJob, spread: float = math.inf) -> None:
    """Poll the unfinished jobs, each once per interval, until all have finished.

    The polls of many jobs are spread over the interval. A slow or failing job does not delay the others.

    :param poll_job: polls one job and records the response in the tracker.
    :param spread: maximum seconds over which the first polls are spread.
    """
    unfinished = tracker.unfinished
    if len(unfinished) == 1:
        return await _poll_one(tracker, schedule, poll_job, unfinished[0])
    distance = min(schedule.wait_after(2), spread) / max(len(unfinished), 1)
    return await run_together(
        _poll_one(tracker, schedule, poll_job, job_id, number * distance) for number, job_id in enumerate(unfinished)
    )


async def run_together(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines until all are done. When one fails, cancel the others and raise its error.

    ``asyncio.TaskGroup`` would raise a group of errors, and on Python 3.11 it can leave the calling task cancelled.
    """
    tasks = [asyncio.ensure_future(_check_cancellation(coroutine)) for coroutine in coroutines]
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        errors = [error for task in tasks if task.done() and not task.cancelled() and (error := task.exception())]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    # Several may have failed at once: an error of this package is the most specific.
    for error in sorted(errors, key=lambda error: not isinstance(error, BulkJobError)):
        raise error


async def _check_cancellation(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine; raise ``RuntimeError`` for a cancellation that Airflow did not request."""
    try:
        await coroutine
    except asyncio.CancelledError as error:
        if is_canceled():
            raise
        raise RuntimeError("A poll was canceled, but not by Airflow") from error


def is_canceled() -> bool:
    """Return whether a cancellation of the current task was requested."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _poll_one(
    tracker: JobTracker, schedule: PollInterval, poll_job: PollJob, job_id: str, delay: float = 0.0
) -> None:
    polls = 1  # the first poll ran on the worker, or was left out because the wait started in the triggerer
    await asyncio.sleep(delay)
    while True:
        await poll_job(job_id)
        if tracker.is_finished(job_id):
            return
        polls += 1
        await asyncio.sleep(min(schedule.wait_after(polls), tracker.longest_wait(job_id)))
