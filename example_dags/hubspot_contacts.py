# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for HubSpot: import a CSV file whose columns are mapped to HubSpot's properties.

HubSpot reports "DONE" even if rows failed, and never the number of rows: the operator counts the rows with errors, and
compares them with the number of records that it submitted. The rows with errors are written to a file.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
RESULTS = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…
# Custom properties, such as external_id, have to exist in the account.
PROPERTIES = {"external_id": "external_id", "email": "email", "first_name": "firstname", "last_name": "lastname"}


def mapping(column: str, name: str) -> dict[str, str]:
    """Map a column of contacts (0-1); HubSpot matches them by the column that is marked as the identifier."""
    identifier = {"columnType": "HUBSPOT_ALTERNATE_ID"} if name == "email" else {}
    return {"columnObjectTypeId": "0-1", "columnName": column, "propertyName": name, **identifier}


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_hubspot_contacts():
    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="hubspot_default",
        operation="upsert",
        records=str(CONTACTS),
        options={"columnMappings": [mapping(column, name) for column, name in PROPERTIES.items()]},
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="hubspot_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{RESULTS}/hubspot-{{{{ run_id }}}}.jsonl",
        trigger_rule="all_done",  # also if the gate fails
    )

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to all but {result['failed']} of {result['submitted']} contacts"

    import_contacts >> failed_contacts
    send_campaign(import_contacts.output)


bulkjobs_hubspot_contacts()
