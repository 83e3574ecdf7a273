# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Acquia Campaign Studio: a gate that stops the campaign.

Acquia reports "completed" even if contacts failed; the failed contacts are in the paginated details, which the operator
counts. No failed contact is allowed and some fail, so ``send_campaign`` does not run and ``notify_team`` does.
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


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_acquia_contacts():
    @task
    def extract() -> str:
        """Simulate a warehouse export to JSON Lines, with Campaign Studio's field names.

        Returns a path: Airflow logs and stores return values, and contacts are personal data.
        """
        FILES.mkdir(exist_ok=True)
        path = FILES / "acquia-contacts.jsonl"
        with CONTACTS.open(newline="") as source, path.open("w") as target:
            for row in csv.DictReader(source):
                contact = {"email": row["email"], "firstname": row["first_name"], "lastname": row["last_name"]}
                target.write(json.dumps(contact) + "\n")
        return str(path)

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} contacts"

    @task(trigger_rule="one_failed")
    def notify_team() -> str:
        return "Campaign stopped; see the log of import_contacts"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="acquia_campaign_studio_default",
        operation="create",
        records=extract(),
        allowed_failures=0,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    contact_results = BulkJobResultsOperator(
        task_id="contact_results",
        conn_id="acquia_campaign_studio_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{FILES}/acquia-{{{{ run_id }}}}.jsonl",
        trigger_rule="all_done",
    )
    import_contacts >> [contact_results, notify_team()]
    send_campaign(import_contacts.output)


bulkjobs_acquia_contacts()
