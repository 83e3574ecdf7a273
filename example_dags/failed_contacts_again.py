# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for the failed contacts of an import: fetch them, correct them, import them again, gate on the rest.

The first import passes with any number of failed contacts, since only those that fail twice count. The file of the
failed contacts has them as they were submitted; if none failed, it is empty, and nothing is submitted.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
FILES = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_failed_contacts_again():
    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="sendgrid_default",
        operation="upsert",
        records=str(CONTACTS),
        allowed_failures=None,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    failed_contacts = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="sendgrid_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{FILES}/failed-{{{{ run_id }}}}.jsonl",
        only="failed",
        as_records=True,
    )

    @task
    def correct(failed: dict) -> str:
        """Add the missing @; return a path, because Airflow stores return values."""
        path = Path(failed["path"])
        corrected = path.with_stem(f"{path.stem}-corrected")
        with path.open() as source, corrected.open("w") as target:
            for contact in map(json.loads, source):
                if "@" not in contact["email"]:
                    contact["email"] = contact["email"].replace("example.com", "@example.com")
                target.write(json.dumps(contact) + "\n")
        return str(corrected)

    import_again = BulkJobOperator(
        task_id="import_again",
        conn_id="sendgrid_default",
        operation="upsert",
        records=correct(failed_contacts.output),
        allow_empty=True,
        allowed_failures=0,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )

    @task
    def send_campaign(first: dict, again: dict) -> str:
        return f"Campaign sent to {first['succeeded'] + (again['succeeded'] or 0)} of {first['total']} contacts"

    import_contacts >> failed_contacts
    send_campaign(import_contacts.output, import_again.output)


bulkjobs_failed_contacts_again()
