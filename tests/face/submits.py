# SPDX-License-Identifier: Apache-2.0
"""Fakes for a task that submits: a task instance, and the task state store of Airflow 3.3."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator

PERSON = {"email": "person@example.com"}


class TaskInstance:
    """One try of a task.

    :param fails: raises an error for the XCom keys that cannot be pushed.
    """

    dag_id = task_id = run_id = "import"
    map_index = -1

    def __init__(
        self, try_number: int = 1, max_tries: int = 0, fails: Callable[[str], None] = lambda _key: None
    ) -> None:
        self.try_number = try_number
        self.max_tries = max_tries
        self.fails = fails
        self.xcom: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.fails(key)
        self.xcom[key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.xcom.get(key)


class Store:
    """The task's state.

    :param fails: raises an error for the values that cannot be written.
    """

    def __init__(self, fails: Callable[[Any], None] = lambda _value: None) -> None:
        self.fails = fails
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: timedelta) -> None:
        if retention != timedelta.max:
            raise TypeError("only timedelta.max never expires")
        self.fails(value)
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        raise AssertionError(f"{key} must stay: Airflow may still lose the task's result")


def make(conn_id: str, **arguments: Any) -> BulkJobOperator:
    """Return a submit of one contact; ActiveCampaign's is not idempotent."""
    values = {"task_id": "import", "conn_id": conn_id, "records": [PERSON], "poke_interval": 0.05, "timeout": 5}
    return BulkJobOperator(**{**values, "deferrable": False, **arguments})


def submits(sim: Any, vendor: str = "activecampaign") -> int:
    """Return how many requests to submit the vendor has seen."""
    return sum(request.method != "GET" for request in sim.requests(vendor))
