# SPDX-License-Identifier: Apache-2.0
"""What runs in the tests' Airflow, and what was seen of it."""

import os
import re
import sqlite3
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import BaseRequestHandler, UDPServer
from typing import Any, NamedTuple, Self

from local_airflow import LocalAirflow

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
HOME = Path(os.environ.get("E2E_HOME", ROOT / ".e2e"))
RUN = "e2e"
EXAMPLES = tuple(f"bulkjobs_{path.stem}" for path in sorted((ROOT / "example_dags").glob("*.py")))

# The tasks that judge.
GATES = dict.fromkeys(EXAMPLES, "import_contacts") | {"bulkjobs_intercom_contacts": "gate"}

# What the scripted jobs of the tasks of e2e_modes answer, in SendGrid's words.
SCRIPTS: dict[str, dict[str, Any]] = {
    "poke": {"states": ["pending", "pending", "completed"]},
    "reschedule": {"states": ["pending", "completed"]},
    "soft_fail_job_failed": {"states": ["pending", "failed"]},
    "soft_fail_sensor_broken": {"states": ["pending", "a word nobody knows"]},
    "never_fail_sensor_broken": {"states": ["pending", "a word nobody knows"]},
    "finished_already": {"states": ["completed"]},
}


class TriggerRows:
    """All that is ever in the table of the triggers while the block lasts, as text."""

    def __init__(self, database: Path) -> None:
        self.seen: set[str] = set()
        self._database = database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            with suppress(sqlite3.OperationalError):  # locked for a moment
                self.seen |= set(rows_of(self._database, "trigger"))


class Metric(NamedTuple):
    """What a process has told StatsD.

    :param sender: the port it was sent from, which each process has one of.
    :param kind: "c", a counter; "g", a gauge; "ms", a timing.
    """

    sender: int
    name: str
    vendor: str
    value: float
    kind: str


class StatsD(UDPServer):
    """All of our metrics that Airflow sends while the block lasts."""

    METRIC = re.compile(r"airflow\.bulkjobs\.(\w+),vendor=(\w+):([\d.]+)\|(\w+)")

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), BaseRequestHandler)
        self.seen: list[Metric] = []
        self._thread = threading.Thread(target=self.serve_forever)

    def finish_request(self, request: Any, client_address: Any) -> None:
        name, vendor, value, kind = self.METRIC.fullmatch(request[0].decode()).groups()
        self.seen.append(Metric(client_address[1], name, vendor, float(value), kind))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def settings(self) -> dict[str, str]:
        """What tells Airflow to send them here."""
        host, port = self.server_address
        settings = {"ON": "True", "HOST": host, "PORT": str(port), "INFLUXDB_ENABLED": "True"}
        told = {f"AIRFLOW__METRICS__STATSD_{name}": value for name, value in settings.items()}
        return told | {"AIRFLOW__METRICS__METRICS_ALLOW_LIST": "bulkjobs"}


def rows_of(database: Path, table: str) -> list[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return [repr(row) for row in connection.execute(f"SELECT * FROM {table}")]


@dataclass
class ItemResult:
    """What was seen of the runs of all DAGs.

    :param triggers: the rows of the table of the triggers.
    :param metrics: our metrics, in the order in which they were told.
    """

    airflow: LocalAirflow
    triggers: set[str] = field(default_factory=set)
    metrics: list[Metric] = field(default_factory=list)

    def states(self, dag_id: str) -> dict[str, set[str]]:
        """Return how each task of a DAG ended, in all its copies."""
        states: dict[str, set[str]] = {}
        for task in self.airflow.tasks(RUN):
            if task.dag_id == dag_id:
                states.setdefault(task.task_id, set()).add(task.state)
        return states

    def result(self, dag_id: str, task_id: str | None = None, map_index: int = -1) -> Any:
        return self.airflow.xcom(dag_id, RUN, task_id or GATES.get(dag_id, "gate"), map_index)

    def log(self, dag_id: str, task_id: str | None = None, where: str = "") -> str:
        return self.airflow.task_log(dag_id, RUN, task_id or GATES.get(dag_id, "gate"), where)
