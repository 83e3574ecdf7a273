# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Mailjet: import a file into a list, allow 5 % failed contacts, write the failed lines to a file.

With the method ``addnoforce``, contacts who have unsubscribed from the list stay unsubscribed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
RESULTS = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…
NEWSLETTER = 57  # the id of a list


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_mailjet_contacts():
    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="mailjet_default",
        job_kind="csv_import",
        records=str(CONTACTS),
        columns=["email", "first_name", "last_name"],  # Mailjet creates properties that do not exist
        options={"ContactsListID": NEWSLETTER, "Method": "addnoforce"},
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="mailjet_default",
        job_id=import_contacts.output["job_ids"],
        job_kind="csv_import",
        path=f"{RESULTS}/mailjet-{{{{ run_id }}}}.csv",
        as_records=True,  # the failed contacts as they were submitted
        trigger_rule="all_done",  # also if the gate fails
    )

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} of {result['total']} contacts"

    import_contacts >> failed_contacts
    send_campaign(import_contacts.output)


bulkjobs_mailjet_contacts()
