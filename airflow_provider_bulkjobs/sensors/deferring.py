# SPDX-License-Identifier: Apache-2.0
"""Leave a wait to the triggerer, at its start and after each checkpoint."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import TaskDeferred
from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.waiting.poll_interval import FLOOR

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger

LONGEST_TIMEOUT = 10 * 365 * 86400.0  # seconds, which dates can still be reckoned with
BACKSTOP = 300.0  # seconds Airflow's own timeout leaves to the trigger's


def deferral(trigger: BulkJobTrigger, remembered: dict[str, Any]) -> TaskDeferred:
    """Return what defers a task.

    :param remembered: what ``execute_complete`` is to get beside the event.
    """
    left = max(trigger.deadline - time.time(), 0.0)
    return TaskDeferred(
        trigger=trigger,
        method_name="execute_complete",
        kwargs=remembered,
        timeout=timedelta(seconds=min(left, LONGEST_TIMEOUT) + BACKSTOP),
    )


def next_trigger(event: Any) -> BulkJobTrigger | None:
    """Return the trigger that continues a wait after a checkpoint, or ``None``: the event ends the wait."""
    from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger
    from airflow_provider_bulkjobs.triggers.event import read_checkpoint

    arguments = read_checkpoint(event)
    if arguments is None:
        return None
    try:
        trigger = BulkJobTrigger(**arguments)
    except TypeError as error:
        raise BulkJobError(f"the trigger sent a checkpoint that cannot be read: {error}. Retry the task.") from error
    trigger.first_poll_at = time.time() + max(trigger.schedule.wait_after(1), FLOOR)
    return trigger
