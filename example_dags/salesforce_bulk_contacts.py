# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Salesforce: upsert contacts by an external id, from a CSV file whose columns are renamed to API names.

The records that failed, or were not processed, are written to a file in the form in which they were submitted.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
RESULTS = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…
# A custom field that identifies a record has to be marked as an external id in Salesforce.
EXTERNAL_ID = "CRM_Key__c"
FIELDS = {"external_id": EXTERNAL_ID, "email": "Email", "first_name": "FirstName", "last_name": "LastName"}


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_salesforce_bulk_contacts():
    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="salesforce_bulk_default",
        operation="upsert",
        records=str(CONTACTS),
        columns=FIELDS,
        options={"object": "Contact", "externalIdFieldName": EXTERNAL_ID},
        allowed_failures=0.05,
        poke_interval=1,  # for a real org: 10 or more, as each poll counts against its daily limit
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="salesforce_bulk_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{RESULTS}/salesforce-{{{{ run_id }}}}.csv",
        as_records=True,
        trigger_rule="all_done",  # also if the gate fails
    )

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to all but {result['failed']} of {result['submitted']} contacts"

    import_contacts >> failed_contacts
    send_campaign(import_contacts.output)


bulkjobs_salesforce_bulk_contacts()
