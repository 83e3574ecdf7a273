# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for ActiveCampaign: one task submits many batches of 250 contacts and waits for all of them.

ActiveCampaign rejects a whole request if one contact has no address. ``skip_invalid`` excludes such contacts and writes
them to a file.
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


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_activecampaign_contacts():
    @task
    def extract() -> str:
        """Simulate a warehouse export to JSON Lines, with ActiveCampaign's field names.

        Returns a path: Airflow logs and stores return values, and contacts are personal data.
        """
        FILES.mkdir(exist_ok=True)
        path = FILES / "activecampaign-contacts.jsonl"
        with CONTACTS.open(newline="") as source, path.open("w") as target:
            for row in csv.DictReader(source):
                contact = {"email": row["email"], "first_name": row["first_name"], "last_name": row["last_name"]}
                target.write(json.dumps(contact) + "\n")
        return str(path)

    @task
    def send_campaign(result: dict) -> str:
        return f"{result['job_count']} batches finished, {result['failed']} contacts failed"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="activecampaign_default",
        records=extract(),
        options={"exclude_automations": True},
        skip_invalid=True,
        results_path=f"{FILES}/activecampaign-rejected-{{{{ run_id }}}}.jsonl",
        allowed_failures=0.05,
        poke_interval=2,
        timeout=600,
        deferrable=True,
    )
    send_campaign(import_contacts.output)


bulkjobs_activecampaign_contacts()
