# SPDX-License-Identifier: Apache-2.0
"""The common alternative: the HTTP provider's sensor, with a check of the vendor's state."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import requests
from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.http.sensors.http import HttpSensor


def has_finished(response: requests.Response) -> bool:
    return response.json()["status"] in {"completed", "errored", "failed"}


@task(multiple_outputs=True)
def job_ids(dag_run: Any = None) -> dict[str, Any]:
    """Return the ids as ``job_0``, ``job_1``, and so on."""
    return {f"job_{number}": job_id for number, job_id in enumerate(dag_run.conf["job_ids"])}


with DAG("http_sensor", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_tasks=64):
    ids = job_ids()
    for number in range(int(os.environ["COST_WAITS"])):
        job_id = ids[f"job_{number}"]
        ids >> HttpSensor(
            task_id=f"wait_{number}",
            http_conn_id="sendgrid_http",
            endpoint=f"v3/marketing/contacts/imports/{job_id}",
            response_check=has_finished,
            poke_interval=10,
            timeout=900,
            mode="reschedule",
        )
