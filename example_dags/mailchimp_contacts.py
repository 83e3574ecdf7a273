# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Mailchimp: add contacts to an audience, and write the results to a file before the campaign is sent.

Mailchimp reports "finished" even if all operations failed; the gate reads the counts of the batch. A contact who has
unsubscribed stays unsubscribed: ``status_if_new`` is for those who are not in the audience yet.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
FILES = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…
AUDIENCE = "57afe96172"  # the id of an audience (list)


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_mailchimp_contacts():
    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} of {result['total']} contacts"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="mailchimp_default",
        operation="upsert",
        records=str(CONTACTS),
        columns={"email": "email_address", "first_name": "FNAME", "last_name": "LNAME"},
        options={"list_id": AUDIENCE, "status_if_new": "subscribed"},
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="mailchimp_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{FILES}/mailchimp-failed-{{{{ run_id }}}}.jsonl",
        only="failed",
    )
    failed_contacts >> send_campaign(import_contacts.output)


bulkjobs_mailchimp_contacts()
