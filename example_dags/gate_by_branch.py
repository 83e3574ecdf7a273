# SPDX-License-Identifier: Apache-2.0
"""A gate with more than two ways: the import lets everything pass, and a branch decides by the numbers."""

from __future__ import annotations

from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator

CONTACTS = Path(__file__).parent / "contacts.csv"


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_gate_by_branch():
    @task.branch
    def choose(result: dict) -> str:
        # A number the vendor does not give is None: never take it for 0.
        if result["failed"] is None:
            return "ask_somebody"
        bad = result["failed"] + result["rejected"]
        return "send_campaign" if bad < 0.01 * result["submitted"] else "send_to_the_sure_ones"

    @task
    def send_campaign() -> str:
        return "campaign goes to everybody"

    @task
    def send_to_the_sure_ones() -> str:
        return "campaign goes to the contacts of yesterday"

    @task
    def ask_somebody() -> str:
        return "nobody knows how many contacts failed"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="sendgrid_default",
        operation="upsert",
        records=str(CONTACTS),
        allowed_failures=None,  # a job that failed as a whole still fails the task
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    choose(import_contacts.output) >> [send_campaign(), send_to_the_sure_ones(), ask_somebody()]


bulkjobs_gate_by_branch()
