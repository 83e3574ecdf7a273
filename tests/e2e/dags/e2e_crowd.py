# SPDX-License-Identifier: Apache-2.0
"""Gates that start in the triggerer: as many as one DAG can have, some to kill the triggerer, one to clear."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

GATES = 30


def gate(task_id, job_id, **arguments) -> BulkJobSensor:
    return BulkJobSensor(
        task_id=task_id, conn_id="sendgrid_default", job_id=job_id, timeout=600, deferrable=True, **arguments
    )


def dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_tasks=1000)


@task
def job_id(dag_run=None) -> str:
    return dag_run.conf["job_id"]


with dag("e2e_crowd"):
    crowd = job_id()
    for number in range(GATES):
        gate(f"gate_{number}", crowd, poke_interval=60)

with dag("e2e_start_long"):
    several = job_id()
    for number in range(6):
        gate(f"gate_{number}", several, poke_interval=4)

with dag("e2e_start_again"):
    gate("gate", job_id(), poke_interval=1)
