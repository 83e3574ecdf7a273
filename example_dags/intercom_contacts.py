# SPDX-License-Identifier: Apache-2.0
"""Intercom: one job that takes 100 contacts per request, appended while it is open.

Intercom never counts failed items, so the gate can only let any number of them pass, or none.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor

CONTACTS = Path(__file__).parent / "contacts.csv"


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False, tags=["bulkjobs"])
def bulkjobs_intercom_contacts():
    @task
    def submit() -> str:
        from airflow_provider_bulkjobs.hooks.bulk_job import IntercomHook

        with CONTACTS.open(newline="") as file:
            rows = list(csv.DictReader(file))[:300]
        contacts = [{"external_id": r["external_id"], "email": r["email"], "role": "user"} for r in rows]
        session = IntercomHook("intercom_default").get_conn()
        job: dict[str, dict[str, str]] = {}
        for start in range(0, len(contacts), 100):
            answer = session.post(
                "/contacts/bulk",
                json={"contacts": contacts[start : start + 100], **job},
                headers={"Intercom-Version": "Preview"},
            )
            answer.raise_for_status()
            job = {"job": {"id": answer.json()["id"]}}
        return job["job"]["id"]

    @task
    def tag_segment(result: dict) -> str:
        return f"{result['total']} contacts sent, some may be missing: {result['state']}"

    gate = BulkJobSensor(
        task_id="gate",
        conn_id="intercom_default",
        job_id=submit(),
        allowed_failures=None,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    tag_segment(gate.output)


bulkjobs_intercom_contacts()
