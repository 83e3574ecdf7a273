# SPDX-License-Identifier: Apache-2.0
"""Whether a wait can start in the triggerer, without a worker, and the arguments with which Airflow starts it there.

Airflow 3.3 and later: https://airflow.apache.org/docs/apache-airflow/stable/authoring-and-scheduling/deferring.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import (
    STARTS_IN_TRIGGER,
    has_custom_xcom_backend,
    plain_output,
    uses_trigger_queues,
)
from airflow_provider_bulkjobs.arguments import is_literal, read_job_ids
from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.waiting.deadline import airflow_timeout

if TYPE_CHECKING:
    from airflow.triggers.base import StartTriggerArgs

    from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

TRIGGER = "airflow_provider_bulkjobs.triggers.starting.StartingTrigger"
DEFAULT_POOL = "default_pool"
# For each wait that starts in the triggerer, Airflow decodes the whole DAG there, on the event loop: about 0.05 ms per
# task, for all waits that start together. This keeps the loop responsive for other triggers.
MAX_DECODED_TASKS = 1000
TOO_LARGE = f"the number of tasks in its DAG times the number of its sensors is more than {MAX_DECODED_TASKS}"


def needs_worker(task: BulkJobSensor) -> str | None:
    """Return why a wait must start on a worker, or ``None`` if it can start in the triggerer.

    Airflow starts it there without a look at pools, limits and callbacks, and with the arguments as they are in the
    DAG.
    """
    if not STARTS_IN_TRIGGER:
        return "Airflow is older than 3.3"
    obstacles = {
        "deferrable is False": not task.deferrable,
        "its class is a subclass of BulkJobSensor": "start_trigger_args" not in vars(type(task)),
        "it is in a mapped task group": task.get_closest_mapped_task_group() is not None,
        "execution_timeout is set": task.execution_timeout is not None,
        f"its pool is not {DEFAULT_POOL}": task.pool != DEFAULT_POOL,
        "max_active_tis_per_dag is set": task.max_active_tis_per_dag is not None,
        "max_active_tis_per_dagrun is set": task.max_active_tis_per_dagrun is not None,
        "pre_execute is set": task._pre_execute_hook is not None,
        "on_execute_callback is set": bool(task.on_execute_callback),
        "job_id is not a literal, and not the output of an unmapped task": not (
            is_literal(task.job_id) or plain_output(task.job_id)
        ),
        "conn_id, allowed_failures or expected_items is not a literal": not all(
            map(is_literal, (task.conn_id, task.allowed_failures, task.expected_items))
        ),
        "[core] xcom_backend is set": has_custom_xcom_backend(),
        "[triggerer] queues_enabled is set": uses_trigger_queues(),
        TOO_LARGE: is_too_large(task),
    }
    return next((reason for reason, applies in obstacles.items() if applies), None)


def is_too_large(task: BulkJobSensor) -> bool:
    """Return whether a task's DAG is too large to be decoded in the triggerer for each of its waits."""
    tasks = task.dag.tasks if task.has_dag() else []
    waits: int = sum(getattr(each, "may_start_in_trigger", False) for each in tasks)
    return waits * len(tasks) > MAX_DECODED_TASKS


class StartTriggerArguments:
    """The attribute ``start_trigger_args`` of a sensor: ``None`` if the wait must start on a worker.

    It is computed when Airflow serializes the DAG, and not before: a cluster policy, or the DAG, may have changed the
    task's arguments. The class itself has none, so a mapped sensor starts on a worker.
    """

    def __get__(self, task: BulkJobSensor | None, owner: type) -> StartTriggerArgs | None:
        """Return the arguments of the trigger."""
        return start_arguments(task) if task is not None and task.may_start_in_trigger else None


class StartFromTrigger:
    """The attribute ``start_from_trigger`` of a sensor: whether Airflow starts it in the triggerer."""

    def __get__(self, task: BulkJobSensor | None, owner: type) -> bool:
        """Return whether the wait starts in the triggerer."""
        return task is not None and task.start_trigger_args is not None


def start_arguments(task: BulkJobSensor) -> StartTriggerArgs | None:
    """Return the arguments with which Airflow starts a wait in the triggerer, or ``None``.

    The only argument of the trigger is ``plan``: Airflow would render arguments that are named like a template field.
    """
    if needs_worker(task):
        return None
    from airflow.triggers.base import StartTriggerArgs

    output = plain_output(task.job_id)
    try:
        job_ids = None if output else read_job_ids(task.job_id)
    except BulkJobError:  # set after the constructor; the worker raises the error, instead of the DAG processor
        return None
    plan: dict[str, Any] = {
        "job_ids": job_ids,
        "output": output,
        "timeout": task.timeout,
        **task.trigger_arguments,
    }
    return StartTriggerArgs(
        trigger_cls=TRIGGER,
        trigger_kwargs={"plan": plan},
        next_method="execute_complete",
        timeout=airflow_timeout(task.timeout),
    )
