# SPDX-License-Identifier: Apache-2.0
"""The pace of a wait in the triggerer: who is asked about when, until every job has finished."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.waiting.poll_interval import PollInterval
from airflow_provider_bulkjobs.waiting.tracker import JobTracker

Ask = Callable[[str], Coroutine[Any, Any, None]]


async def poll(wait: JobTracker, schedule: PollInterval, ask: Ask) -> None:
    """Ask about the unfinished jobs, each once per interval, until there are none.

    Many jobs are spread over the interval, and one whose answers are slow or failing holds up none of the others.

    :param ask: asks about a job, and writes the answer down in the wait.
    """
    unfinished = wait.unfinished
    if len(unfinished) == 1:
        return await _poll_one(wait, schedule, ask, unfinished[0])
    distance = schedule.wait_after(2) / max(len(unfinished), 1)
    return await run_together(
        _poll_one(wait, schedule, ask, job_id, number * distance) for number, job_id in enumerate(unfinished)
    )


async def run_together(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines to their end. When one fails, cancel the others and raise its error.

    ``asyncio.TaskGroup`` would raise a group of errors, and on Python 3.11 it can leave the calling task cancelled.
    """
    tasks = [asyncio.ensure_future(_uncanceled(coroutine)) for coroutine in coroutines]
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        errors = [error for task in tasks if task.done() and not task.cancelled() and (error := task.exception())]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    # Several may have failed at once: one of our own says most.
    for error in sorted(errors, key=lambda error: not isinstance(error, BulkJobError)):
        raise error


async def _uncanceled(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine; make an error of a cancellation that did not come from outside."""
    try:
        await coroutine
    except asyncio.CancelledError as error:
        if is_canceled():
            raise
        raise RuntimeError("a poll was canceled, and not by Airflow") from error


def is_canceled() -> bool:
    """Tell whether somebody has asked the current task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _poll_one(wait: JobTracker, schedule: PollInterval, ask: Ask, job_id: str, delay: float = 0.0) -> None:
    polls = 1  # the worker's
    await asyncio.sleep(delay)
    while True:
        await ask(job_id)
        if wait.is_finished(job_id):
            return
        polls += 1
        await asyncio.sleep(schedule.wait_after(polls))
