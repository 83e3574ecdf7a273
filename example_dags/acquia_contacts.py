# SPDX-License-Identifier: Apache-2.0
"""Acquia Campaign Studio: a gate that stops the campaign.

Acquia says "completed" whatever happened; the failed contacts are in the paged details, and the gate counts them.
Here no failed contact is allowed and some fail: ``send_campaign`` does not run, ``tell_the_team`` does.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

CONTACTS = Path(__file__).parent / "contacts.csv"


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_acquia_contacts():
    @task
    def submit() -> str:
        from airflow_provider_bulkjobs.hooks.bulk_job import AcquiaCampaignStudioHook

        with CONTACTS.open(newline="") as file:
            contacts = [
                {"email": row["email"], "firstname": row["first_name"], "lastname": row["last_name"]}
                for row in csv.DictReader(file)
            ]
        session = AcquiaCampaignStudioHook("acquia_campaign_studio_default").get_conn()
        answer = session.post("/api/contacts/bulk/new", json=contacts)
        answer.raise_for_status()
        return answer.json()["id"]

    @task
    def send_campaign(result: dict) -> str:
        return f"campaign goes to {result['succeeded']} contacts"

    @task(trigger_rule="one_failed")
    def tell_the_team() -> str:
        return "the campaign was stopped; the gate's log says why"

    gate = BulkJobSensor(
        task_id="gate",
        conn_id="acquia_campaign_studio_default",
        job_id=submit(),
        allowed_failures=0,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    send_campaign(gate.output)
    gate >> tell_the_team()


bulkjobs_acquia_contacts()
