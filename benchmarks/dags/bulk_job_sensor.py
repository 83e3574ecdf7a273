# SPDX-License-Identifier: Apache-2.0
"""The same wait with the sensor of this package, in each mode."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

WAIT = {"task_id": "wait", "conn_id": "sendgrid_default", "poke_interval": 10, "timeout": 600}
JOB_IDS = [f"{{{{ dag_run.conf['job_ids'][{number}] }}}}" for number in range(int(os.environ["COST_WAITS"]))]


def dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False)


with dag("poke"):
    BulkJobSensor.partial(**WAIT, mode="poke").expand(job_id=JOB_IDS)

with dag("reschedule"):
    BulkJobSensor.partial(**WAIT, mode="reschedule").expand(job_id=JOB_IDS)

with dag("deferrable"):
    BulkJobSensor.partial(**WAIT, deferrable=True).expand(job_id=JOB_IDS)

with dag("one_sensor"):
    BulkJobSensor(**WAIT, deferrable=True, job_id=JOB_IDS)
