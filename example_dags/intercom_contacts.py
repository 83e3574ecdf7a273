# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Intercom: one task submits a job in batches of 100 contacts, another waits for it.

Intercom does not report the number of failed items, so the gate can allow either any number of them or none.
"""

from __future__ import annotations

import csv
import json
import tempfile
from itertools import islice
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator
from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

CONTACTS = Path(__file__).parent / "contacts.csv"
FILES = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_intercom_contacts():
    @task
    def extract() -> str:
        """Simulate a warehouse export to JSON Lines, with Intercom's field names.

        Returns a path: Airflow logs and stores return values, and contacts are personal data.
        """
        FILES.mkdir(exist_ok=True)
        path = FILES / "intercom-contacts.jsonl"
        with CONTACTS.open(newline="") as source, path.open("w") as target:
            for row in islice(csv.DictReader(source), 300):
                contact = {"external_id": row["external_id"], "email": row["email"], "role": "user"}
                target.write(json.dumps(contact) + "\n")
        return str(path)

    @task
    def tag_segment(result: dict) -> str:
        return f"{result['total']} contacts submitted, state {result['state']}"

    submit = BulkJobOperator(
        task_id="submit",
        conn_id="intercom_default",
        operation="create",
        records=extract(),
        wait_for_completion=False,
    )
    gate = BulkJobSensor(
        task_id="gate",
        conn_id="intercom_default",
        job_id=submit.output,
        allowed_failures=None,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    tag_segment(gate.output)


bulkjobs_intercom_contacts()
