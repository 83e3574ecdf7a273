# SPDX-License-Identifier: Apache-2.0
"""A sensor mapped over 200 jobs, run by Airflow itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

from airflow_provider_bulkjobs.simulator import SENDGRID_KEY, Simulator

WIDTH = 200
DEFERRED = (0, 199)
AIRFLOW = Path(sys.executable).with_name("airflow")
DAGS = Path(__file__).parent / "dags"


def test_a_sensor_mapped_over_200_jobs(tmp_path: Path) -> None:
    with Simulator() as sim:
        # Two jobs are unfinished at their first poll, so these tasks are deferred and their trigger polls once more.
        states = [["pending", "completed"] if number in DEFERRED else ["completed"] for number in range(WIDTH)]
        jobs = [sim.job("sendgrid", states=job_states, items=2) for job_states in states]
        connection = {"conn_type": "sendgrid", "host": sim.url_of("sendgrid"), "password": SENDGRID_KEY}
        env = {
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_SENDGRID_DEFAULT": json.dumps(connection),
            "JOB_IDS": json.dumps(jobs),
        }
        for command in ([AIRFLOW, "db", "migrate"], [sys.executable, DAGS / "mapped.py"]):
            done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        polls = sim.requests("sendgrid")
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["state"] == "success"
    assert result["tasks"] == ["success"] * (WIDTH + 2)
    assert len(polls) == WIDTH + len(DEFERRED)
