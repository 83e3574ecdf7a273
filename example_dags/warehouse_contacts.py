# SPDX-License-Identifier: Apache-2.0
"""
Example DAG for a query as the source: the contacts go from the warehouse to SendGrid without a file or an extract task.

The warehouse here is a SQLite database, the connection "warehouse". For PostgreSQL, Snowflake, BigQuery … change the
connection, and the placeholder in the query to that of the driver.
"""

from __future__ import annotations

import csv
from contextlib import closing
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator
from airflow_provider_bulkjobs.records import SqlRecords

CONTACTS = Path(__file__).parent / "contacts.csv"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    params={"status": "subscribed"},
    tags=["bulkjobs"],
)
def bulkjobs_warehouse_contacts():
    @task
    def fill_warehouse() -> None:
        """Make the table that your warehouse already has."""
        from airflow.providers.sqlite.hooks.sqlite import SqliteHook

        with CONTACTS.open(newline="") as file, closing(SqliteHook("warehouse").get_conn()) as connection, connection:
            connection.execute("DROP TABLE IF EXISTS customers")
            connection.execute("CREATE TABLE customers (customer_id, mail, given_name, family_name, status)")
            connection.executemany(
                "INSERT INTO customers VALUES (:external_id, :email, :first_name, :last_name, 'subscribed')",
                csv.DictReader(file),
            )

    @task
    def send_campaign(result: dict) -> str:
        return f"Campaign sent to {result['succeeded']} of {result['total']} contacts"

    import_contacts = BulkJobOperator(
        task_id="import_contacts",
        conn_id="sendgrid_default",
        operation="upsert",
        records=SqlRecords("warehouse", "warehouse_contacts.sql", parameters={"status": "{{ params.status }}"}),
        allowed_failures=0.05,
        poke_interval=1,
        timeout=600,
        deferrable=True,
    )
    fill_warehouse() >> import_contacts
    send_campaign(import_contacts.output)


bulkjobs_warehouse_contacts()
