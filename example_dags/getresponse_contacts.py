# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for GetResponse: import contacts with a tag into a list, and allow 5 % invalid contacts.

A person at GetResponse may have to approve the import: the wait may take days, in deferrable mode at no cost.
"""

from __future__ import annotations

import csv
import tempfile
from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
FILES = Path(tempfile.gettempdir(), "bulkjobs")
NEWSLETTER = "z5c"  # the id of a list


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_getresponse_contacts():
    @task
    def extract() -> str:
        """Simulate a warehouse export to CSV, with GetResponse's fields and a tag.

        Returns a path: Airflow logs and stores return values, and contacts are personal data.
        """
        FILES.mkdir(exist_ok=True)
        path = FILES / "getresponse-contacts.csv"
        with CONTACTS.open(newline="") as source, path.open("w", newline="") as target:
            rows = csv.writer(target)
            rows.writerow(["email", "name", "tag:newsletter_2026"])
            for row in csv.DictReader(source):
                rows.writerow([row["email"], f"{row['first_name']} {row['last_name']}", 1])
        return str(path)

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="getresponse_default",
        records=extract(),
        options={"campaignId": NEWSLETTER},
        allowed_failures=0.05,
        poke_interval=1,
        timeout=timedelta(days=7).total_seconds(),
        deferrable=True,
    )

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} of {result['total']} contacts"

    send_campaign(import_contacts.output)


bulkjobs_getresponse_contacts()
