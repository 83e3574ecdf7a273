# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Dotdigital: import contacts into a list, allow 5 % failed contacts, write the failed ones to a file.

A contact that was imported, but not added to the list, counts as failed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
RESULTS = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…
NEWSLETTER = 345579  # the id of a list


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_dotdigital_contacts():
    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="dotdigital_default",
        job_kind="contacts",
        records=str(CONTACTS),
        columns={"email": "email", "first_name": "firstName", "last_name": "lastName"},  # Dotdigital's data fields
        options={"lists": [NEWSLETTER], "mergeOption": "overwriteIfNotEmpty"},
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="dotdigital_default",
        job_id=import_contacts.output["job_ids"],
        job_kind="contacts",
        path=f"{RESULTS}/dotdigital-failed-{{{{ run_id }}}}.jsonl",
        only="failed",
        trigger_rule="all_done",  # also if the gate fails
    )

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} of {result['total']} contacts"

    import_contacts >> failed_contacts
    send_campaign(import_contacts.output)


bulkjobs_dotdigital_contacts()
