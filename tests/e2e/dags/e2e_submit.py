# SPDX-License-Identifier: Apache-2.0
"""A submit that is slow enough to kill its worker between two requests."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator


def write_pid(context) -> None:
    Path(context["dag_run"].conf["pids"], context["ti"].task_id).write_text(str(os.getpid()))


with DAG("e2e_submit", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    for conn_type, operation in (("activecampaign", "import"), ("intercom", "create")):
        BulkJobOperator(
            task_id=conn_type,
            conn_id=f"{conn_type}_slow",
            operation=operation,
            records=f"{{{{ dag_run.conf['{conn_type}'] }}}}",
            poke_interval=1,
            timeout=300,
            deferrable=True,
            retries=1,
            retry_delay=timedelta(seconds=1),
            on_execute_callback=write_pid,
        )
