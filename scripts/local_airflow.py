# SPDX-License-Identifier: Apache-2.0
"""A real, temporary Airflow on this machine, for the demo and the tests."""

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
    "CORE__FERNET_KEY": "",  # so that the tests can read the database
    "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",  # it only listens on localhost
    "CORE__TEST_CONNECTION": "Enabled",
    "API__MAXIMUM_PAGE_LIMIT": "1000",
    "USAGE_DATA_COLLECTION__ENABLED": "False",
    # A trigger moves to another triggerer after three seconds without a heartbeat.
    "TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "3",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    # How soon the end of a task's process is noticed. A task that resumes earlier fails in the scheduler.
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
}


class Flavour(NamedTuple):
    """The differences between Airflow versions.

    :param components: its processes, with their arguments.
    :param api: the base path of the REST API.
    :param health: the path of the health check.
    :param settings: settings that only this version needs.
    :param config: the content of webserver_config.py.
    :param slowness: a factor for timeouts: old versions start tasks slowly, or one at a time.
    :param trigger_by_api: whether the API can trigger runs; in 3.0 it cannot, because of the pydantic it installs.
    :param starts_early: whether the executor may start a task before the database says that it is queued: on a busy
        machine a task of 3.0 then fails without having run.
    """

    components: dict[str, list[str]]
    api: str
    health: str
    settings: dict[str, str]
    config: str = ""
    slowness: int = 1
    trigger_by_api: bool = True
    starts_early: bool = False


def flavour(port: int) -> Flavour:
    """Return the flavour of the installed Airflow.

    :param port: of its web UI.
    """
    url, secret, address = f"http://127.0.0.1:{port}", secrets.token_hex(32), ["--port", str(port)]
    release = tuple(map(int, version("apache-airflow").split(".")[:2]))
    if release < (3, 0):
        settings = {
            "CORE__EXECUTOR": "SequentialExecutor",  # the only one that supports SQLite
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
    is_first = release == (3, 0)
    return Flavour(
        components,
        "/api/v2",
        health,
        settings,
        slowness=slowness,
        trigger_by_api=not is_first,
        starts_early=is_first,
    )


@dataclass(frozen=True)
class Task:
    """The current state of a task of a run."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str
    seconds: float | None

    @property
    def is_over(self) -> bool:
        """Whether its state is final."""
        return self.state in FINAL


class LocalAirflow:
    """An Airflow with a separate home.

    :param home: its folder, initially empty.
    :param dags: folders of DAGs, which are copied.
    :param connections: connections by id; added is "warehouse", a SQLite database for the examples.
    :param only: the components to start, by their name in any Airflow version; all, if empty.
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
        connections = {"warehouse": {"conn_type": "sqlite", "host": str(home / "warehouse.db")}, **connections}
        port, worker_logs, trigger_logs = _free_ports(3)
        self.url = f"http://127.0.0.1:{port}"
        self.flavour = flavour(port)
        self.components = [name for name in self.flavour.components if not only or name in only]
        settings = SETTINGS | self.flavour.settings
        settings |= {
            "CORE__DAGS_FOLDER": str(home / "dags"),
            "LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            "LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            # A busy machine may lock SQLite for longer than its 5 s, after which the scheduler ends.
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=30",
        }
        # Without the settings of any Airflow that is configured in this shell.
        self.env = {name: value for name, value in environ.items() if not name.startswith("AIRFLOW")}
        self.env["PATH"] = f"{AIRFLOW.parent}{pathsep}{environ['PATH']}"  # Airflow looks for its own command there
        self.env |= {"AIRFLOW_HOME": str(home), "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        self.env |= {f"AIRFLOW__{name}": value for name, value in settings.items()}
        self.env |= {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()}
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy

    def start(self) -> None:
        """Start all components, and return when they are healthy and all DAGs are parsed."""
        for folder in self._dags:
            shutil.copytree(
                folder, self.home / "dags", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        (self.home / "webserver_config.py").write_text(self.flavour.config)
        self.processes.run("migrate", [AIRFLOW, "db", "migrate"], self.env)
        for name in self.components:
            self.start_component(name)
        self.wait_until(self._is_healthy, 120, "Airflow to become healthy")
        if self.flavour.api == "/api/v2":
            token = self._http.get(f"{self.url}/auth/token", timeout=30).json()["access_token"]
            self._http.headers["Authorization"] = f"Bearer {token}"
        files = {path.stem for path in (self.home / "dags").glob("*.py")}
        self.wait_until(lambda: self._dag_files() >= files, 90, "Airflow to parse the DAGs")

    def start_component(self, name: str) -> None:
        """Start or restart a component of Airflow; the scheduler is restarted whenever it ends."""
        command = [AIRFLOW, name, *self.flavour.components[name]]
        # It ends after an error of its database, such as a lock that lasts too long, and relies on a service manager.
        self.processes.start(name, command, self.env, restart=name == "scheduler")

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any] | None = None) -> None:
        """Start a run of a DAG."""
        if not self.flavour.trigger_by_api:
            command = [AIRFLOW, "dags", "trigger", "--run-id", run_id, "--conf", json.dumps(conf or {}), dag_id]
            self.processes.run("trigger", command, self.env)
            return
        body: dict[str, Any] = {"dag_run_id": run_id, "conf": conf or {}}
        if self.flavour.api == "/api/v2":
            body["logical_date"] = None
        self.request("POST", f"/dags/{dag_id}/dagRuns", json=body)

    def tasks(self, run_id: str | None = None) -> list[Task]:
        """Return all tasks of the runs with this id, of any DAG; of all runs, if ``None``."""
        body = self.request("GET", "/dags/~/dagRuns/~/taskInstances?limit=1000")
        return [
            Task(ti["dag_id"], ti["dag_run_id"], ti["task_id"], ti["map_index"], ti["state"] or "none", ti["duration"])
            for ti in body["task_instances"]
            if run_id in {None, ti["dag_run_id"]}
        ]

    def is_over(self, run_id: str) -> bool:
        """Return whether all runs with this id have finished."""
        runs = self.request("GET", "/dags/~/dagRuns?limit=1000")["dag_runs"]
        return all(run["state"] in FINAL for run in runs if run["dag_run_id"] == run_id)

    def watch(self, run_id: str, seconds: float) -> Iterator[Task]:
        """Yield the tasks of the runs with this id on each change of their state, until all runs have finished.

        Where the executor starts tasks too early, a task that failed for that reason is cleared once.
        """
        seen: dict[tuple[str, str, int], str] = {}
        cleared: set[tuple[str, str]] = set()
        until = time.monotonic() + seconds * self.flavour.slowness
        over = False
        while not over:
            if time.monotonic() > until:
                raise TimeoutError(f"runs {run_id!r} not finished after {seconds:.0f} s")
            self.processes.check()
            over = self.is_over(run_id)  # before the tasks, so that no change is missed
            for task in self.tasks(run_id):
                if self.flavour.starts_early and self._clear_unstarted(task, cleared):
                    over = False
                key = (task.dag_id, task.task_id, task.map_index)
                if seen.get(key, "none") != task.state:
                    seen[key] = task.state
                    yield task
            time.sleep(0.4)
        written = -1  # the end of a task's log may be written after its state
        while written != (written := sum(path.stat().st_size for path in (self.home / "logs").rglob("*.log"))):
            time.sleep(1)

    def _clear_unstarted(self, task: Task, cleared: set[tuple[str, str]]) -> bool:
        """Clear a task that has failed without having run, for the first time; return whether it was cleared."""
        if task.state != "failed" or task.seconds is not None or (task.dag_id, task.task_id) in cleared:
            return False
        cleared.add((task.dag_id, task.task_id))
        body = {"dry_run": False, "dag_run_id": task.run_id, "task_ids": [task.task_id], "include_downstream": True}
        self.request("POST", f"/dags/{task.dag_id}/clearTaskInstances", json=body)
        return True

    def xcom(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, key: str = "return_value") -> Any:
        """Return an XCom value of a task."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.request("GET", f"{path}?map_index={map_index}&stringify=false")["value"]

    def task_log(self, dag_id: str, run_id: str, task_id: str, where: str = "") -> str:
        """Return the logs of a task with all map indexes: of the "worker", of the "trigger", or both."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        logs = {path: "trigger" if ".trigger." in path.name else "worker" for path in sorted(folder.rglob("*.log"))}
        return "\n".join(path.read_text() for path, place in logs.items() if where in {"", place})

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for a condition, as long as all processes are running."""
        until = time.monotonic() + seconds
        while not condition():
            self.processes.check()
            if time.monotonic() > until:
                raise TimeoutError(f"timed out after {seconds:.0f} s waiting for {what}")
            time.sleep(0.3)

    def request(self, method: str, path: str, **kwargs: Any) -> Any:
        """Send a request to the REST API; again if SQLite was locked, which is a 500 and has changed nothing."""
        url = f"{self.url}{self.flavour.api}{path}"
        for pause in (1, 2, 4, 0):
            response = self._http.request(method, url, timeout=60, **kwargs)
            if response.status_code != 500 or "Database error" not in response.text or not pause:
                break
            time.sleep(pause)
        if not response.ok:
            raise RuntimeError(f"Airflow returned {response.status_code} for {method} {path}: {response.text[:500]}")
        return response.json()

    def _is_healthy(self) -> bool:
        try:
            health = self._http.get(f"{self.url}{self.flavour.health}", timeout=10).json()
        except (requests.RequestException, ValueError):
            return False
        parts = [name.replace("-", "_") for name in self.components if name in {"scheduler", "triggerer"}]
        return all(health[name]["status"] == "healthy" for name in parts)

    def _dag_files(self) -> set[str]:
        if errors := self.request("GET", "/importErrors")["import_errors"]:
            raise RuntimeError("\n".join(error["stack_trace"] for error in errors))
        return {Path(dag["fileloc"]).stem for dag in self.request("GET", "/dags?limit=1000")["dags"]}


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports
