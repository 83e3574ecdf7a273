# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Zendesk: create or update the users of a CSV file, and write the failed ones to a file.

Each 100 users are one job. A completed job may have failed users, so ``allowed_failures`` decides. A job can be read
for one day: the results are written right after the wait.
"""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
FILES = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_zendesk_bulk_contacts():
    @task
    def extract() -> str:
        """Simulate a warehouse export to JSON Lines, with Zendesk's fields.

        Returns a path: Airflow logs and stores return values, and contacts are personal data.
        """
        FILES.mkdir(exist_ok=True)
        path = FILES / "zendesk-users.jsonl"
        with CONTACTS.open(newline="") as source, path.open("w") as target:
            for row in csv.DictReader(source):
                user = {name: row[name] for name in ("external_id", "email")}
                user["name"] = f"{row['first_name']} {row['last_name']}"
                target.write(json.dumps(user) + "\n")
        return str(path)

    @task
    def tell_agents(failed_users: dict) -> str:
        return f"The users are up to date; {failed_users['rows']} failed"

    import_users = BulkJobOperator(
        task_id="import_contacts",
        conn_id="zendesk_bulk_default",
        job_kind="users",
        operation="upsert",
        records=extract(),
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    failed_users = BulkJobResultsOperator(
        task_id="failed_contacts",
        conn_id="zendesk_bulk_default",
        job_kind="users",
        job_id=import_users.output["job_ids"],
        path=f"{FILES}/zendesk-failed-{{{{ run_id }}}}.jsonl",
        only="failed",
    )
    tell_agents(failed_users.output)


bulkjobs_zendesk_bulk_contacts()
