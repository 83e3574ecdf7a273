# SPDX-License-Identifier: Apache-2.0
"""The only file that asks which Airflow this is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseHook,
    BaseOperator,
    BaseOperatorLink,
    BaseSensorOperator,
    Connection,
    PokeReturnValue,
    TaskDeferred,
    conf,
)

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import AirflowRescheduleException

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context

# Airflow 2 draws connection forms with Flask AppBuilder; later ones only look into them for what to draw.
HAS_FLASK_FORMS = find_spec("airflow.www") is not None
AIRFLOWS_OWN_BACKENDS = {"EnvironmentVariablesBackend", "MetastoreBackend", "ExecutionAPISecretsBackend"}
FOUND_NOW = ConnectionError("the connection was not found, and is there at a second look")
P = ParamSpec("P")
T = TypeVar("T")
_lookups: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

__all__ = [
    "HAS_FLASK_FORMS",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRescheduleException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "Connection",
    "PokeReturnValue",
    "TaskDeferred",
    "before_skip",
    "conf",
    "ended_from_outside",
    "first_poke_at",
    "get_connection_async",
    "initialize_stats",
    "is_disowned",
    "is_unplanned_run",
    "load_stats",
    "lookup_failure",
    "run_in_thread",
    "set_task_state",
    "task_state",
    "xcom_value",
]


async def get_connection_async(conn_id: str) -> Connection:
    """Read a connection without holding the event loop.

    From Airflow 3.3.2 on there is a way that never blocks, and the attribute that came with it tells. Before,
    the asynchronous way masks secrets with a blocking call that can deadlock the triggerer, or is not there:
    https://github.com/apache/airflow/pull/71890. So the synchronous one is called, in asgiref's thread, which
    Airflow 3.0 and 3.1 need to find their way back to the loop.
    """
    # Airflow 3.1 mixes up the answers when several triggers look up connections at once: one at a time.
    async with _lookups.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        if hasattr(Connection, "aextra_dejson"):
            return await BaseHook.aget_connection(conn_id)
        return await run_in_thread(BaseHook.get_connection, conn_id)


async def run_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that may talk to Airflow, in a thread from which every Airflow finds back to the event loop."""
    from asgiref.sync import sync_to_async

    return await sync_to_async(function)(*args, **kwargs)


def lookup_failure(conn_id: str) -> Exception | None:
    """Return what kept Airflow from reading a connection that it reports as not defined, or ``None``: there is none.

    Airflow skips a secrets backend that raises, and from 3.1 on takes any error of its API server for "not found".
    Both then look like a connection that nobody has created.
    """
    try:
        for backend in _secrets_backends():
            if type(backend).__name__ not in AIRFLOWS_OWN_BACKENDS and backend.get_connection(conn_id):
                return FOUND_NOW
        return _api_failure(conn_id)
    except (ValueError, TypeError, LookupError, AttributeError, AirflowException) as error:
        # Malformed values will be malformed again. Some libraries make a ValueError of a broken response, though.
        return error if isinstance(error, OSError) else None
    except Exception as error:  # noqa: BLE001  (each secrets backend has its own)
        return error


def _secrets_backends() -> list[Any]:
    try:
        from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded as load
    except ImportError:  # Airflow 2
        from airflow.configuration import ensure_secrets_loaded as load
    return list(load())


def _api_failure(conn_id: str) -> Exception | None:
    try:
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection
    except ImportError:  # Airflow 2
        return None
    comms = getattr(task_runner, "SUPERVISOR_COMMS", None)
    if comms is None:
        return None
    answer = comms.send(GetConnection(conn_id=conn_id))
    if not isinstance(answer, ErrorResponse):
        return FOUND_NOW
    return None if answer.error is ErrorType.CONNECTION_NOT_FOUND else AirflowRuntimeError(answer)


@cache
def load_stats() -> Any:
    """Return Airflow's metrics; slow the first time."""
    from airflow.providers.common.compat.sdk import Stats

    return Stats


@cache
def initialize_stats() -> None:
    """Ready Airflow's metrics for use in the triggerer.

    There, Airflow 3.2 and 3.3 ready only the copy of their metrics that they use themselves, and not the one that the
    SDK offers. A worker has the SDK's ready, and must not do it again: what it has counted already would be lost.
    """
    stats = load_stats()
    if not hasattr(stats, "initialize"):
        return
    from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

    try:
        from airflow.sdk.observability.stats import initialize
    except ImportError:  # Airflow 3.2
        stats.initialize(factory=get_stats_factory(stats))
    else:
        initialize(factory=get_stats_factory(), export_legacy_names=conf.getboolean("metrics", "legacy_names_on"))


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


def set_task_state(store: Any, key: str, value: Any) -> None:
    """Write a value that never expires; otherwise ``[state_store] default_retention_days`` would decide."""
    try:
        from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined,unused-ignore]
    except ImportError:  # before Airflow 3.3, which has a store only in tests
        NEVER_EXPIRE = timedelta.max  # noqa: N806
    store.set(key, value, retention=NEVER_EXPIRE)


def is_disowned(error: BaseException) -> bool:
    """Return whether Airflow has refused a request because this process no longer runs the task.

    On these statuses Airflow's supervisor stops a task as well.
    """
    detail = getattr(getattr(error, "error", None), "detail", None)
    return isinstance(detail, dict) and detail.get("status_code") in {404, 409, 410}


def is_unplanned_run(context: Context) -> bool:
    """Return whether this run is neither the first one, nor a retry, nor the run of a cleared task.

    A clear raises ``max_tries``. Airflow starts a task once more, for example, after a scheduler and the tasks that it
    ran itself have died.
    """
    task_instance = context.get("ti")
    try_number, max_tries = getattr(task_instance, "try_number", None), getattr(task_instance, "max_tries", None)
    return isinstance(try_number, int) and isinstance(max_tries, int) and max_tries >= 0 and try_number > max_tries + 1


def ended_from_outside(context: Context) -> bool:
    """Return whether somebody has set the task's state while it was running.

    Airflow 2 then terminates the task, and keeps that state only where the task does not end with a failure.
    """
    task_instance: Any = context.get("ti")
    if not hasattr(task_instance, "current_state"):  # from Airflow 3 on
        return False
    from airflow.utils.state import State

    try:
        return task_instance.current_state() in State.finished
    except Exception:  # noqa: BLE001  (the database cannot be reached: assume that nobody has)
        return False


def xcom_value(ti_key: Any, key: str) -> Any:
    """Return what a task instance has pushed under a key, or ``None``."""
    from airflow.providers.common.compat.sdk import XCom

    return XCom.get_value(ti_key=ti_key, key=key)


def before_skip(error: BaseException) -> BaseException:
    """Return the error that ``soft_fail`` or ``never_fail`` has turned into a skip, or the error itself."""
    return error.__cause__ if isinstance(error, AirflowSkipException) and error.__cause__ else error
