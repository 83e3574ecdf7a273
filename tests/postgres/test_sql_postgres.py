# SPDX-License-Identifier: Apache-2.0
"""Queries of a real PostgreSQL, with both drivers that Airflow's provider may use."""

import json
import os
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_bulkjobs.exceptions import BadArgumentError, RecordsReadError
from airflow_provider_bulkjobs.records import SqlRecords
from airflow_provider_bulkjobs.submitting.sql_rows import CHUNK, read_query

# Airflow's provider prefers psycopg, if its release and SQLAlchemy's support it.
DRIVERS = [name for name in ("psycopg2", "psycopg") if find_spec(name)]


@pytest.fixture(params=DRIVERS)
def read(request: pytest.FixtureRequest, postgres: str) -> Any:
    """Return a function that reads a query with one of the drivers."""
    driver = import_module(request.param)

    def run(sql: str, parameters: Any = None) -> Any:
        return read_query(
            lambda: driver.connect(host=postgres, user="postgres", dbname="postgres"),
            sql,
            parameters,
            source="SqlRecords(conn_id='warehouse')",
        )

    return run


def test_rows_have_the_columns_and_python_values(read):
    sql = """
        SELECT 1 AS id, 'a@example.com' AS email, 1.50::numeric AS paid, DATE '2026-02-01' AS since, true AS active,
               TIMESTAMPTZ '2026-02-01 12:00:00+00' AS seen, '12345678-1234-5678-1234-567812345678'::uuid AS key,
               NULL AS phone, '{"a": [1]}'::jsonb AS properties, ARRAY['x', 'y'] AS tags
    """
    [row] = read(sql)
    assert row.columns == ("id", "email", "paid", "since", "active", "seen", "key", "phone", "properties", "tags")
    assert dict(row.record) == {
        "id": 1,
        "email": "a@example.com",
        "paid": Decimal("1.50"),
        "since": date(2026, 2, 1),
        "active": True,
        "seen": datetime(2026, 2, 1, 12, tzinfo=UTC),
        "key": row.record["key"],
        "properties": {"a": [1]},
        "tags": ["x", "y"],
    }
    assert UUID(str(row.record["key"])) == UUID("12345678-1234-5678-1234-567812345678")
    assert row.where == "query row 1"


@pytest.mark.parametrize("number", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_every_row_is_read_once_and_in_order(number, read):
    rows = list(read(f"SELECT generate_series(1, {number}) AS id ORDER BY 1"))
    assert [row.record["id"] for row in rows] == [row.line for row in rows] == list(range(1, number + 1))


@pytest.mark.parametrize("parameters", [["b%"], ("b%",)])
def test_parameters_by_position(parameters, read):
    rows = read("SELECT x FROM (VALUES ('a'), ('b')) AS t(x) WHERE x LIKE %s", parameters)
    assert [row.record["x"] for row in rows] == ["b"]


def test_parameters_by_name(read):
    rows = read("SELECT x FROM (VALUES (1), (2)) AS t(x) WHERE x > %(least)s", {"least": 1})
    assert [row.record["x"] for row in rows] == [2]


def test_percent_sign_without_parameters(read):
    assert [row.record["x"] for row in read("SELECT x FROM (VALUES ('a'), ('b')) AS t(x) WHERE x LIKE 'b%'")] == ["b"]


def test_memory_does_not_grow_with_the_rows(read):
    def peak(number: int) -> int:
        tracemalloc.start()
        for _ in read(f"SELECT id, repeat('x', 100) AS name FROM generate_series(1, {number}) AS t(id)"):
            pass
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(10)
    assert peak(20 * CHUNK) < 1.5 * peak(2 * CHUNK)


def resident() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="only Linux has it")  # noqa: PTH110
def test_result_stays_on_the_server(read):
    # The driver's own memory, which Python does not count: the whole result would be 100 MB.
    rows = read("SELECT repeat('x', 1000) AS name FROM generate_series(1, 100000)")
    before = resident()
    next(rows)
    assert resident() - before < 30_000_000
    rows.close()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT email FROM contcts", '42P01.: relation "contcts" does not exist, and nothing was sent'),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("UPDATE pg_class SET relname = 'a'", 'syntax error at or near "UPDATE"'),
    ],
)
def test_statement_that_the_database_rejects(sql, words, read):
    with pytest.raises(RecordsReadError, match=words) as caught:
        list(read(sql))
    assert "Check that sql is one SELECT" in str(caught.value)
    assert "LINE 1" not in str(caught.value)


def test_failure_in_the_middle_has_the_row_and_no_value(read):
    value = f"CASE id WHEN {CHUNK + 5} THEN ('private' || id)::int ELSE id END"
    words = rf"failed after {CHUNK} rows: InvalidText.* \(SQLSTATE 22P02\), and nothing was sent"
    with pytest.raises(RecordsReadError, match=words) as caught:
        list(read(f"SELECT {value} FROM generate_series(1, 9999) AS t(id)"))
    assert "private" not in str(caught.value)


def test_columns_with_the_same_name_are_refused(read):
    with pytest.raises(BadArgumentError, match=r"column 'id' twice. Rename one"):
        list(read("SELECT 1 AS id, 2 AS id"))


def test_server_that_cannot_be_reached(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", "postgres://someone:geheim@127.0.0.1:1/db?connect_timeout=5")
    with pytest.raises(RecordsReadError, match=r"conn_id='elsewhere'.*cannot connect to the database") as caught:
        list(SqlRecords("elsewhere", "SELECT 1").read_rows())
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("extra", [{}, {"cursor": "dictcursor"}])
def test_connection_of_airflow(extra, warehouse, execute, monkeypatch, postgres):
    values = {"conn_type": "postgres", "host": postgres, "login": "postgres", "schema": "postgres", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(values))
    execute(
        "CREATE TABLE contacts (id int PRIMARY KEY, email text)",
        "INSERT INTO contacts VALUES (2, NULL), (1, 'a@example.com')",
    )
    rows = SqlRecords(warehouse, "SELECT * FROM contacts WHERE id < %(most)s ORDER BY id", {"most": 9}).read_rows()
    assert [dict(row.record) for row in rows] == [{"id": 1, "email": "a@example.com"}, {"id": 2}]


def test_rows_that_are_not_read_leave_no_session(warehouse, execute):
    execute("CREATE TABLE contacts AS SELECT generate_series(1, 9999) AS id")
    rows = SqlRecords(warehouse, "SELECT id FROM contacts").read_rows()
    next(rows)
    rows.close()
    execute("SET lock_timeout = '5s'", "ALTER TABLE contacts ADD COLUMN email text")  # waits for open transactions


def test_every_chunk_is_of_the_same_moment(warehouse, execute):
    execute("CREATE TABLE contacts AS SELECT generate_series(1, 5000) AS id")
    rows = SqlRecords(warehouse, "SELECT id FROM contacts").read_rows()
    next(rows)
    execute("DELETE FROM contacts")
    assert sum(1 for _ in rows) == 4999


def test_session_that_ends_in_the_middle_is_an_error(warehouse, execute):
    execute("CREATE TABLE contacts AS SELECT generate_series(1, 9999) AS id")
    rows = SqlRecords(warehouse, "SELECT id FROM contacts").read_rows()
    next(rows)
    execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE state = 'idle in transaction'")
    with pytest.raises(RecordsReadError, match=f"the query failed after {CHUNK} rows: .*nothing was sent"):
        list(rows)


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT to_tsquery(name)::text FROM (VALUES ('Ada Lovelace')) AS t(name)", r"SyntaxError \(SQLSTATE 42601\),"),
        ("SELECT name::regclass::text FROM (VALUES ('lovelace')) AS t(name)", r"UndefinedTable \(SQLSTATE 42P01\),"),
        ("SELECT nothing FROM (VALUES ('lovelace')) AS t(name)", r'42703\): column "nothing" does not exist,'),
    ],
)
def test_error_about_a_value_is_not_shown(sql, error, read):
    with pytest.raises(RecordsReadError, match=error) as caught:
        list(read(sql))
    assert "lovelace" not in str(caught.value).lower()


def test_value_that_python_does_not_have_is_explained(read):
    with pytest.raises(RecordsReadError) as caught:
        list(read("SELECT '10000-01-01'::timestamp AS valid_to"))
    assert "one that Python does not have" in caught.value.hint
