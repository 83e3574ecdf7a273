# SPDX-License-Identifier: Apache-2.0
"""Defer a wait to the triggerer, at its start and after each checkpoint."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import TaskDeferred
from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.waiting.deadline import airflow_timeout
from airflow_provider_bulkjobs.waiting.poll_interval import MIN_DEFERRAL

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.triggers.bulk_job import BulkJobTrigger


def deferral(trigger: BulkJobTrigger, kwargs: dict[str, Any]) -> TaskDeferred:
    """Return the exception that defers a task.

    :param kwargs: the arguments of ``execute_complete`` other than the event.
    """
    trigger.resume_kwargs = kwargs
    return TaskDeferred(
        trigger=trigger,
        method_name="execute_complete",
        kwargs=kwargs,
        timeout=airflow_timeout(trigger.deadline - time.time()),
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
        raise BulkJobError(f"Invalid checkpoint in the trigger event: {error}. Retry the task.") from error
    trigger.first_poll_at = time.time() + max(trigger.schedule.wait_after(1), MIN_DEFERRAL)
    return trigger
