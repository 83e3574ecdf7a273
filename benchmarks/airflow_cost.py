# SPDX-License-Identifier: Apache-2.0
"""The cost of a wait on a real Airflow, from its first task process to its last, for the sensors of benchmarks/dags.

    python benchmarks/airflow_cost.py [--waits 8] [--seconds 40]

They run one after another on the same Airflow, against the same simulator, which is not counted. Linux only: the CPU
time is read from /proc for all processes of Airflow's components, including their reaped children. It is read while no
task runs, so that no process moves from one sum to the other. The idle consumption of Airflow is measured for the same
duration, before and after, and subtracted.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import sys
import time
from contextlib import closing, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import requests

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from local_airflow import LocalAirflow  # noqa: E402
from local_simulator import LocalSimulator  # noqa: E402
from processes import Processes, tail_on_failure  # noqa: E402

HOME = ROOT / ".bench"
SCENARIOS = {
    "http_sensor": "`HttpSensor`, reschedule",
    "reschedule": "`BulkJobSensor`, reschedule",
    "poke": "`BulkJobSensor`, poke",
    "deferrable": "`BulkJobSensor`, deferrable",
    "one_sensor": "one `BulkJobSensor` for all, deferrable",
}
# Shortened for the tests; the benchmark uses Airflow's defaults.
TEST_SETTINGS = ("CORE__PARALLELISM", "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME", "WORKERS__MIN_HEARTBEAT_INTERVAL")
TEST_SETTINGS += ("TRIGGERER__JOB_HEARTBEAT_SEC", "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD")
TAIL = 16.0  # seconds after the end of the jobs: a poke_interval, the start of a task, and its end
TICKS = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """The total cost of a scenario.

    :param cpu: CPU-seconds of Airflow, idle or not.
    :param starts: the number of task processes that workers started.
    :param held: seconds in which tasks were running and held a worker slot.
    :param polls: the number of polls.
    """

    cpu: float
    starts: int
    held: float
    polls: int


class Bench:
    """An Airflow with all scenarios, and the simulator that they poll.

    :param waits: the number of concurrent waits.
    :param seconds: the duration of a job.
    """

    def __init__(self, processes: Processes, waits: int, seconds: float) -> None:
        self.waits = waits
        self.window = seconds + TAIL
        self._processes = processes
        self._simulator = LocalSimulator(processes, seconds)
        sendgrid = self._simulator.connections["sendgrid_default"]
        self._vendor = sendgrid["host"]
        key = {"Authorization": f"Bearer {sendgrid['password']}"}
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy
        self._http.headers.update(key)
        http = {"conn_type": "http", "host": self._vendor, "extra": key}
        connections = {"sendgrid_default": sendgrid, "sendgrid_http": http}
        self._airflow = LocalAirflow(HOME, [ROOT / "benchmarks" / "dags"], connections, processes)
        for name in TEST_SETTINGS:
            del self._airflow.env[f"AIRFLOW__{name}"]
        self._airflow.env["COST_WAITS"] = str(waits)

    def start(self) -> None:
        """Start Airflow, and run each sensor once as a warm-up."""
        self._airflow.start()
        for dag_id in ("http_sensor", "one_sensor"):
            jobs = [self._simulator.job("sendgrid", ["pending", "completed"]) for _ in range(self.waits)]
            self._airflow.trigger(dag_id, "warm-up", {"job_ids": jobs})
        self._airflow.wait_until(lambda: self._airflow.is_over("warm-up"), 120, "the warm-up runs")
        time.sleep(TAIL)

    def idle(self) -> float:
        """Return the CPU-seconds of an idle Airflow for the duration of a scenario."""
        before = self._cpu_seconds()
        time.sleep(self.window)
        return self._cpu_seconds() - before

    def run(self, dag_id: str) -> Cost:
        """Run a scenario. The API is not polled meanwhile, because its CPU time would be counted too."""
        before = self._cpu_seconds()
        began = time.monotonic()
        jobs = [self._submit() for _ in range(self.waits)]
        self._airflow.trigger(dag_id, "measured", {"job_ids": jobs})
        time.sleep(began + self.window - time.monotonic())
        cpu = self._cpu_seconds() - before
        self._processes.check()
        states = {task.state for task in self._airflow.tasks("measured") if task.dag_id == dag_id}
        if states != {"success"}:
            raise RuntimeError(f"tasks of {dag_id} have the states {states} after {self.window:.0f} s")
        starts, held = self._tasks_on_workers(dag_id)
        polls = self._simulator.polls()
        return Cost(cpu, starts, held, sum(polls[job_id] for job_id in jobs))

    def _submit(self) -> str:
        body = {"contacts": [{"email": "person@example.com"}]}
        response = self._http.put(f"{self._vendor}/v3/marketing/contacts", json=body, timeout=10)
        response.raise_for_status()
        job_id: str = response.json()["job_id"]
        return job_id

    def _cpu_seconds(self) -> float:
        sessions = {self._processes.session(name) for name in self._airflow.flavour.components}
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                fields = path.read_text().rpartition(")")[2].split()
                if int(fields[3]) in sessions:
                    ticks += sum(
                        map(int, fields[11:15])
                    )  # user and system time, of the process and its reaped children
        return ticks / TICKS

    def _tasks_on_workers(self, dag_id: str) -> tuple[int, float]:
        """Return the number of task starts and the total seconds on workers, from Airflow's audit log."""
        query = "SELECT map_index, event, dttm FROM log WHERE dag_id = ? AND run_id = 'measured' AND task_id = 'wait'"
        with closing(sqlite3.connect(f"file:{HOME / 'airflow.db'}?mode=ro", uri=True)) as connection:
            events = connection.execute(f"{query} ORDER BY id", [dag_id]).fetchall()
        starts, held = 0, 0.0
        since: dict[int, datetime] = {}
        for map_index, event, timestamp in events:
            at = datetime.fromisoformat(timestamp)
            if event == "running":
                starts += 1
                since[map_index] = at
            else:
                held += (at - since.pop(map_index)).total_seconds()
        return starts, held


def table(costs: dict[str, Cost], idle: float, waits: int) -> list[str]:
    columns = ["", "CPU-seconds", "relative to `HttpSensor`", "task starts", "slot-seconds", "requests"]
    base = costs["http_sensor"].cpu - idle
    lines = ["| " + " | ".join(columns).lstrip() + " |", "|---" * len(columns) + "|"]
    for dag_id, cost in costs.items():
        cpu = cost.cpu - idle
        cells = (SCENARIOS[dag_id], f"{cpu / waits:.2f}", f"{cpu / base:.2f}", *(f"{n / waits:.2f}" for n in cost[1:]))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waits", type=int, default=8, help="number of concurrent waits")
    parser.add_argument("--seconds", type=float, default=40.0, help="duration of a job")
    options = parser.parse_args()
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        with Processes(HOME) as processes, tail_on_failure(processes):
            bench = Bench(processes, options.waits, options.seconds)
            bench.start()
            idle = [bench.idle()]
            costs = {dag_id: bench.run(dag_id) for dag_id in SCENARIOS}
            idle.append(bench.idle())
    except KeyboardInterrupt:
        print("Stopped; all processes have ended.")
        return 130
    print(
        f"`python benchmarks/airflow_cost.py --waits {options.waits} --seconds {options.seconds:g}`: "
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"Airflow {version('apache-airflow')}, HTTP provider {version('apache-airflow-providers-http')}."
    )
    print(
        f"Idle for {bench.window:g} s: {idle[0]:.1f} CPU-seconds before and {idle[1]:.1f} after; not counted below. "
        "All figures are per wait.\n"
    )
    print("\n".join(table(costs, sum(idle) / 2, options.waits)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
