# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL for these tests."""

import json
from collections.abc import Callable, Iterator

import pytest
from postgres_server import postgres_server, programs


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start the server; return the folder of its socket."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL's programs (initdb, postgres) are not installed: apt-get install postgresql")
    with postgres_server(folder) as socket:
        yield socket


@pytest.fixture
def warehouse(postgres: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A connection of Airflow to the server; return its id."""
    values = {"conn_type": "postgres", "host": postgres, "login": "postgres", "schema": "postgres"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(values))
    return "warehouse"


@pytest.fixture
def execute(warehouse: str) -> Iterator[Callable[..., None]]:
    """Execute statements in the database, which has no table of ours afterwards."""
    import psycopg2

    from airflow_provider_bulkjobs._airflow import BaseHook

    connection = psycopg2.connect(
        host=BaseHook.get_connection(warehouse).host, user="postgres", dbname="postgres", connect_timeout=10
    )
    connection.autocommit = True

    def run(*statements: str) -> None:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    yield run
    run("DROP TABLE IF EXISTS contacts CASCADE")
    connection.close()
