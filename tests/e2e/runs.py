# SPDX-License-Identifier: Apache-2.0
"""The runs in the tests' Airflow, and their results."""

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
from local_simulator import LocalSimulator

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
HOME = Path(os.environ.get("E2E_HOME", ROOT / ".e2e"))
RUN = "e2e"
EXAMPLES = tuple(f"bulkjobs_{path.stem}" for path in sorted((ROOT / "example_dags").glob("*.py")))
# With E2E_SHORT, pipelines are left out whose vendor takes imports in the same way as another; `make demo` runs all.
ALIKE = (
    *("mailjet", "mailchimp", "zendesk_bulk", "dotdigital"),
    *("getresponse", "constant_contact", "omnisend", "eloqua", "zoho_crm"),
)
IS_SHORT = bool(os.environ.get("E2E_SHORT"))
VENDORS_LEFT_OUT = frozenset(ALIKE if IS_SHORT else ())
LEFT_OUT = {f"bulkjobs_{vendor}_contacts" for vendor in VENDORS_LEFT_OUT}
RUN_EXAMPLES = tuple(dag_id for dag_id in EXAMPLES if dag_id not in LEFT_OUT)

# The task of each DAG that judges the result.
GATES = dict.fromkeys(EXAMPLES, "import_contacts") | {
    "bulkjobs_intercom_contacts": "gate",
    "bulkjobs_failed_contacts_again": "import_again",
}

# The states that the jobs of e2e_modes return, in SendGrid's terms.
SCRIPTS: dict[str, dict[str, Any]] = {
    "poke": {"states": ["pending", "pending", "completed"]},
    "reschedule": {"states": ["pending", "completed"]},
    "soft_fail_job_failed": {"states": ["pending", "failed"]},
    "soft_fail_sensor_error": {"states": ["pending", "an undocumented state"]},
    "never_fail_sensor_error": {"states": ["pending", "an undocumented state"]},
    "finished_already": {"states": ["completed"]},
}

# The cases of e2e_start: the states that the job returns, the final state of the task, the number of its tries.
START_CASES: dict[str, tuple[list[str] | None, str, int]] = {
    "passes": (["pending", "pending", "completed"], "success", 1),
    "list": (["pending", "completed"], "success", 1),
    "none": (None, "failed", 2),
    "job_failed": (["pending", "failed"], "failed", 1),
    "job_failed_soft_fail": (["pending", "failed"], "skipped", 1),
    "timed_out": (["pending"], "failed", 1),
    "unknown_state": (["pending", "an undocumented state"], "failed", 2),
    "unknown_state_soft_fail": (["pending", "an undocumented state"], "failed", 1),
    "unknown_state_never_fail": (["pending", "an undocumented state"], "skipped", 1),
    "bad_key": (["completed"], "failed", 2),
    "no_connection": (["completed"], "failed", 2),
}


def start_jobs(simulator: LocalSimulator) -> dict[str, Any]:
    """Create the jobs of e2e_start; return the conf of its run."""

    def job(*states: str) -> str:
        return simulator.job("sendgrid", list(states))

    conf: dict[str, Any] = {"mapped": [job("pending", "completed")]}
    conf |= {name: job("pending", "completed") for name in ("template", "limited")}
    for case, (states, _, _) in START_CASES.items():
        for name in (case, f"{case}_worker"):
            ids = [job(*states) for _ in range(3 if case == "list" else 1)] if states else [None]
            conf[name] = ids if case == "list" else ids[0]
    return conf


class TriggerRows:
    """All rows of the trigger table that existed during the block, as text."""

    def __init__(self, database: Path) -> None:
        self.seen: set[str] = set()
        self._database = database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            with suppress(sqlite3.OperationalError):  # locked for a moment
                self.seen |= set(rows_of(self._database, "trigger"))


class Metric(NamedTuple):
    """One metric that StatsD received.

    :param sender: the sender's port, different for each process.
    :param kind: "c", a counter; "g", a gauge; "ms", a timing.
    """

    sender: int
    name: str
    vendor: str
    value: float
    kind: str


class StatsD(UDPServer):
    """All bulkjobs metrics that Airflow sends during the block."""

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
        """The settings that make Airflow send metrics here."""
        host, port = self.server_address
        settings = {"ON": "True", "HOST": host, "PORT": str(port), "INFLUXDB_ENABLED": "True"}
        variables = {f"AIRFLOW__METRICS__STATSD_{name}": value for name, value in settings.items()}
        return variables | {"AIRFLOW__METRICS__METRICS_ALLOW_LIST": "bulkjobs"}


def rows_of(database: Path, table: str) -> list[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return [repr(row) for row in connection.execute(f"SELECT * FROM {table}")]


@dataclass
class RunResults:
    """The results of all runs with the same id.

    :param triggers: the rows of the trigger table.
    :param metrics: the bulkjobs metrics, in the order of arrival.
    """

    airflow: LocalAirflow
    run_id: str = RUN
    triggers: set[str] = field(default_factory=set)
    metrics: list[Metric] = field(default_factory=list)

    def states(self, dag_id: str) -> dict[str, set[str]]:
        """Return the final states of each task of a DAG, of all map indexes."""
        states: dict[str, set[str]] = {}
        for task in self.airflow.tasks(self.run_id):
            if task.dag_id == dag_id:
                states.setdefault(task.task_id, set()).add(task.state)
        return states

    def query(self, sql: str, *values: Any) -> list[Any]:
        """Return the rows of a query of Airflow's database."""
        with closing(sqlite3.connect(f"file:{HOME / 'airflow.db'}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    def tries(self, dag_id: str) -> dict[str, int]:
        """Return the number of tries of each task of a DAG."""
        sql = "SELECT task_id, max(try_number) FROM task_instance WHERE dag_id = ? AND run_id = ? GROUP BY task_id"
        return dict(self.query(sql, dag_id, self.run_id))

    def worker_starts(self, dag_id: str) -> dict[str, int]:
        """Return how often a worker started each task of a DAG, from Airflow's audit log."""
        sql = "SELECT task_id, count(*) FROM log WHERE dag_id = ? AND run_id = ? AND event = 'running' GROUP BY task_id"
        return dict(self.query(sql, dag_id, self.run_id))

    def result(self, dag_id: str, task_id: str | None = None, map_index: int = -1) -> Any:
        return self.airflow.xcom(dag_id, self.run_id, task_id or GATES.get(dag_id, "gate"), map_index)

    def log(self, dag_id: str, task_id: str | None = None, where: str = "") -> str:
        return self.airflow.task_log(dag_id, self.run_id, task_id or GATES.get(dag_id, "gate"), where)
