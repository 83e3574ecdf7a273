# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for a complete pipeline: warehouse extract -> quality check -> CSV import -> campaign.

The extract is a CSV file of 1,000 contacts with some invalid rows. A quality check removes these, so the gate allows no
failures. SendGrid accepts the CSV file in one upload.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator

CONTACTS = Path(__file__).parent / "contacts.csv"


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_warehouse_to_campaign():
    @task
    def extract() -> str:
        """Simulate ``COPY (SELECT …) TO …`` in the warehouse."""
        path = Path(tempfile.mkdtemp(prefix="extract-"), "contacts.csv")
        path.write_bytes(CONTACTS.read_bytes())
        return str(path)

    @task
    def check(path: str) -> str:
        """Remove rows without a valid address; the columns are SendGrid's fields."""
        clean = Path(path).with_name("clean.csv")
        with Path(path).open(newline="") as source, clean.open("w", newline="") as target:
            writer = csv.DictWriter(target, ["email", "first_name", "last_name"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row for row in csv.DictReader(source) if "@" in row["email"])
        return str(clean)

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} of {result['total']} contacts"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="sendgrid_default",
        operation="import_csv",
        records=check(extract()),
        allowed_failures=0,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    send_campaign(import_contacts.output)


bulkjobs_warehouse_to_campaign()
