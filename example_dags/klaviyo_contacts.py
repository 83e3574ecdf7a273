# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Klaviyo: import profiles with custom properties, and add them to a list.

Klaviyo reports "complete" even if all profiles failed; the gate reads the counts of the job.
"""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
FILES = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…
NEWSLETTER = "Y6nRLr"  # the id of a list


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_klaviyo_contacts():
    @task
    def extract() -> str:
        """Simulate a warehouse export to JSON Lines, with Klaviyo's attributes.

        Returns a path: Airflow logs and stores return values, and contacts are personal data.
        """
        FILES.mkdir(exist_ok=True)
        path = FILES / "klaviyo-profiles.jsonl"
        with CONTACTS.open(newline="") as source, path.open("w") as target:
            for row in csv.DictReader(source):
                target.write(json.dumps({**row, "properties": {"source": "warehouse"}}) + "\n")
        return str(path)

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} of {result['total']} profiles"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="klaviyo_default",
        records=extract(),
        options={"lists": [NEWSLETTER]},
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    send_campaign(import_contacts.output)


bulkjobs_klaviyo_contacts()
