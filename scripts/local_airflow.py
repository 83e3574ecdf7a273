# SPDX-License-Identifier: Apache-2.0
"""A real Airflow on this machine, for a while: for the demo and the tests."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from os import environ, pathsep
from pathlib import Path
from typing import Any, NamedTuple

import requests
from processes import Processes

AIRFLOW = Path(sys.executable).with_name("airflow")
FINAL = ("success", "failed", "skipped", "upstream_failed", "removed")

SETTINGS = {
    "CORE__LOAD_EXAMPLES": "False",
    "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__PARALLELISM": "4",
    "CORE__FERNET_KEY": "",  # so that the tests can read what is in the database
    "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",  # it only listens to this machine
    "CORE__TEST_CONNECTION": "Enabled",
    "API__MAXIMUM_PAGE_LIMIT": "1000",
    "USAGE_DATA_COLLECTION__ENABLED": "False",
    # A trigger moves to another triggerer when its own has not been heard of for three seconds.
    "TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "3",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    # How long the end of a task's process may go unnoticed. A task that is back by then fails in the scheduler.
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
}


class Flavour(NamedTuple):
    """Where one Airflow differs from another.

    :param components: the processes it consists of.
    :param api: where the REST API starts.
    :param health: where the health of its parts is told.
    :param settings: what only it needs.
    :param config: more of what only it needs, in Python.
    :param slowness: how many times longer than usual it takes: old ones start tasks slowly, or one at a time.
    :param trigger_by_api: whether that works; in 3.0 it does not, with the pydantic that gets installed with it.
    """

    components: dict[str, list[str]]
    api: str
    health: str
    settings: dict[str, str]
    config: str = ""
    slowness: int = 1
    trigger_by_api: bool = True


def flavour(port: int) -> Flavour:
    """Return what is particular to the Airflow that is installed here, whose pages are to be at a port."""
    url, secret, address = f"http://127.0.0.1:{port}", secrets.token_hex(32), ["--port", str(port)]
    release = tuple(map(int, version("apache-airflow").split(".")[:2]))
    if release < (3, 0):
        settings = {
            "CORE__EXECUTOR": "SequentialExecutor",  # all that it lets SQLite have
            "API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
            "WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "WEBSERVER__SECRET_KEY": secret,
            "WEBSERVER__WORKERS": "1",
            "WEBSERVER__BASE_URL": url,
        }
        components = {"scheduler": [], "triggerer": [], "webserver": address}
        return Flavour(components, "/api/v1", "/health", settings, 'AUTH_ROLE_PUBLIC = "Admin"\n', slowness=10)
    settings = {
        "API__HOST": "127.0.0.1",
        "API__BASE_URL": url,
        "API__SECRET_KEY": secret,
        "API_AUTH__JWT_SECRET": secret,
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
    }
    components = {"api-server": address, "scheduler": [], "dag-processor": [], "triggerer": []}
    slowness = 1 if release >= (3, 2) else 3
    health = "/api/v2/monitor/health"
    return Flavour(components, "/api/v2", health, settings, slowness=slowness, trigger_by_api=release != (3, 0))


@dataclass(frozen=True)
class Task:
    """A task of a run, as it stands."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str
    seconds: float | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL


class LocalAirflow:
    """An Airflow with a home of its own.

    :param home: its folder, which starts empty.
    :param dags: folders with DAGs, which are copied.
    :param connections: connections by id.
    :param only: the components to start, by any Airflow's name for them; all, if none is named.
    """

    def __init__(
        self,
        home: Path,
        dags: Iterable[Path],
        connections: dict[str, dict[str, Any]],
        processes: Processes,
        only: Collection[str] = (),
    ) -> None:
        self.home = home
        self.processes = processes
        self._dags = dags
        port, worker_logs, trigger_logs = _free_ports(3)
        self.url = f"http://127.0.0.1:{port}"
        self.flavour = flavour(port)
        self._components = [name for name in self.flavour.components if not only or name in only]
        settings = SETTINGS | self.flavour.settings
        settings |= {
            "CORE__DAGS_FOLDER": str(home / "dags"),
            "LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            "LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        }
        # Nothing of the Airflow that somebody may use in this shell.
        self.env = {name: value for name, value in environ.items() if not name.startswith("AIRFLOW")}
        self.env["PATH"] = f"{AIRFLOW.parent}{pathsep}{environ['PATH']}"  # where Airflow looks for itself
        self.env |= {"AIRFLOW_HOME": str(home), "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        self.env |= {f"AIRFLOW__{name}": value for name, value in settings.items()}
        self.env |= {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()}
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy

    def start(self) -> None:
        """Start all parts, and come back when they are well and all DAGs are there."""
        for folder in self._dags:
            shutil.copytree(
                folder, self.home / "dags", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        (self.home / "webserver_config.py").write_text(self.flavour.config)
        self.processes.run("migrate", [AIRFLOW, "db", "migrate"], self.env)
        for name in self._components:
            self.start_component(name)
        self.wait_until(self._is_healthy, 120, "Airflow to be healthy")
        if self.flavour.api == "/api/v2":
            token = self._http.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
            self._http.headers["Authorization"] = f"Bearer {token}"
        files = {path.stem for path in (self.home / "dags").glob("*.py")}
        self.wait_until(lambda: self._dag_files() >= files, 90, "Airflow to read the DAGs")

    def start_component(self, name: str) -> None:
        """Start a part of Airflow, for the first time or again."""
        self.processes.start(name, [AIRFLOW, name, *self.flavour.components[name]], self.env)

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any] | None = None) -> None:
        """Start a run of a DAG."""
        if not self.flavour.trigger_by_api:
            command = [AIRFLOW, "dags", "trigger", "--run-id", run_id, "--conf", json.dumps(conf or {}), dag_id]
            self.processes.run("trigger", command, self.env)
            return
        body: dict[str, Any] = {"dag_run_id": run_id, "conf": conf or {}}
        if self.flavour.api == "/api/v2":
            body["logical_date"] = None
        self.ask("POST", f"/dags/{dag_id}/dagRuns", json=body)

    def tasks(self, run_id: str | None = None) -> list[Task]:
        """Return all tasks of the runs of that name, of any DAG; of all runs, if none is named."""
        answer = self.ask("GET", "/dags/~/dagRuns/~/taskInstances?limit=1000")
        return [
            Task(ti["dag_id"], ti["dag_run_id"], ti["task_id"], ti["map_index"], ti["state"] or "none", ti["duration"])
            for ti in answer["task_instances"]
            if run_id in {None, ti["dag_run_id"]}
        ]

    def is_over(self, run_id: str) -> bool:
        """Tell whether all runs of that name have come to an end."""
        runs = self.ask("GET", "/dags/~/dagRuns?limit=1000")["dag_runs"]
        return all(run["state"] in FINAL for run in runs if run["dag_run_id"] == run_id)

    def watch(self, run_id: str, seconds: float) -> Iterator[Task]:
        """Yield the tasks of the runs of that name whenever they change, until all runs are over."""
        seen: dict[tuple[str, str, int], str] = {}
        until = time.monotonic() + seconds * self.flavour.slowness
        over = False
        while not over:
            if time.monotonic() > until:
                raise TimeoutError(f"the runs {run_id!r} took longer than {seconds:.0f} s")
            self.processes.check()
            over = self.is_over(run_id)  # before the tasks, so that no change is missed
            for task in self.tasks(run_id):
                key = (task.dag_id, task.task_id, task.map_index)
                if seen.get(key, "none") != task.state:
                    seen[key] = task.state
                    yield task
            time.sleep(0.4)
        written = -1  # the end of a task's log may come after its state
        while written != (written := sum(path.stat().st_size for path in (self.home / "logs").rglob("*.log"))):
            time.sleep(1)

    def xcom(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, key: str = "return_value") -> Any:
        """Return what a task returned, or pushed."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.ask("GET", f"{path}?map_index={map_index}&stringify=false")["value"]

    def task_log(self, dag_id: str, run_id: str, task_id: str, where: str = "") -> str:
        """Return what a task has logged in all its copies: on the "worker", in the "trigger", or anywhere."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        logs = {path: "trigger" if ".trigger." in path.name else "worker" for path in sorted(folder.rglob("*.log"))}
        return "\n".join(path.read_text() for path, place in logs.items() if where in {"", place})

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until something is the case, as long as all processes live."""
        until = time.monotonic() + seconds
        while not condition():
            self.processes.check()
            if time.monotonic() > until:
                raise TimeoutError(f"waited {seconds:.0f} s for {what}")
            time.sleep(0.3)

    def ask(self, method: str, path: str, **how: Any) -> Any:
        """Ask the REST API."""
        answer = self._http.request(method, f"{self.url}{self.flavour.api}{path}", timeout=30, **how)
        if not answer.ok:
            raise RuntimeError(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}")
        return answer.json()

    def _is_healthy(self) -> bool:
        try:
            health = self._http.get(f"{self.url}{self.flavour.health}", timeout=10).json()
        except (requests.RequestException, ValueError):
            return False
        parts = [name.replace("-", "_") for name in self._components if name in {"scheduler", "triggerer"}]
        return all(health[name]["status"] == "healthy" for name in parts)

    def _dag_files(self) -> set[str]:
        if errors := self.ask("GET", "/importErrors")["import_errors"]:
            raise RuntimeError("\n".join(error["stack_trace"] for error in errors))
        return {Path(dag["fileloc"]).stem for dag in self.ask("GET", "/dags?limit=1000")["dags"]}


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports
