# SPDX-License-Identifier: Apache-2.0
"""The whole pipeline: warehouse extract -> submit -> gate -> campaign.

The extract is a CSV of 1,000 contacts with some bad rows; a quality check throws out what is plainly wrong, so the
gate may be strict about the rest.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

CONTACTS = Path(__file__).parent / "contacts.csv"


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_warehouse_to_campaign():
    @task
    def extract() -> str:
        """Stand in for ``COPY (SELECT …) TO …`` in the warehouse."""
        path = Path(tempfile.mkdtemp(prefix="extract-"), "contacts.csv")
        path.write_bytes(CONTACTS.read_bytes())
        return str(path)

    @task
    def check(path: str) -> str:
        """Leave out the rows that no vendor can take."""
        clean = Path(path).with_name("clean.csv")
        with Path(path).open(newline="") as source, clean.open("w", newline="") as target:
            rows = csv.DictReader(source)
            writer = csv.DictWriter(target, rows.fieldnames or [])
            writer.writeheader()
            writer.writerows(row for row in rows if "@" in row["email"])
        return str(clean)

    @task
    def submit(path: str) -> str:
        from airflow_provider_bulkjobs.hooks.bulk_job import SendGridHook

        with Path(path).open(newline="") as file:
            contacts = [{"email": row["email"], "first_name": row["first_name"]} for row in csv.DictReader(file)]
        answer = SendGridHook("sendgrid_default").get_conn().put("/v3/marketing/contacts", json={"contacts": contacts})
        answer.raise_for_status()
        return answer.json()["job_id"]

    @task
    def send_campaign(result: dict) -> str:
        return f"campaign goes to {result['succeeded']} of {result['total']} contacts"

    gate = BulkJobSensor(
        task_id="gate",
        conn_id="sendgrid_default",
        job_id=submit(check(extract())),
        allowed_failures=0,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    send_campaign(gate.output)


bulkjobs_warehouse_to_campaign()
