# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Constant Contact: import a file into a list, allow 5 % failed contacts, write the messages about them.

Contacts who have unsubscribed before count as failed: an import never adds them to a list. Each poll is one of the
application's 10,000 requests per day, so poll each minute or less often.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
RESULTS = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…
NEWSLETTER = "04fe9a97-a579-43c5-bb1a-58ed29bf0a6a"  # the id of a list


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_constant_contact_contacts():
    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="constant_contact_default",
        records=str(CONTACTS),
        columns=["email", "first_name", "last_name"],  # custom fields: {"customer": "cf:customer"}
        options={"list_ids": [NEWSLETTER]},
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    messages = BulkJobResultsOperator(
        task_id="messages",
        conn_id="constant_contact_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{RESULTS}/constant-contact-{{{{ run_id }}}}.jsonl",
        trigger_rule="all_done",  # also if the gate fails
    )

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} of {result['total']} contacts"

    import_contacts >> messages
    send_campaign(import_contacts.output)


bulkjobs_constant_contact_contacts()
