# SPDX-License-Identifier: Apache-2.0
"""Example DAGs for a gate by asset: the import publishes an asset with its result, which starts the campaign."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import Asset, dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator

CONTACTS = Path(__file__).parent / "contacts.csv"
NEWSLETTER_LIST = Asset("sendgrid://newsletter-list")
START = pendulum.datetime(2026, 1, 1, tz="UTC")


@dag(schedule=None, start_date=START, catchup=False, tags=["bulkjobs"])
def bulkjobs_gate_by_asset():
    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="sendgrid_default",
        operation="upsert",
        records=str(CONTACTS),
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )

    @task(outlets=[NEWSLETTER_LIST])
    def publish(result: dict, *, outlet_events: Any = None) -> None:
        numbers = {name: result[name] for name in ("state", "total", "succeeded", "failed")}
        outlet_events[NEWSLETTER_LIST].extra = numbers

    publish(import_contacts.output)


@dag(schedule=[NEWSLETTER_LIST], start_date=START, catchup=False, tags=["bulkjobs"])
def bulkjobs_campaign_on_asset():
    @task
    def send_campaign(**context: Any) -> str:
        # Airflow 2 calls assets datasets.
        events = context.get("triggering_asset_events") or context["triggering_dataset_events"]
        result = next(iter(events.values()))[-1].extra
        return f"Campaign sent to {result['succeeded']} of {result['total']} contacts"

    send_campaign()


bulkjobs_gate_by_asset()
bulkjobs_campaign_on_asset()
