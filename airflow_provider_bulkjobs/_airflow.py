# SPDX-License-Identifier: Apache-2.0
"""Differences between Airflow versions: the only module that depends on the version."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from airflow import __version__ as airflow_version
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

# From this version on, the scheduler can start a task in the triggerer, and the triggerer has its XComs.
STARTS_IN_TRIGGER = tuple(map(int, airflow_version.split(".")[:2])) >= (3, 3)
# Airflow 2 renders connection forms with Flask AppBuilder; later versions only read the fields' attributes.
HAS_FLASK_FORMS = find_spec("airflow.www") is not None
BUILTIN_BACKENDS = {"EnvironmentVariablesBackend", "MetastoreBackend", "ExecutionAPISecretsBackend"}
FOUND_ON_RETRY = ConnectionError("the connection was not found at first, but on a second lookup")
P = ParamSpec("P")
T = TypeVar("T")

__all__ = [
    "HAS_FLASK_FORMS",
    "STARTS_IN_TRIGGER",
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
    "delete_result",
    "delete_result_async",
    "ended_from_outside",
    "first_poke_at",
    "get_connection_async",
    "has_custom_xcom_backend",
    "initialize_stats",
    "is_disowned",
    "is_unplanned_run",
    "load_stats",
    "lookup_failure",
    "plain_output",
    "pull_output",
    "push_xcom_async",
    "run_in_thread",
    "set_task_state",
    "task_state",
    "uses_trigger_queues",
    "xcom_value",
]


async def get_connection_async(conn_id: str) -> Connection:
    """Read a connection without blocking the event loop.

    From Airflow 3.3.2 on, the asynchronous method never blocks; the attribute below was added together with it. Before,
    it is missing, or masks secrets with a blocking call that can deadlock the triggerer:
    https://github.com/apache/airflow/pull/71890. There the synchronous method is called in asgiref's thread, from which
    Airflow 3.0 and 3.1 can call back into the event loop.
    """
    if hasattr(Connection, "aextra_dejson"):
        return await BaseHook.aget_connection(conn_id)
    return await run_in_thread(BaseHook.get_connection, conn_id)


async def run_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in asgiref's thread, from which any Airflow version can call back into the event loop."""
    from asgiref.sync import sync_to_async

    return await sync_to_async(function)(*args, **kwargs)


def lookup_failure(conn_id: str) -> Exception | None:
    """Return the error behind a connection that Airflow reports as not defined, or ``None`` if it does not exist.

    Airflow skips a secrets backend that raises, and from 3.1 on reports any error of its API server as "not found".
    Both look like a connection that does not exist.
    """
    try:
        for backend in _secrets_backends():
            if type(backend).__name__ not in BUILTIN_BACKENDS and backend.get_connection(conn_id):
                return FOUND_ON_RETRY
        return _api_failure(conn_id)
    except (ValueError, TypeError, LookupError, AttributeError, AirflowException) as error:
        # A malformed value stays malformed, so no retry. But some libraries raise a ValueError for a broken response.
        return error if isinstance(error, OSError) else None
    except Exception as error:  # noqa: BLE001  (it depends on the secrets backend)
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
    response = comms.send(GetConnection(conn_id=conn_id))
    if not isinstance(response, ErrorResponse):
        return FOUND_ON_RETRY
    return None if response.error is ErrorType.CONNECTION_NOT_FOUND else AirflowRuntimeError(response)


@cache
def load_stats() -> Any:
    """Return Airflow's metrics client; the first call is slow."""
    from airflow.providers.common.compat.sdk import Stats

    return Stats


@cache
def initialize_stats() -> None:
    """Initialize Airflow's metrics client in the triggerer.

    There, Airflow 3.2 and 3.3 initialize only their internal copy of the client, not the one of the SDK. A worker has
    already initialized the SDK's client; to initialize it again would lose its counts.
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
    """Return the store that persists values across retries of the task, or ``None`` before Airflow 3.3."""
    return context.get("task_state_store")


def set_task_state(store: Any, key: str, value: Any) -> None:
    """Write a value that never expires, regardless of ``[state_store] default_retention_days``."""
    try:
        from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined,unused-ignore]
    except ImportError:  # before Airflow 3.3, where only tests have a store
        NEVER_EXPIRE = timedelta.max  # noqa: N806
    store.set(key, value, retention=NEVER_EXPIRE)


def is_disowned(error: BaseException) -> bool:
    """Return whether Airflow has rejected a request because this process no longer owns the task.

    On the same statuses, Airflow's supervisor terminates the task.
    """
    detail = getattr(getattr(error, "error", None), "detail", None)
    return isinstance(detail, dict) and detail.get("status_code") in {404, 409, 410}


def is_unplanned_run(context: Context) -> bool:
    """Return whether this run is none of: the first run, a retry, the run of a task that was cleared when it had ended.

    Such a clear increases ``max_tries``, up to which Airflow retries. It also starts a task again after a scheduler has
    died together with the tasks that it ran (``adopt_or_reset_orphaned_tasks`` of its scheduler), and after a clear of
    a running task, both without an increase.
    """
    task_instance = context.get("ti")
    try_number, max_tries = getattr(task_instance, "try_number", None), getattr(task_instance, "max_tries", None)
    return isinstance(try_number, int) and isinstance(max_tries, int) and max_tries >= 0 and try_number > max_tries + 1


def ended_from_outside(context: Context) -> bool:
    """Return whether the task's state was set externally while it was running.

    Airflow 2 then terminates the task, and keeps that state only if the task does not fail.
    """
    task_instance: Any = context.get("ti")
    if not hasattr(task_instance, "current_state"):  # from Airflow 3 on
        return False
    from airflow.utils.state import State

    try:
        return task_instance.current_state() in State.finished
    except Exception:  # noqa: BLE001  (without the database, assume that it was not)
        return False


def xcom_value(ti_key: Any, key: str) -> Any:
    """Return the XCom value of a task instance, or ``None``."""
    from airflow.providers.common.compat.sdk import XCom

    return XCom.get_value(ti_key=ti_key, key=key)


def before_skip(error: BaseException) -> BaseException:
    """Return the error that ``soft_fail`` or ``never_fail`` has turned into a skip, or the error itself."""
    return error.__cause__ if isinstance(error, AirflowSkipException) and error.__cause__ else error


def plain_output(value: Any) -> dict[str, str] | None:
    """Return ``task_id`` and ``key`` of the output of a single unmapped task, or ``None`` for any other value.

    Airflow 3.3 and later.
    """
    from airflow.sdk.definitions.xcom_arg import PlainXComArg

    if not isinstance(value, PlainXComArg):
        return None
    operator = value.operator
    if operator.is_mapped or operator.get_closest_mapped_task_group() is not None:
        return None
    return {"task_id": operator.task_id, "key": value.key}


def has_custom_xcom_backend() -> bool:
    """Return whether XComs are read by code that may block, for example from object storage."""
    from airflow.sdk.execution_time.xcom import BaseXCom, XCom

    return XCom is not BaseXCom


def uses_trigger_queues() -> bool:
    """Return whether triggers belong to queues. Airflow 3.3 gives none to a task that starts in the triggerer."""
    return conf.getboolean("triggerer", "queues_enabled", fallback=False)  # type: ignore[no-any-return]


async def pull_output(task_instance: Any, output: dict[str, str]) -> Any:
    """Return the output of an unmapped task, in the triggerer (3.3 and later); ``None`` if there is none.

    :param output: from :func:`plain_output`.
    """
    return await task_instance.axcom_pull(task_ids=output["task_id"], key=output["key"], map_indexes=None)


async def push_xcom_async(task_instance: Any, key: str, value: Any) -> None:
    """Push an XCom in the triggerer (3.3 and later), where ``axcom_push`` of the task instance fails."""
    from airflow.providers.common.compat.sdk import XCom

    await XCom.aset(key, value, **_xcom_place(task_instance))


def delete_result(task_instance: Any) -> None:
    """Delete the result of an earlier try, on a worker (3.3 and later).

    Airflow does that only for a task that starts on a worker.
    """
    if message := _result_to_delete(task_instance):
        _supervisor().send(message)


async def delete_result_async(task_instance: Any) -> None:
    """Delete the result of an earlier try, in the triggerer (3.3 and later)."""
    if message := _result_to_delete(task_instance):
        await _supervisor().asend(message)


def _result_to_delete(task_instance: Any) -> Any:
    if getattr(task_instance, "try_number", 1) <= 1:
        return None
    from airflow.sdk.execution_time.comms import DeleteXCom

    # XCom.delete would first read it, and log an error if there is none.
    return DeleteXCom(key="return_value", **_xcom_place(task_instance))


def _supervisor() -> Any:
    from airflow.sdk.execution_time import task_runner

    return task_runner.SUPERVISOR_COMMS


def _xcom_place(task_instance: Any) -> dict[str, Any]:
    return {name: getattr(task_instance, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
