# SPDX-License-Identifier: Apache-2.0
"""A gate for each job id in the conf of the run."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

with DAG("e2e_mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):

    @task
    def job_ids(dag_run=None) -> list[str]:
        return dag_run.conf["job_ids"]

    @task
    def add_up(results) -> int:
        return sum(result["total"] for result in results)

    gate = BulkJobSensor.partial(
        task_id="gate", conn_id="sendgrid_default", poke_interval=1, timeout=120, deferrable=True
    ).expand(job_id=job_ids())
    add_up(gate.output)
