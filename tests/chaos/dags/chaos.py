# SPDX-License-Identifier: Apache-2.0
"""The DAG of each scenario: waits, of which all or every second one may start in the triggerer, and submits."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator
from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

OPERATIONS = {"activecampaign": "import", "intercom": "create", "sendgrid": "upsert"}


@task(multiple_outputs=True)
def job_ids(dag_run: Any = None) -> dict[str, str]:
    return dag_run.conf["jobs"]


def waits(scenario: dict[str, Any]) -> None:
    ids = job_ids()
    for number in range(scenario["waits"]):
        BulkJobSensor(
            task_id=f"wait_{number}",
            conn_id=f"{scenario['name']}_sendgrid",
            job_id=ids[f"job_{number}"],
            poke_interval=scenario["poll_interval"],
            timeout=1800,
            deferrable=True,
            start_from_trigger=False if scenario["worker_starts"] and number % 2 == 0 else None,
            retries=2,  # of the end on a worker
            retry_delay=timedelta(seconds=1),
        )


def submits(scenario: dict[str, Any]) -> None:
    for vendor, number_of_submits in scenario["submits"].items():
        for number in range(number_of_submits):
            BulkJobOperator(
                task_id=f"submit_{vendor}_{number}",
                conn_id=f"{scenario['name']}_{vendor}",
                operation=OPERATIONS[vendor],
                records=f"{{{{ dag_run.conf['records'] }}}}/{vendor}_{number}.jsonl",
                poke_interval=2,
                timeout=1800,
                deferrable=True,
                retries=scenario["submit_retries"],
                retry_delay=timedelta(seconds=scenario["retry_delay"]),
            )


for scenario in json.loads(os.environ["CHAOS_SCENARIOS"]):
    with DAG(
        scenario["name"], schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_tasks=64
    ):
        if scenario["waits"]:
            waits(scenario)
        submits(scenario)
