# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign: 250 contacts per request make many batches, and one task submits and waits for all of them.

ActiveCampaign refuses a whole request for one contact without an address. ``skip_invalid`` leaves such contacts out,
and writes them to a file.
"""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
FILES = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_activecampaign_contacts():
    @task
    def extract() -> str:
        """Stand in for an export of the warehouse, as JSON Lines; the fields are ActiveCampaign's.

        A path is handed on: Airflow would log and store what is returned, and these are people.
        """
        FILES.mkdir(exist_ok=True)
        path = FILES / "activecampaign-contacts.jsonl"
        with CONTACTS.open(newline="") as source, path.open("w") as target:
            for row in csv.DictReader(source):
                contact = {"email": row["email"], "first_name": row["first_name"], "last_name": row["last_name"]}
                target.write(json.dumps(contact) + "\n")
        return str(path)

    @task
    def send_campaign(result: dict) -> str:
        return f"{result['job_count']} batches done, {result['failed']} contacts failed"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="activecampaign_default",
        records=extract(),
        options={"exclude_automations": True},
        skip_invalid=True,
        results_path=f"{FILES}/activecampaign-rejected-{{{{ run_id }}}}.jsonl",
        allowed_failures=0.05,
        poke_interval=2,
        timeout=600,
        deferrable=True,
    )
    send_campaign(import_contacts.output)


bulkjobs_activecampaign_contacts()
