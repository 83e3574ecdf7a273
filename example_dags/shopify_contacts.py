# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Shopify: create or update customers from a CSV file, and write the failed lines to a file.

All customers are one bulk operation. Its state says nothing about single customers: the wait reads the file of results,
and the campaign is sent if at most 5% failed.
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
def bulkjobs_shopify_contacts():
    @task
    def send_campaign(failed: dict) -> str:
        return f"Campaign sent; {failed['rows']} contacts failed"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="shopify_default",
        operation="upsert",
        records=str(CONTACTS),
        columns={"email": "email", "first_name": "firstName", "last_name": "lastName"},
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="shopify_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{FILES}/shopify-failed-{{{{ run_id }}}}.jsonl",
        only="failed",
    )
    send_campaign(failed_contacts.output)


bulkjobs_shopify_contacts()
