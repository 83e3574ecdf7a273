# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for Marketo: import leads into a static list, and write the rows with warnings to a file.

Marketo imports a lead with an invalid e-mail address and only warns about it, so such rows do not count as failed. The
results have them with the status "warning".
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator, BulkJobResultsOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
RESULTS = Path(tempfile.gettempdir(), "bulkjobs")  # or s3://…, gs://…, abfs://…
NEWSLETTER = 1042  # the id of a static list
# The names of the fields in Marketo's REST API; the custom field external_id has to exist.
FIELDS = {"external_id": "external_id", "email": "email", "first_name": "firstName", "last_name": "lastName"}


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_marketo_contacts():
    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="marketo_default",
        job_kind="leads",
        records=str(CONTACTS),
        columns=FIELDS,
        options={"listId": NEWSLETTER},
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    warnings = BulkJobResultsOperator(
        task_id="warnings",
        conn_id="marketo_default",
        job_id=import_contacts.output["job_ids"],
        path=f"{RESULTS}/marketo-{{{{ run_id }}}}.jsonl",
    )

    @task
    def send_campaign(result: dict, warnings: dict) -> str:
        return f"Campaign sent to {result['succeeded']} leads; {warnings['rows']} have an invalid address"

    send_campaign(import_contacts.output, warnings.output)


bulkjobs_marketo_contacts()
