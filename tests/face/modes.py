# SPDX-License-Identifier: Apache-2.0
"""Run a sensor to its end in any mode, as a worker and a triggerer would."""

import asyncio
import json
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from airflow_provider_bulkjobs._airflow import STARTS_IN_TRIGGER, AirflowRescheduleException, TaskDeferred
from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor
from airflow_provider_bulkjobs.triggers.starting import StartingTrigger

# "triggerer": deferrable, and started there, without a worker.
MODES = ("poke", "reschedule", "deferrable", *(["triggerer"] if STARTS_IN_TRIGGER else []))


class FirstTry:
    """The part of a task instance that a sensor in reschedule mode uses."""

    dag_id = task_id = run_id = "test"
    map_index = -1
    try_number = 1
    max_tries = 0
    first_reschedule: Any = None

    def xcom_push(self, key: str, value: Any) -> None:
        """Accept the value that the sensor stores for its link."""

    def get_first_reschedule_date(self, _context: Any) -> Any:
        return self.first_reschedule


class Store:
    """The part of the task state store of Airflow 3.3 that is used: JSON values by key."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.writes = 0

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        assert retention is not None, "the default may be shorter than the wait"
        self.values[key] = json.dumps(value)
        self.writes += 1


def make(mode: str, **arguments: Any) -> BulkJobSensor:
    arguments = {"task_id": "gate", "poke_interval": 0.05, "timeout": 20, **arguments}
    if mode in {"deferrable", "triggerer"}:
        return BulkJobSensor(deferrable=True, **arguments)
    return BulkJobSensor(deferrable=False, mode=mode, **arguments)


def run(mode: str, *, store: Store | None = None, **arguments: Any) -> Any:
    """Return what the sensor returns; raise what it raises.

    :param store: the task's state, on Airflow 3.3 and later.
    """
    sensor = make(mode, **arguments)
    if mode in {"poke", "reschedule"}:
        return _run_on_worker(sensor, {} if store is None else {"task_state_store": store})
    if mode == "triggerer":
        trigger = starting_trigger(sensor)
    else:
        try:
            return sensor.execute({})
        except TaskDeferred as deferred:
            trigger = deferred.trigger
    while True:
        event = fire(trigger)
        try:
            # Another worker resumes the task: it has only the arguments.
            return make(mode, **arguments).execute_complete({}, event)
        except TaskDeferred as deferred:
            trigger = deferred.trigger


def starting_trigger(sensor: BulkJobSensor, task_instance: Any = None) -> Any:
    """Return the trigger with which Airflow starts a sensor, with the attributes that the triggerer sets."""
    from airflow.serialization.decoders import smart_decode_trigger_kwargs
    from airflow.serialization.serialized_objects import _decode_start_trigger_args, _encode_start_trigger_args

    encoded = json.loads(json.dumps(_encode_start_trigger_args(sensor.start_trigger_args)))
    start = _decode_start_trigger_args(encoded)
    arguments = smart_decode_trigger_kwargs(start.trigger_kwargs)
    trigger = StartingTrigger(**{k: smart_decode_trigger_kwargs(v) for k, v in arguments.items()})
    trigger._task_instance = task_instance or FirstTry()
    trigger.timeout_after = datetime.now(UTC) + start.timeout
    assert (start.trigger_cls, start.next_method) == (trigger.serialize()[0], "execute_complete")
    return trigger


def _run_on_worker(sensor: BulkJobSensor, context: dict[str, Any]) -> Any:
    task_instance = FirstTry()
    with _airflow_2_asks_the_database(task_instance):
        while True:
            try:
                return sensor.execute({"ti": task_instance, **context})
            except AirflowRescheduleException as again:
                task_instance.first_reschedule = task_instance.first_reschedule or again.reschedule_date


def _airflow_2_asks_the_database(task_instance: FirstTry) -> Any:
    try:
        from airflow.sensors import base
    except ImportError:
        return nullcontext()
    if not hasattr(base, "_orig_start_date"):
        return nullcontext()
    return mock.patch.object(base, "_orig_start_date", side_effect=lambda **_: task_instance.first_reschedule)


def fire(trigger: Any) -> dict[str, Any]:
    """Serialize a trigger as the database does, run it immediately, and return its event."""
    if isinstance(trigger, StartingTrigger):
        [event] = asyncio.run(_events(trigger))
        return json.loads(json.dumps(event.payload))
    path, arguments = trigger.serialize()
    arguments = json.loads(json.dumps(arguments)) | {"first_poll_at": time.time()}
    assert path == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
    [event] = asyncio.run(_events(type(trigger)(**arguments)))
    return json.loads(json.dumps(event.payload))


async def _events(trigger: Any) -> list[Any]:
    return [event async for event in trigger.run()]
