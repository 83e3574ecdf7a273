# SPDX-License-Identifier: Apache-2.0
"""Example DAG for a gate with three outcomes: every finished import passes, and a branch decides by the numbers."""

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
        # A number that the vendor does not report is None, which must not be treated as 0.
        if result["failed"] is None:
            return "request_review"
        failed = result["failed"] + result["rejected"]
        return "send_campaign" if failed < 0.01 * result["submitted"] else "send_to_previous_segment"

    @task
    def send_campaign() -> str:
        return "Campaign sent to all contacts"

    @task
    def send_to_previous_segment() -> str:
        return "Campaign sent to the segment of the previous import"

    @task
    def request_review() -> str:
        return "Number of failed contacts unknown; review required"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="sendgrid_default",
        operation="upsert",
        records=str(CONTACTS),
        allowed_failures=None,  # a job that failed entirely still fails the task
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    choose(import_contacts.output) >> [send_campaign(), send_to_previous_segment(), request_review()]


bulkjobs_gate_by_branch()
