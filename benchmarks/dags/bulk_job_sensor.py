# SPDX-License-Identifier: Apache-2.0
"""The same waits with the sensor of this package, in each mode."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

WAITS = range(int(os.environ["COST_WAITS"]))
MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "worker": {"deferrable": True, "start_from_trigger": False},
    "triggerer": {"deferrable": True},
    "one_sensor": {"deferrable": True},
}


@task(multiple_outputs=True)
def job_ids(dag_run: Any = None) -> dict[str, Any]:
    """Return the ids as ``job_0``, ``job_1``, and so on, and as a list."""
    return {f"job_{number}": job_id for number, job_id in enumerate(dag_run.conf["job_ids"])} | {
        "all": dag_run.conf["job_ids"]
    }


def wait(number: int, job_id: Any, mode: dict[str, Any]) -> None:
    BulkJobSensor(
        task_id=f"wait_{number}", conn_id="sendgrid_default", job_id=job_id, poke_interval=10, timeout=900, **mode
    )


with DAG("job_ids", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    job_ids()

for name, mode in MODES.items():
    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_tasks=64):
        ids = job_ids()
        if name == "one_sensor":
            wait(0, ids["all"], mode)
        else:
            for number in WAITS:
                wait(number, ids[f"job_{number}"], mode)
