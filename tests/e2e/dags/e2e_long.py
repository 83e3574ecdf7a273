# SPDX-License-Identifier: Apache-2.0
"""A wait that is long enough to kill its triggerer."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

with DAG("e2e_long", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    BulkJobSensor(
        task_id="gate",
        conn_id="sendgrid_default",
        job_id="{{ dag_run.conf['job_id'] }}",
        poke_interval=1,
        timeout=300,
        deferrable=True,
    )
