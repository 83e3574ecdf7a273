# SPDX-License-Identifier: Apache-2.0
"""The pace of a wait in the triggerer: who is asked about when, until every job has finished."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from airflow_provider_bulkjobs.errors import BulkJobError
from airflow_provider_bulkjobs.schedule import Schedule
from airflow_provider_bulkjobs.wait import Wait

Ask = Callable[[str], Coroutine[Any, Any, None]]


async def poll(wait: Wait, schedule: Schedule, ask: Ask) -> None:
    """Ask about the unfinished jobs, each once per interval, until there are none.

    Many jobs are spread over the interval, and one whose answers are slow or failing holds up none of the others.

    :param ask: asks about a job, and writes the answer down in the wait.
    """
    unfinished = wait.unfinished
    if len(unfinished) == 1:
        return await _poll_one(wait, schedule, ask, unfinished[0])
    distance = schedule.wait_after(2) / max(len(unfinished), 1)
    try:
        async with asyncio.TaskGroup() as group:
            for number, job_id in enumerate(unfinished):
                group.create_task(_poll_one(wait, schedule, ask, job_id, number * distance))
    except* BulkJobError as errors:
        raise errors.exceptions[0] from None
    return None


async def _poll_one(wait: Wait, schedule: Schedule, ask: Ask, job_id: str, delay: float = 0.0) -> None:
    polls = 1  # the worker's
    await asyncio.sleep(delay)
    while True:
        await ask(job_id)
        if wait.is_finished(job_id):
            return
        polls += 1
        await asyncio.sleep(schedule.wait_after(polls))
