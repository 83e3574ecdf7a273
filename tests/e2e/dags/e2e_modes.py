# SPDX-License-Identifier: Apache-2.0
"""Gates on scripted jobs, whose ids are in the conf of the run."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor


def gate(task_id: str, **arguments) -> BulkJobSensor:
    return BulkJobSensor(
        task_id=task_id,
        conn_id="sendgrid_default",
        job_id=f"{{{{ dag_run.conf['{task_id}'] }}}}",
        timeout=120,
        **{"poke_interval": 1, **arguments},
    )


with DAG("e2e_modes", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    gate("poke", deferrable=False)
    # Not shorter: the scheduler of 3.1 fails a task that resumes before the executor has processed its end.
    gate("reschedule", deferrable=False, mode="reschedule", poke_interval=8)
    gate("soft_fail_job_failed", deferrable=True, soft_fail=True)
    gate("soft_fail_sensor_error", deferrable=True, soft_fail=True)
    gate("never_fail_sensor_error", deferrable=True, never_fail=True)
    gate("finished_already", deferrable=True)
