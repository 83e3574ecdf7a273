# SPDX-License-Identifier: Apache-2.0
"""The only file that asks which Airflow this is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseHook,
    BaseOperator,
    BaseSensorOperator,
    Connection,
    PokeReturnValue,
    TaskDeferred,
    conf,
)

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context

__all__ = [
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BaseHook",
    "BaseOperator",
    "BaseSensorOperator",
    "Connection",
    "PokeReturnValue",
    "TaskDeferred",
    "conf",
    "first_poke_at",
    "get_connection_async",
    "load_stats",
    "reschedule",
    "task_state",
]


async def get_connection_async(conn_id: str) -> Connection:
    """Read a connection without holding the event loop.

    From Airflow 3.3.2 on there is a way that never blocks, and the attribute that came with it tells. Before,
    the asynchronous way masks secrets with a blocking call that can deadlock the triggerer, or is not there:
    https://github.com/apache/airflow/pull/71890. So the synchronous one is called, in asgiref's thread, which
    Airflow 3.0 and 3.1 need to find their way back to the loop.
    """
    if hasattr(Connection, "aextra_dejson"):
        return await BaseHook.aget_connection(conn_id)
    from asgiref.sync import sync_to_async

    return await sync_to_async(BaseHook.get_connection)(conn_id)


@cache
def load_stats() -> Any:
    """Return Airflow's metrics, ready for use; slow the first time.

    In the triggerer, Airflow 3.2 does not ready the copy of its metrics that the SDK offers, and 3.3 does so only in
    passing, where it imports what reads the arguments of triggers. Done twice it does no harm.
    """
    from airflow.providers.common.compat.sdk import Stats

    if hasattr(Stats, "initialize"):
        from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

        try:
            from airflow.sdk.observability.stats import initialize
        except ImportError:  # Airflow 3.2
            Stats.initialize(factory=get_stats_factory(Stats))
        else:
            initialize(factory=get_stats_factory(), export_legacy_names=conf.getboolean("metrics", "legacy_names_on"))
    return Stats


def reschedule(at: float) -> Exception:
    """Return the exception that ends a poke and starts the next one at a time, in epoch seconds."""
    from datetime import UTC, datetime

    try:
        from airflow.sdk.exceptions import AirflowRescheduleException
    except ImportError:
        from airflow.exceptions import AirflowRescheduleException
    error: Exception = AirflowRescheduleException(datetime.fromtimestamp(at, UTC))
    return error


def first_poke_at(context: Context) -> datetime | None:
    """Return when a sensor in reschedule mode was first rescheduled in this try, or ``None`` on its first poke."""
    task_instance: Any = context.get("ti")
    if task_instance is None:
        return None
    if hasattr(task_instance, "get_first_reschedule_date"):  # Airflow 3
        return task_instance.get_first_reschedule_date(context)  # type: ignore[no-any-return]
    from airflow.sensors.base import _orig_start_date

    return _orig_start_date(  # type: ignore[no-any-return]
        dag_id=task_instance.dag_id,
        task_id=task_instance.task_id,
        run_id=task_instance.run_id,
        map_index=task_instance.map_index,
        try_number=task_instance.try_number,
    )


def task_state(context: Context) -> Any:
    """Return the store whose values outlive a try of the task, or ``None`` before Airflow 3.3."""
    return context.get("task_state_store")
