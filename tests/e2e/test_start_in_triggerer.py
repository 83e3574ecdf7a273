# SPDX-License-Identifier: Apache-2.0
"""Waits that start in the triggerer, with a real scheduler: the same result as from a worker, for one worker start."""

import re

import pytest
from e2e.runs import START_CASES, RunResults, start_jobs
from processes import tail_on_failure

from airflow_provider_bulkjobs._airflow import STARTS_IN_TRIGGER

pytestmark = pytest.mark.skipif(not STARTS_IN_TRIGGER, reason="Airflow starts tasks on a worker only")
DAG_ID, RUN = "e2e_start", "starts"


@pytest.fixture(scope="module")
def outcome(airflow, simulator, processes):
    with tail_on_failure(processes):
        airflow.trigger(DAG_ID, RUN, start_jobs(simulator))
        list(airflow.watch(RUN, seconds=300))
    return RunResults(airflow, RUN)


def exceptions(outcome, task_id):
    """Return the names of the exceptions in the worker's log of a task."""
    return re.findall(r'"exc_type": ?"(\w+)"', outcome.log(DAG_ID, task_id, where="worker"))


@pytest.mark.parametrize("case", START_CASES)
def test_same_verdict_as_from_a_worker(case, outcome):
    attempts = outcome.tries(DAG_ID)
    assert outcome.states(DAG_ID)[case] == outcome.states(DAG_ID)[f"{case}_worker"]
    assert attempts[case] == attempts[f"{case}_worker"]
    assert exceptions(outcome, case)[:1] == exceptions(outcome, f"{case}_worker")[:1]


def test_expected_states(outcome):
    states = {case: outcome.states(DAG_ID)[case] for case in START_CASES}
    assert states == {case: {state} for case, (_, state, _) in START_CASES.items()}
    assert {case: outcome.tries(DAG_ID)[case] for case in START_CASES} == {
        case: tries for case, (_, _, tries) in START_CASES.items()
    }


def test_one_worker_start_instead_of_two(outcome):
    starts = outcome.worker_starts(DAG_ID)
    for case, (_, _, tries) in START_CASES.items():
        assert starts[case] == tries, case
    assert starts["passes_worker"] == starts["job_failed_worker"] == 2
    assert starts["literal"] == 1


@pytest.mark.parametrize("task_id", ["template", "limited", "mapped"])
def test_others_start_on_a_worker(task_id, outcome):
    assert outcome.states(DAG_ID)[task_id] == {"success"}
    assert outcome.worker_starts(DAG_ID)[task_id] == 2
    assert "Starting on a worker, not in the triggerer: " in outcome.log(DAG_ID, task_id, where="worker")


def test_result_link_and_fields_are_the_same(outcome, airflow):
    def of(task_id):
        path = f"/dags/{DAG_ID}/dagRuns/{RUN}/taskInstances/{task_id}"
        rendered = airflow.request("GET", path)["rendered_fields"]
        links = airflow.request("GET", f"{path}/links")["extra_links"]
        result = outcome.result(DAG_ID, task_id)
        return rendered.keys(), links, {**result, "jobs": len(result["jobs"])}.keys(), result["total"]

    assert of("passes") == of("passes_worker")
    assert of("list") == of("list_worker")


def test_first_lines_are_in_the_log(outcome):
    log = outcome.log(DAG_ID, "passes", where="trigger")
    assert "Waiting for sendgrid contact import" in log
    assert "Started in the triggerer, without a worker; first poll at" in log


def test_parsing_the_dag_again_makes_no_new_version(outcome, processes):
    versions = set(outcome.query("SELECT version_number FROM dag_version WHERE dag_id = ?", DAG_ID))
    assert versions == {(1,)}
    assert "Unable to decode message" not in processes.log_of("triggerer").read_text()
