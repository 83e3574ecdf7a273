# SPDX-License-Identifier: Apache-2.0
"""An Airflow like in production: PostgreSQL, Redis, Celery, two schedulers and triggerers, restarted when they end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import requests
from chaos.relay import Relay, relay_to
from chaos.scenarios import Event, Scenario
from local_airflow import AIRFLOW, LocalAirflow
from local_simulator import LocalSimulator
from postgres_server import PostgresServer, programs
from processes import Processes
from redis_server import PROGRAM, REASON, RedisServer, redis_server

HERE = Path(__file__).parent
RELEASE = ".".join(version("apache-airflow").split(".")[:2])
HAS_CELERY = find_spec("airflow.providers.celery") is not None
JOB_SECONDS = 3.0  # how long the jobs of submits take
SETTINGS = {
    "CORE__PARALLELISM": "32",
    "CELERY__WORKER_CONCURRENCY": "8",
    "CELERY__OPERATION_TIMEOUT": "5",
    # A task is given up 90 s after its last heartbeat, not 300: longer than all outages, shorter than the freeze.
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "90",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "90",  # the same in Airflow 2
    "SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "3",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
    # So is a task that a worker had taken from the queue and not started when it died; the default is ten minutes.
    "SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    # The tasks of a scheduler that has died are taken over soon.
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
    "WORKERS__MAX_FAILED_HEARTBEATS": "100",  # as docs/delivery_guarantees.md says
    "API__WORKERS": "1",
    "DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "SCHEDULER__PARSING_PROCESSES": "1",
}
COMPONENTS_3 = ("api-server", "dag-processor", "scheduler", "scheduler-2", "triggerer", "triggerer-2")
COMPONENTS_2 = ("webserver", "scheduler", "scheduler-2", "triggerer", "triggerer-2")


def missing() -> str:
    """Return what is not installed, and how to install it; nothing, if everything is."""
    if programs() is None:
        return "PostgreSQL's programs (initdb, postgres) are not installed: apt-get install postgresql"
    return REASON if HAS_CELERY and PROGRAM is None else ""


class ProductionAirflow(LocalAirflow):
    """An Airflow on PostgreSQL: with Celery if its provider is installed, otherwise with the LocalExecutor.

    Its connections are in its database, and its processes are restarted when they end.

    :param scenarios: each has a DAG.
    :param database: the folder of PostgreSQL's socket.
    :param redis: the broker, and the storage of the rate limits.
    """

    def __init__(
        self, home: Path, scenarios: list[Scenario], processes: Processes, database: str, redis: RedisServer | None
    ) -> None:
        super().__init__(home, [HERE / "dags"], {}, processes)
        self.components = list(COMPONENTS_2 if RELEASE.startswith("2.") else COMPONENTS_3)
        url = f"postgresql+psycopg2://postgres@/postgres?host={database}"
        settings = SETTINGS | {"DATABASE__SQL_ALCHEMY_CONN": url, "CORE__EXECUTOR": "LocalExecutor"}
        if redis:
            self.components.append("worker")
            settings |= {
                "CORE__EXECUTOR": "CeleryExecutor",
                "CELERY__BROKER_URL": redis.celery_url,
                "CELERY__RESULT_BACKEND": f"db+{url}",
                "BULKJOBS__RATE_LIMIT_STORAGE": redis.url,
            }
        self.env |= {f"AIRFLOW__{name}": value for name, value in settings.items()}
        self.env["CHAOS_SCENARIOS"] = json.dumps([scenario.as_json() for scenario in scenarios])

    def start_component(self, name: str) -> None:
        kind = re.sub(r"-\d+$", "", name)
        command = ["celery", "worker"] if kind == "worker" else [kind, *self.flavour.components[kind]]
        if name in {"scheduler-2", "triggerer-2", "worker"}:
            command.append("--skip-serve-logs")
        self.processes.start(name, [AIRFLOW, *command], self.env, restart=True)

    def add_connection(self, conn_id: str, connection: dict[str, Any]) -> None:
        extra = {"extra": json.dumps(connection["extra"])} if "extra" in connection else {}
        self.request("POST", "/connections", json={"connection_id": conn_id, **connection, **extra})

    def is_over(self, run_id: str) -> bool:
        """Return whether all runs with this id have finished; not, if Airflow cannot tell."""
        with suppress(requests.RequestException, RuntimeError):
            return super().is_over(run_id)
        return False


class Stack:
    """Airflow with its database and broker, and a simulated vendor behind a relay for each scenario."""

    def __init__(self, home: Path, scenarios: list[Scenario], processes: Processes, exits: ExitStack) -> None:
        self.processes = processes
        folder = programs()
        assert folder is not None
        self.postgres = PostgresServer(folder, max_connections=200)
        exits.callback(self.postgres.remove)
        self.postgres.create()
        self.postgres.start()
        # With Celery only. What is queued survives an outage, as it does in a broker of production.
        self.redis = exits.enter_context(redis_server("--appendonly", "yes")) if HAS_CELERY else None
        self.airflow = ProductionAirflow(home, scenarios, processes, self.postgres.socket, self.redis)
        self.airflow.start()
        self._exits = exits

    def vendor_of(self, scenario: Scenario) -> tuple[LocalSimulator, Relay]:
        """Start the simulated vendor of a scenario, with a relay and the connections."""
        simulator = LocalSimulator(self.processes, JOB_SECONDS, f"simulator-{scenario.name}")
        relay = self._exits.enter_context(relay_to(simulator.url))
        if scenario.limit:
            simulator.control("settings", {"limits": {"sendgrid": {"requests": scenario.limit, "per_seconds": 1}}})
        for vendor in ("activecampaign", "intercom", "sendgrid"):
            connection = simulator.connections[f"{vendor}_default"]
            connection["host"] = connection["host"].replace(simulator.url, relay.url)
            if scenario.limit:
                connection["extra"] = connection.get("extra", {}) | {"requests_per_second": scenario.limit}
            self.airflow.add_connection(f"{scenario.name}_{vendor}", connection)
        return simulator, relay

    def act(self, event: Event) -> None:
        """Do what an event of a component says."""
        for name in event.target.split():
            if name in {"postgres", "redis"}:
                server = self.postgres if name == "postgres" else self.redis
                assert server is not None
                server.start() if event.action == "start" else server.stop()
            elif event.action == "start":
                self.airflow.start_component(name)
            elif event.action == "kill":
                self.processes.signal(name, signal.SIGKILL)
            elif event.action == "stop":
                self.processes.kill(name)
            else:
                self.processes.signal(name, signal.SIGSTOP if event.action == "freeze" else signal.SIGCONT)

    def dump(self) -> str:
        """Return Airflow's database without its connections, which have the secrets; nothing else is encrypted."""
        command = [self.postgres.folder / "pg_dump", "-h", self.postgres.socket, "-U", "postgres", "--data-only"]
        return subprocess.run(
            [*command, "--exclude-table-data=connection", "postgres"], check=True, capture_output=True, text=True
        ).stdout


@contextmanager
def running_stack(home: Path, scenarios: list[Scenario], processes: Processes) -> Iterator[Stack]:
    """Run a stack during the block."""
    with ExitStack() as exits:
        yield Stack(home, scenarios, processes, exits)
