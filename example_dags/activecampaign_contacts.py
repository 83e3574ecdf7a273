# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign: 250 contacts per request make many batches, and one sensor waits for all of them.

ActiveCampaign does not say how many contacts a batch had, so a share needs ``expected_items``.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

CONTACTS = Path(__file__).parent / "contacts.csv"


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_activecampaign_contacts():
    @task(multiple_outputs=True)
    def submit() -> dict:
        from airflow_provider_bulkjobs.hooks.bulk_job import ActiveCampaignHook

        with CONTACTS.open(newline="") as file:
            contacts = [
                {"email": row["email"], "first_name": row["first_name"], "last_name": row["last_name"]}
                for row in csv.DictReader(file)
            ]
        session = ActiveCampaignHook("activecampaign_default").get_conn()
        batch_ids = []
        for start in range(0, len(contacts), 250):
            answer = session.post("/api/3/import/bulk_import", json={"contacts": contacts[start : start + 250]})
            answer.raise_for_status()
            batch_ids.append(answer.json()["batchId"])
        return {"batch_ids": batch_ids, "items": len(contacts)}

    submitted = submit()

    @task
    def send_campaign(result: dict) -> str:
        return f"{result['job_count']} batches done, {result['failed']} contacts failed"

    gate = BulkJobSensor(
        task_id="gate",
        conn_id="activecampaign_default",
        job_id=submitted["batch_ids"],
        expected_items=submitted["items"],
        allowed_failures=0.05,
        poke_interval=2,
        timeout=600,
        deferrable=True,
    )
    send_campaign(gate.output)


bulkjobs_activecampaign_contacts()
