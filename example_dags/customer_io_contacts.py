# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Customer.io: import people from a file that Customer.io downloads itself, allow 5 % failed rows, write
the failed ones to a file.

The connection ``contacts_file`` has the URL of the file, and its signature as the password, which Airflow masks. A file
in object storage needs only its path: ``"data_file_url": "s3://aws_default@bucket/contacts.csv"``. Records are uploaded
to a folder there: ``records=…`` and ``"data_file_folder": "s3://aws_default@bucket/imports"``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

RESULTS = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_customer_io_contacts():
    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="customer_io_default",
        operation="import_people",
        options={
            "identifier": "email",
            "name": "Airflow {{ run_id }}",
            "data_file_url": "{{ conn.contacts_file.host }}?{{ conn.contacts_file.password }}",
        },
        expected_items=1000,  # rows that are missing in the vendor's total count as failed
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="customer_io_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{RESULTS}/customer_io-{{{{ run_id }}}}.jsonl",
        trigger_rule="all_done",  # also if the gate fails
    )

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} of {result['total']} people"

    import_contacts >> failed_contacts
    send_campaign(import_contacts.output)


bulkjobs_customer_io_contacts()
