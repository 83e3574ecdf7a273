# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Omnisend: import contacts, and write the failed ones to a file before the campaign is sent.

A batch has 100 contacts, so the import has ten batches; one task waits for all of them, and ``allowed_failures`` counts
over all of them. No contact gets a welcome message.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
FILES = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_omnisend_contacts():
    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} of {result['total']} contacts"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="omnisend_default",
        operation="import",
        records=str(CONTACTS),
        columns={
            "email": "email",
            "first_name": "firstName",
            "last_name": "lastName",
            "external_id": "customProperties.customer",
        },
        options={"status": "subscribed"},
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="omnisend_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{FILES}/omnisend-failed-{{{{ run_id }}}}.jsonl",
        only="failed",
    )
    failed_contacts >> send_campaign(import_contacts.output)


bulkjobs_omnisend_contacts()
