# SPDX-License-Identifier: Apache-2.0
"""Example DAG for SendGrid: import contacts from a file, allow 5 % failed contacts, write the failed ones to a file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
RESULTS = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_sendgrid_contacts():
    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="sendgrid_default",
        operation="upsert",
        records=str(CONTACTS),
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="sendgrid_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{RESULTS}/sendgrid-{{{{ run_id }}}}.jsonl",
        trigger_rule="all_done",  # also if the gate fails
    )

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} of {result['total']} contacts"

    import_contacts >> failed_contacts
    send_campaign(import_contacts.output)


bulkjobs_sendgrid_contacts()
