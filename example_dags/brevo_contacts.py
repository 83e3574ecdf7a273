# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Brevo: import contacts into a list, and write the failed rows to a file before the campaign is sent.

Brevo does not report how many rows failed: ``allowed_failures=None`` accepts any number.
"""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
FILES = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…
NEWSLETTER = 12  # the id of a list


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_brevo_contacts():
    @task
    def extract() -> str:
        """Simulate a warehouse export to JSON Lines, with Brevo's attributes.

        Returns a path: Airflow logs and stores return values, and contacts are personal data.
        """
        FILES.mkdir(exist_ok=True)
        path = FILES / "brevo-contacts.jsonl"
        with CONTACTS.open(newline="") as source, path.open("w") as target:
            for row in csv.DictReader(source):
                attributes = {"FIRSTNAME": row["first_name"], "LASTNAME": row["last_name"]}
                target.write(json.dumps({"email": row["email"], "attributes": attributes}) + "\n")
        return str(path)

    @task
    def send_campaign(failed_rows: dict) -> str:
        return f"Campaign sent; {failed_rows['rows']} rows failed"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="brevo_default",
        records=extract(),
        options={"listIds": [NEWSLETTER]},
        allowed_failures=None,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="brevo_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{FILES}/brevo-failed-{{{{ run_id }}}}.jsonl",
    )
    send_campaign(failed_contacts.output)


bulkjobs_brevo_contacts()
