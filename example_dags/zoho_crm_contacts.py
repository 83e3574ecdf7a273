# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Zoho CRM: upsert contacts by their e-mail address, and write the result of each row to a file.

A row that Zoho CRM refuses is skipped, and the job is completed nevertheless. The gate counts such rows; the file has
their error codes and the first three columns.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
RESULTS = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…
# API names of fields. Only the first three columns are in the results.
FIELDS = {"email": "Email", "last_name": "Last_Name", "first_name": "First_Name", "external_id": "CRM_Key"}


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_zoho_crm_contacts():
    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="zoho_crm_default",
        operation="upsert",
        records=str(CONTACTS),
        columns=FIELDS,
        options={
            "module": "Contacts",
            "find_by": "Email",
            "field_mappings": [{"api_name": "Lead_Source", "default_value": {"value": "Airflow"}}],
        },
        allowed_failures=0.05,
        poke_interval=1,  # for a real organization: 30 or more, as each poll costs a credit
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="zoho_crm_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{RESULTS}/zoho_crm-{{{{ run_id }}}}.csv",
        only="failed",
        trigger_rule="all_done",  # also if the gate fails
    )

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to all but {result['failed']} of {result['submitted']} contacts"

    import_contacts >> failed_contacts
    send_campaign(import_contacts.output)


bulkjobs_zoho_crm_contacts()
