# SPDX-License-Identifier: Apache-2.0
"""The cost of a wait on a real Airflow, from its first task process to its last, for the sensors of benchmarks/dags.

    python benchmarks/airflow_cost.py [--waits 20] [--seconds 30] [--apart 4] [--only worker,triggerer] [--json FILE]

They run one after another on the same Airflow, against the same simulator, which is not counted: first with jobs that
end together, then with jobs that end one by one. Linux only: the CPU time is read from /proc for all processes of
Airflow's components, including their reaped children. It is read while no task runs, so that no process moves from one
sum to the other. The idle consumption of Airflow is measured before and after, and subtracted, and so is the cost of
the task that returns the job ids.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import sys
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import requests

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from local_airflow import FINAL, LocalAirflow  # noqa: E402
from local_simulator import LocalSimulator  # noqa: E402
from processes import Processes, tail_on_failure  # noqa: E402

HOME = ROOT / ".bench"
SCENARIOS = {
    "http_sensor": "`HttpSensor`, reschedule",
    "reschedule": "`BulkJobSensor`, reschedule",
    "poke": "`BulkJobSensor`, poke",
    "worker": "`BulkJobSensor`, deferrable, started on a worker",
    "triggerer": "`BulkJobSensor`, deferrable, started in the triggerer",
    "one_sensor": "one `BulkJobSensor` for all, deferrable",
}
ONE_BY_ONE = ("http_sensor", "worker", "triggerer")  # the others take long, and show nothing else
# Shortened for the tests; the benchmark uses Airflow's defaults.
TEST_SETTINGS = ("CORE__PARALLELISM", "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME", "WORKERS__MIN_HEARTBEAT_INTERVAL")
TEST_SETTINGS += ("TRIGGERER__JOB_HEARTBEAT_SEC", "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD")
IDLE = 40.0  # seconds for which the idle consumption is measured
SETTLE = 5.0  # seconds until the last process of a run has ended
PATIENCE = 300.0  # seconds after the end of the jobs
TICKS = os.sysconf("SC_CLK_TCK")

Usage = dict[str, float]  # CPU-seconds, or CPU-seconds per second, of each component


class Cost(NamedTuple):
    """The total cost of a scenario.

    :param cpu_by_component: CPU-seconds of each component of Airflow, without its idle consumption and the task that
        returns the job ids; the scheduler's include the workers.
    :param starts: the number of task processes that workers started.
    :param held: seconds in which tasks were running and held a worker slot.
    :param polls: the number of polls.
    :param delays: seconds from the end of each job to the end of its task.
    """

    cpu_by_component: Usage
    starts: int
    held: float
    polls: int
    delays: list[float]

    @property
    def cpu(self) -> float:
        """CPU-seconds of all components."""
        return sum(self.cpu_by_component.values())


class Bench:
    """An Airflow with all scenarios, and the simulator that they poll.

    :param waits: the number of concurrent waits.
    :param seconds: the duration of a job.
    """

    def __init__(self, processes: Processes, waits: int, seconds: float) -> None:
        self.waits = waits
        self.seconds = seconds
        self.idle_rate: Usage = {}
        self.upstream_cpu: Usage = {}
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
        """Start Airflow, and run some sensors once as a warm-up."""
        self._airflow.start()
        for dag_id in ("http_sensor", "triggerer", "one_sensor"):
            jobs = [self._simulator.job("sendgrid", ["pending", "completed"]) for _ in range(self.waits)]
            self._airflow.trigger(dag_id, "warm-up", {"job_ids": jobs})
        self._airflow.wait_until(lambda: self._airflow.is_over("warm-up"), 300, "the warm-up runs")
        time.sleep(SETTLE)

    def idle(self) -> Usage:
        """Return the CPU-seconds per second of an idle Airflow."""
        before = self._cpu_seconds()
        time.sleep(IDLE)
        return {name: (seconds - before[name]) / IDLE for name, seconds in self._cpu_seconds().items()}

    def upstream(self) -> Usage:
        """Return the CPU-seconds of the task that returns the job ids, which each scenario has."""
        before, began = self._cpu_seconds(), time.monotonic()
        self._airflow.trigger("job_ids", "measured", {"job_ids": ["none"] * self.waits})
        sql = "SELECT count(*) FROM task_instance WHERE dag_id = 'job_ids' AND state = 'success'"
        self._airflow.wait_until(lambda: bool(self._query(sql)[0][0]), PATIENCE, "the upstream task")
        time.sleep(SETTLE)
        return self._used(before, began)

    def run(self, dag_id: str, apart: float) -> Cost:
        """Run a scenario. The API is not polled meanwhile, because its CPU time would be counted too.

        :param apart: seconds between the ends of two jobs.
        """
        run_id = f"apart-{apart:g}"
        before = self._cpu_seconds()
        began = time.monotonic()
        ends = {}
        for number in range(self.waits):
            ends[self._submit(self.seconds + apart * number)] = time.time() + self.seconds + apart * number
        self._airflow.trigger(dag_id, run_id, {"job_ids": list(ends)})
        until = began + self.seconds + apart * self.waits + PATIENCE
        while not (ended := self._ends(dag_id, run_id)) and time.monotonic() < until:
            time.sleep(1)
        time.sleep(SETTLE)
        used = self._used(before, began)
        self._processes.check()
        states = {task.state for task in self._airflow.tasks(run_id) if task.dag_id == dag_id}
        if states != {"success"}:
            raise RuntimeError(f"tasks of {dag_id} have the states {states} after {time.monotonic() - began:.0f} s")
        starts, held = self._tasks_on_workers(dag_id, run_id)
        polls = self._simulator.polls()
        last = [max(ends.values())] if dag_id == "one_sensor" else list(ends.values())
        delays = [ended[f"wait_{number}"] - end for number, end in enumerate(last)]
        cpu = {name: seconds - self.upstream_cpu[name] for name, seconds in used.items()}
        return Cost(cpu, starts, held, sum(polls[job_id] for job_id in ends), delays)

    def _submit(self, seconds: float) -> str:
        settings = {"job_seconds": seconds}
        self._http.post(f"{self._simulator.url}/control/settings", json=settings, timeout=10).raise_for_status()
        body = {"contacts": [{"email": "person@example.com"}]}
        response = self._http.put(f"{self._vendor}/v3/marketing/contacts", json=body, timeout=10)
        response.raise_for_status()
        job_id: str = response.json()["job_id"]
        return job_id

    def _cpu_seconds(self) -> Usage:
        names = {self._processes.session(name): name for name in self._airflow.flavour.components}
        seconds = dict.fromkeys(names.values(), 0.0)
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                fields = path.read_text().rpartition(")")[2].split()
                if name := names.get(int(fields[3])):
                    # User and system time, of the process and its reaped children.
                    seconds[name] += sum(map(int, fields[11:15])) / TICKS
        return seconds

    def _used(self, before: Usage, began: float) -> Usage:
        """Return the CPU-seconds since ``began``, without the idle consumption."""
        elapsed = time.monotonic() - began
        now = self._cpu_seconds()
        return {name: now[name] - before[name] - self.idle_rate[name] * elapsed for name in now}

    def _query(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{HOME / 'airflow.db'}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(sql, values).fetchall()

    def _ends(self, dag_id: str, run_id: str) -> dict[str, float]:
        """Return when each wait has ended, in epoch seconds; nothing, if one has not."""
        where = "dag_id = ? AND run_id = ? AND task_id LIKE 'wait%'"
        rows = self._query(f"SELECT task_id, state, end_date FROM task_instance WHERE {where}", dag_id, run_id)
        if not rows or any(state not in FINAL for _, state, _ in rows):
            return {}
        return {task_id: datetime.fromisoformat(end).replace(tzinfo=UTC).timestamp() for task_id, _, end in rows}

    def _tasks_on_workers(self, dag_id: str, run_id: str) -> tuple[int, float]:
        """Return the number of task starts and the total seconds on workers, from Airflow's audit log."""
        where = "dag_id = ? AND run_id = ? AND task_id LIKE 'wait%'"
        events = self._query(f"SELECT task_id, event, dttm FROM log WHERE {where} ORDER BY id", dag_id, run_id)
        starts, held = 0, 0.0
        since: dict[str, datetime] = {}
        for task_id, event, timestamp in events:
            at = datetime.fromisoformat(timestamp)
            if event == "running":
                starts += 1
                since[task_id] = at
            elif task_id in since:  # an event of a task on a worker
                held += (at - since.pop(task_id)).total_seconds()
        return starts, held


def table(costs: dict[str, Cost], waits: int) -> list[str]:
    columns = ["", "CPU-seconds", "relative to the first", "task starts", "slot-seconds", "requests"]
    columns += ["s from the end of a job to the end of its task, mean (max)"]
    base = next(iter(costs.values())).cpu
    lines = ["| " + " | ".join(columns).lstrip() + " |", "|---" * len(columns) + "|"]
    for dag_id, cost in costs.items():
        per_wait = (f"{number / waits:.2f}" for number in (cost.starts, cost.held, cost.polls))
        delay = f"{sum(cost.delays) / len(cost.delays):.1f} ({max(cost.delays):.1f})"
        cells = (SCENARIOS[dag_id], f"{cost.cpu / waits:.2f}", f"{cost.cpu / base:.2f}", *per_wait, delay)
        lines.append("| " + " | ".join(cells) + " |")
    components = next(iter(costs.values())).cpu_by_component
    lines += ["", "| CPU-seconds | " + " | ".join(components) + " |", "|---" * (len(components) + 1) + "|"]
    for dag_id, cost in costs.items():
        cells = (SCENARIOS[dag_id], *(f"{seconds / waits:.2f}" for seconds in cost.cpu_by_component.values()))
        lines.append("| " + " | ".join(cells) + " |")
    if {"worker", "triggerer"} <= costs.keys():
        lines += ["", f"Triggerer relative to worker: {costs['triggerer'].cpu / costs['worker'].cpu:.2f}"]
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waits", type=int, default=20, help="number of concurrent waits; at most 31")
    parser.add_argument("--seconds", type=float, default=30.0, help="duration of a job")
    parser.add_argument("--apart", type=float, default=4.0, help="seconds between the ends of jobs, in the second part")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="the scenarios: " + ", ".join(SCENARIOS))
    parser.add_argument("--json", type=Path, help="write the CPU-seconds per wait to this file, for waits_plot.py")
    options = parser.parse_args()
    chosen = options.only.split(",")
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        with Processes(HOME) as processes, tail_on_failure(processes):
            bench = Bench(processes, options.waits, options.seconds)
            bench.start()
            bench.idle_rate = bench.idle()
            bench.upstream_cpu = bench.upstream()
            together = {dag_id: bench.run(dag_id, 0) for dag_id in chosen}
            one_by_one = {dag_id: bench.run(dag_id, options.apart) for dag_id in chosen if dag_id in ONE_BY_ONE}
            idle_after = bench.idle()
    except KeyboardInterrupt:
        print("Stopped; all processes have ended.")
        return 130
    print(
        f"`python benchmarks/airflow_cost.py --waits {options.waits} --seconds {options.seconds:g} "
        f"--apart {options.apart:g}`: {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, Airflow {version('apache-airflow')}, "
        f"HTTP provider {version('apache-airflow-providers-http')}."
    )
    print(
        f"Idle: {sum(bench.idle_rate.values()):.3f} CPU-seconds per second before, which are not counted below, and "
        f"{sum(idle_after.values()):.3f} after; the task that returns the job ids: "
        f"{sum(bench.upstream_cpu.values()):.2f}, which are not counted either. "
        "All figures are per wait."
    )
    parts = {"Jobs that end together": together, f"{options.apart:g} s apart": one_by_one}
    for title, costs in parts.items():
        if costs:
            print(f"\n{title}:\n", *table(costs, options.waits), sep="\n")
    if options.json:
        per_wait = {
            title: {SCENARIOS[dag_id].replace("`", ""): cost.cpu / options.waits for dag_id, cost in costs.items()}
            for title, costs in parts.items()
        }
        options.json.write_text(json.dumps(per_wait))
    return 0


if __name__ == "__main__":
    sys.exit(main())
