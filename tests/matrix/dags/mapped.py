# SPDX-License-Identifier: Apache-2.0
"""A gate for each job id in the environment variable JOB_IDS."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

with DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False) as dag:

    @task
    def job_ids() -> list[str]:
        return json.loads(os.environ["JOB_IDS"])

    @task
    def add_up(results) -> int:
        return sum(result["total"] for result in results)

    gate = BulkJobSensor.partial(
        task_id="gate", conn_id="sendgrid_default", poke_interval=5, timeout=300, deferrable=True
    ).expand(job_id=job_ids())
    add_up(gate.output)

if __name__ == "__main__":
    run = dag.test()
    print(json.dumps({"state": run.state, "tasks": [str(ti.state) for ti in run.get_task_instances()]}))
