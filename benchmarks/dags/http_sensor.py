# SPDX-License-Identifier: Apache-2.0
"""The common alternative: the HTTP provider's sensor, with a check of the vendor's state."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import requests
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.http.sensors.http import HttpSensor


def has_finished(response: requests.Response) -> bool:
    return response.json()["status"] in {"completed", "errored", "failed"}


with DAG("http_sensor", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    HttpSensor.partial(
        task_id="wait",
        http_conn_id="sendgrid_http",
        response_check=has_finished,
        poke_interval=10,
        timeout=600,
        mode="reschedule",
    ).expand(
        endpoint=[
            f"v3/marketing/contacts/imports/{{{{ dag_run.conf['job_ids'][{number}] }}}}"
            for number in range(int(os.environ["COST_WAITS"]))
        ]
    )
