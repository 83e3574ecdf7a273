# SPDX-License-Identifier: Apache-2.0
"""One real Airflow and one simulator for all of these tests, in .e2e/ of the checkout, or in E2E_HOME."""

import shutil
from collections.abc import Iterator

import pytest
from e2e.runs import HERE, HOME, ROOT, RUN, RUN_EXAMPLES, SCRIPTS, RunResults, StatsD, TriggerRows
from local_airflow import LocalAirflow, flavour
from local_simulator import LocalSimulator
from processes import Processes, tail_on_failure


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    shutil.rmtree(HOME, ignore_errors=True)
    with Processes(HOME) as processes:
        yield processes


@pytest.fixture(scope="session")
def simulator(processes: Processes) -> LocalSimulator:
    # Long enough that every gate polls its job before it finishes, even on a busy machine.
    return LocalSimulator(processes, job_seconds=max(30, 20 * flavour(port=0).slowness))


@pytest.fixture(scope="session")
def statsd() -> Iterator[StatsD]:
    with StatsD() as statsd:
        yield statsd


@pytest.fixture(scope="session")
def airflow(processes: Processes, simulator: LocalSimulator, statsd: StatsD) -> LocalAirflow:
    sendgrid = simulator.connections["sendgrid_default"]
    connections = simulator.connections | {"sendgrid_bad_key": sendgrid | {"password": "SG.wrong"}}
    airflow = LocalAirflow(HOME, [ROOT / "example_dags", HERE / "dags"], connections, processes)
    airflow.env |= statsd.settings
    airflow.env["E2E_JOB"] = simulator.job("sendgrid", ["pending", "completed"])  # a literal in the DAG
    with tail_on_failure(processes):
        airflow.start()
    return airflow


@pytest.fixture(scope="session")
def mapped_jobs(simulator: LocalSimulator) -> list[str]:
    return [simulator.job("sendgrid", ["pending"] * number + ["completed"], items=number) for number in (1, 2, 7)]


@pytest.fixture(scope="session")
def outcome(airflow: LocalAirflow, simulator: LocalSimulator, statsd: StatsD, mapped_jobs: list[str]) -> RunResults:
    """Run all DAGs at once, except those that lose their triggerer or worker."""
    jobs = {task_id: simulator.job("sendgrid", **script) for task_id, script in SCRIPTS.items()}
    runs = dict.fromkeys(RUN_EXAMPLES) | {"e2e_modes": jobs, "e2e_mapped": {"job_ids": mapped_jobs}}
    outcome = RunResults(airflow)
    with tail_on_failure(airflow.processes), TriggerRows(HOME / "airflow.db") as rows:
        for dag_id, conf in runs.items():
            airflow.trigger(dag_id, RUN, conf)
        for _ in airflow.watch(RUN, seconds=180):
            pass
    outcome.triggers = rows.seen
    outcome.metrics = list(statsd.seen)
    return outcome
