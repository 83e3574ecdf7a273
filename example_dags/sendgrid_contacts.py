# SPDX-License-Identifier: Apache-2.0
"""SendGrid: one upsert of up to 30,000 contacts, a gate at 5 % failed contacts."""

from __future__ import annotations

import csv
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

CONTACTS = Path(__file__).parent / "contacts.csv"


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_sendgrid_contacts():
    @task
    def submit() -> str:
        from airflow_provider_bulkjobs.hooks.bulk_job import SendGridHook

        with CONTACTS.open(newline="") as file:
            contacts = [
                {"email": row["email"], "first_name": row["first_name"], "last_name": row["last_name"]}
                for row in csv.DictReader(file)
            ]
        answer = SendGridHook("sendgrid_default").get_conn().put("/v3/marketing/contacts", json={"contacts": contacts})
        answer.raise_for_status()
        return answer.json()["job_id"]

    @task
    def send_campaign(result: dict) -> str:
        return f"campaign goes to {result['succeeded']} of {result['total']} contacts"

    gate = BulkJobSensor(
        task_id="gate",
        conn_id="sendgrid_default",
        job_id=submit(),
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    send_campaign(gate.output)


bulkjobs_sendgrid_contacts()
