# SPDX-License-Identifier: Apache-2.0
"""The pace of a wait in the triggerer: who is asked about when, until every job has finished."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from airflow_provider_bulkjobs.errors import BulkJobError
from airflow_provider_bulkjobs.schedule import Schedule
from airflow_provider_bulkjobs.wait import Wait

Ask = Callable[[str], Coroutine[Any, Any, None]]


async def poll(wait: Wait, schedule: Schedule, ask: Ask) -> None:
    """Ask about the unfinished jobs, each once per interval, until there are none.

    :param ask: asks about a job, and writes the answer down in the wait.
    """
    polls = 1  # the worker's
    while unfinished := wait.unfinished:
        polls += 1
        interval = schedule.wait_after(polls)
        if len(unfinished) == 1:
            await ask(unfinished[0])
        else:
            await _ask_all(unfinished, interval, ask)
        if wait.unfinished:
            await asyncio.sleep(interval / len(unfinished))


async def _ask_all(job_ids: Sequence[str], interval: float, ask: Ask) -> None:
    """Ask about many jobs, spread over the interval, a slow answer not holding up the next question."""
    try:
        async with asyncio.TaskGroup() as group:
            for number, job_id in enumerate(job_ids):
                if number:
                    await asyncio.sleep(interval / len(job_ids))
                group.create_task(ask(job_id))
    except* BulkJobError as errors:
        raise errors.exceptions[0] from None
