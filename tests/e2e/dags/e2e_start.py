# SPDX-License-Identifier: Apache-2.0
"""Gates that start in the triggerer, and each of them started on a worker; the job ids are in the conf of the run."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

RETRIED = {"retries": 1, "retry_delay": timedelta(seconds=1)}
CASES = {
    "passes": {},
    "list": {},
    "none": RETRIED,
    "job_failed": RETRIED,
    "job_failed_soft_fail": {"soft_fail": True},
    "timed_out": {**RETRIED, "timeout": 3},
    "unknown_state": RETRIED,
    "unknown_state_soft_fail": {"soft_fail": True},
    "unknown_state_never_fail": {"never_fail": True},
    "bad_key": {**RETRIED, "conn_id": "sendgrid_bad_key"},
    "no_connection": {**RETRIED, "conn_id": "no_such_connection", "soft_fail": True},
}


def gate(task_id, job_id, **arguments) -> BulkJobSensor:
    defaults = {"conn_id": "sendgrid_default", "poke_interval": 2, "timeout": 120, "deferrable": True}
    return BulkJobSensor(task_id=task_id, job_id=job_id, **{**defaults, **arguments})


with DAG("e2e_start", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):

    @task(multiple_outputs=True)
    def job_ids(dag_run=None) -> dict:
        return dag_run.conf

    @task
    def mapped_job_ids(dag_run=None) -> list:
        return dag_run.conf["mapped"]

    ids = job_ids()
    for name, arguments in CASES.items():
        gate(name, ids[name], **arguments)
        gate(f"{name}_worker", ids[f"{name}_worker"], start_from_trigger=False, **arguments)
    gate("literal", os.environ.get("E2E_JOB", "unset"), start_from_trigger=True)
    gate("template", "{{ dag_run.conf['template'] }}", start_from_trigger=True)
    gate("limited", ids["limited"], start_from_trigger=True, max_active_tis_per_dag=1)
    BulkJobSensor.partial(
        task_id="mapped", conn_id="sendgrid_default", deferrable=True, poke_interval=2, start_from_trigger=True
    ).expand(job_id=mapped_job_ids())
