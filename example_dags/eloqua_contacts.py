# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Eloqua: import a CSV file, and keep the rejected contacts as records before the campaign is sent.

The campaign is sent if at most 5% of the contacts were rejected.
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
def bulkjobs_eloqua_contacts():
    @task
    def send_campaign(rejected: dict) -> str:
        return f"Campaign sent; {rejected['rows']} contacts were rejected"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="eloqua_default",
        records=str(CONTACTS),
        columns={"email": "C_EmailAddress", "first_name": "C_FirstName", "last_name": "C_LastName"},
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    rejected_contacts = BulkJobResultsOperator(
        task_id="rejected_contacts",
        conn_id="eloqua_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{FILES}/eloqua-rejected-{{{{ run_id }}}}.csv",
        as_records=True,
    )
    send_campaign(rejected_contacts.output)


bulkjobs_eloqua_contacts()
