# SPDX-License-Identifier: Apache-2.0
"""Waits that start in the triggerer: triggerers that are lost, many waits at once, a task that is cleared."""

import json
import re
import time

import pytest
from e2e.runs import RunResults
from local_airflow import AIRFLOW
from processes import tail_on_failure

from airflow_provider_bulkjobs._airflow import STARTS_IN_TRIGGER

pytestmark = pytest.mark.skipif(not STARTS_IN_TRIGGER, reason="Airflow starts tasks on a worker only")
LONG = "e2e_start_long"
NAMES = [f"gate_{number}" for number in range(6)]
DEADLINE = re.compile(r"polling every 4 s until ([0-9: -]+) UTC")
BLOCKED = re.compile(r"async thread was blocked for ([0-9.]+) seconds")


def start(airflow, simulator, dag_id, run_id, states):
    job_id = simulator.job("sendgrid", states, items=10)
    airflow.trigger(dag_id, run_id, {"job_id": job_id})
    return job_id


def states_of(airflow, run_id):
    return {each.state for each in airflow.tasks(run_id) if each.task_id.startswith("gate")}


def started(airflow, run_id):
    """Return the deadlines that the triggerers have logged, for each gate."""
    return {name: DEADLINE.findall(airflow.task_log(LONG, run_id, name, where="trigger")) for name in NAMES}


def has_started(airflow, run_id):
    return all(started(airflow, run_id).values())


@pytest.mark.parametrize("when", ["before the first poll", "in the wait"])
def test_wait_survives_a_killed_triggerer(when, airflow, simulator, processes):
    run_id = when.replace(" ", "-")
    with tail_on_failure(processes):
        job_id = start(airflow, simulator, LONG, run_id, ["pending"] * 30 + ["completed"])
        if when == "in the wait":
            airflow.wait_until(lambda: simulator.polls()[job_id] >= 12, 90, "the first polls")
        else:
            airflow.wait_until(lambda: any(started(airflow, run_id).values()), 90, "the first start")
        processes.kill("triggerer")
        polls = simulator.polls()[job_id]
        airflow.start_component("triggerer")
        list(airflow.watch(run_id, seconds=180))
    assert polls < 30  # it was killed during the wait
    assert states_of(airflow, run_id) == {"success"}
    starts = RunResults(airflow, run_id).worker_starts(LONG)
    assert [starts[name] for name in NAMES] == [1] * len(NAMES)  # the next triggerer has started the waits again
    deadlines = started(airflow, run_id)
    assert {len(set(each)) for each in deadlines.values()} == {1}  # with the same deadline
    assert max(map(len, deadlines.values())) == 2


def test_two_triggerers_of_which_one_is_lost(airflow, simulator, processes):
    with tail_on_failure(processes):
        processes.start("triggerer-2", [AIRFLOW, "triggerer", "--skip-serve-logs"], airflow.env)
        time.sleep(5)
        start(airflow, simulator, LONG, "two", ["pending"] * 30 + ["completed"])
        airflow.wait_until(lambda: has_started(airflow, "two"), 90, "all starts")
        processes.kill("triggerer-2")
        list(airflow.watch("two", seconds=180))
    assert states_of(airflow, "two") == {"success"}


def test_earlier_result_does_not_outlive_a_cleared_task(airflow, simulator, processes):
    dag_id, run_id = "e2e_start_again", "cleared"
    with tail_on_failure(processes):
        start(airflow, simulator, dag_id, run_id, ["pending", "completed", "failed"])
        list(airflow.watch(run_id, seconds=90))
        assert airflow.xcom(dag_id, run_id, "gate")["state"] == "succeeded"
        clear = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["gate"], "only_failed": False}
        airflow.request("POST", f"/dags/{dag_id}/clearTaskInstances", json=clear | {"reset_dag_runs": True})
        list(airflow.watch(run_id, seconds=90))
    assert states_of(airflow, run_id) == {"failed"}
    with pytest.raises(RuntimeError, match="404"):
        airflow.xcom(dag_id, run_id, "gate")


def test_commands_that_test_a_dag_run_it_as_from_a_worker(airflow, simulator, processes):
    job_id = simulator.job("sendgrid", ["pending", "completed"], items=10)
    dag = [AIRFLOW, "dags", "test", "e2e_start_again", "2026-02-01", "--conf", json.dumps({"job_id": job_id})]
    task = [AIRFLOW, "tasks", "test", "e2e_start", "literal", "2026-02-01"]
    with tail_on_failure(processes):
        # So that the scheduler, which is still running, does not run the same tasks.
        airflow.request("PATCH", "/dags/e2e_start_again", json={"is_paused": True})
        processes.run("dags-test", dag, airflow.env)
        processes.run("tasks-test", task, airflow.env)
    assert simulator.polls()[job_id] == 2


def test_300_waits_start_at_once(airflow, simulator, processes):
    runs = [f"crowd-{number}" for number in range(10)]
    job_id = simulator.job("sendgrid", ["pending"], items=10)
    with tail_on_failure(processes):
        log = processes.log_of("triggerer")
        offset = log.stat().st_size
        for run_id in runs:
            airflow.trigger("e2e_crowd", run_id, {"job_id": job_id})
        airflow.wait_until(lambda: simulator.polls()[job_id] >= 300, 240, "300 first polls")
        blocked = [float(seconds) for seconds in BLOCKED.findall(log.read_text()[offset:])]
        for run_id in runs:
            airflow.request("PATCH", f"/dags/e2e_crowd/dagRuns/{run_id}", json={"state": "failed"})
    assert sum(RunResults(airflow, run_id).worker_starts("e2e_crowd").get("gate_0", 0) for run_id in runs) == 0
    # Airflow warns at 0.2 s, which a busy machine reaches without us; tests/face measures our part.
    assert max(blocked, default=0.0) < 5.0, blocked
