# SPDX-License-Identifier: Apache-2.0
"""A query as the source of records, on SQLite: what is read, what is rendered, and what is refused."""

import copy
import json
import pickle
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator
from airflow_provider_bulkjobs.records import SqlRecords
from airflow_provider_bulkjobs.submitting.record_source import RecordSource
from airflow_provider_bulkjobs.submitting.records import read_records
from airflow_provider_bulkjobs.submitting.sql_rows import CHUNK, read_query

TWO = "INSERT INTO contacts VALUES (1, 'a@example.com', NULL), (2, 'b@example.com', 'Berlin')"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A SQLite database with two contacts; the connection to it is "warehouse"."""
    path = tmp_path / "warehouse.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT, city TEXT)")
        connection.execute(TWO)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    return path


def records_of(sql: str, parameters: Any = None) -> list[dict[str, Any]]:
    return [dict(row.record) for row in SqlRecords("warehouse", sql, parameters).read_rows()]


def test_rows_have_the_columns_as_field_names(database):
    first, second = read_records(SqlRecords("warehouse", "SELECT * FROM contacts ORDER BY id"))
    assert (first.record, first.where) == ({"id": 1, "email": "a@example.com"}, "query row 1")
    assert second.record == {"id": 2, "email": "b@example.com", "city": "Berlin"}
    assert first.columns == second.columns == ("id", "email", "city")


def test_columns_are_renamed_and_selected(database):
    records = SqlRecords("warehouse", "SELECT email AS EMAIL, city AS CITY, id FROM contacts ORDER BY id")
    rows = list(read_records(records, columns={"EMAIL": "email", "CITY": "city"}))
    assert [row.record for row in rows] == [{"email": "a@example.com"}, {"email": "b@example.com", "city": "Berlin"}]
    assert rows[0].columns == ("email", "city")


def test_query_is_a_record_source():
    assert isinstance(SqlRecords("warehouse", "SELECT 1"), RecordSource)


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [("SELECT id FROM contacts WHERE id > ?", [1]), ("SELECT id FROM contacts WHERE id > :least", {"least": 1})],
)
def test_parameters_are_as_the_driver_takes_them(sql, parameters, database):
    assert records_of(sql, parameters) == [{"id": 2}]


def test_query_without_rows_has_no_records(database):
    assert records_of("SELECT * FROM contacts WHERE id > 2") == []


def test_statement_that_writes_changes_nothing(database):
    assert records_of("DELETE FROM contacts RETURNING id") == [{"id": 1}, {"id": 2}]
    assert len(records_of("SELECT id FROM contacts")) == 2


def test_extra_whose_provider_is_missing_is_named(database, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "airflow.providers.common.sql.hooks.sql", None)
    with pytest.raises(errors.BadArgumentError, match=r"pip install 'airflow-provider-bulkjobs\[sql\]'"):
        records_of("SELECT 1 AS a")


@pytest.mark.parametrize(
    ("sql", "parameters", "error", "words"),
    [
        ("SELECT id, id FROM contacts", None, errors.BadArgumentError, "column 'id' twice"),
        ('SELECT id AS "" FROM contacts', None, errors.BadArgumentError, "a column has no name"),
        ("DELETE FROM contacts", None, errors.BadArgumentError, "the statement returns no rows. Pass a SELECT as sql"),
        ("SELECT emial FROM contacts", None, errors.RecordsReadError, "OperationalError: no such column: emial"),
        ("SELECT 1; SELECT 2", None, errors.RecordsReadError, "one statement at a time"),
        ("SELECT ? AS a", None, errors.RecordsReadError, "bindings supplied.* parameters match its placeholders"),
        ("SELECT ? AS a", [1, 2], errors.RecordsReadError, "bindings supplied"),
        ("SELECT ? AS a", [object()], errors.RecordsReadError, "type 'object' is not supported"),
    ],
)
def test_query_that_cannot_be_read(sql, parameters, error, words, database):
    with pytest.raises(error, match=rf"^records=SqlRecords\(conn_id='warehouse'\).*{words}"):
        records_of(sql, parameters)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (None, "conn_id `warehouse` isn't defined. Create it"),
        ({"conn_type": "nosuchdb"}, "of type 'nosuchdb', which has no usable hook here.*Install the provider"),
        ({"conn_type": "klaviyo", "password": "pk_1"}, "of type 'klaviyo', which is not a SQL database"),
    ],
)
def test_connection_that_is_not_of_a_database(values, words, monkeypatch):
    if values:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(values))
    with pytest.raises(errors.BadConnectionError, match=rf"^records=SqlRecords\(.*{words}"):
        records_of("SELECT 1 AS a")


def test_database_that_cannot_be_opened(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": "/no/such/folder/a.db"}))
    with pytest.raises(errors.RecordsReadError, match="cannot connect to the database: OperationalError: unable"):
        records_of("SELECT 1 AS a")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("", "SELECT 1"), "conn_id of SqlRecords is empty"),
        ((None, "SELECT 1"), "conn_id of SqlRecords is a NoneType"),
        (("warehouse", " "), "sql of SqlRecords is empty"),
        (("warehouse", ["SELECT 1", "SELECT 2"]), "sql of SqlRecords is a list. Pass a non-empty string"),
        (("warehouse", "SELECT 1", "x"), "parameters of SqlRecords is a str. Pass a dict or a list"),
        (("warehouse", "SELECT 1", 7), "parameters of SqlRecords is a int"),
    ],
)
def test_arguments_are_checked_when_the_dag_is_parsed(arguments, words):
    with pytest.raises(errors.BadArgumentError, match=words):
        SqlRecords(*arguments)


def test_neither_repr_nor_messages_have_the_parameters(database):
    records = SqlRecords("warehouse", "SELECT :who AS a FROM nowhere", {"who": "someone@example.com"})
    assert repr(records) == "SqlRecords(conn_id='warehouse', sql='SELECT :who AS a FROM nowhere', parameters=…)"
    with pytest.raises(errors.RecordsReadError) as caught:
        list(records.read_rows())
    assert "someone" not in str(caught.value)


class Failing:
    """A connection of another driver, whose query fails in its third chunk, and whose rows are dicts."""

    description = (("id", None), ("email", None))

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.chunks = 0
        self.is_closed = False

    def cursor(self) -> "Failing":
        return self

    def execute(self, sql: str) -> None: ...

    def fetchmany(self, size: int) -> list[dict[str, Any]]:
        self.chunks += 1
        if self.chunks == 3:
            raise self.error
        return [{"id": 1, "email": "a@example.com"}] * size

    def close(self) -> None:
        self.is_closed = True


def test_failure_in_the_middle_has_no_values():
    failing = Failing(ValueError("cannot cast 'someone private' to int"))
    rows = read_query(lambda: failing, "SELECT 1", None, source="SqlRecords(conn_id='w')")
    assert next(rows).record == {"id": 1, "email": "a@example.com"}
    words = rf"^records=SqlRecords\(conn_id='w'\): the query failed after {2 * CHUNK} rows: ValueError, and nothing was"
    with pytest.raises(errors.RecordsReadError, match=words) as caught:
        list(rows)
    assert "private" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert failing.is_closed


def rendered(records: Any, context: dict[str, Any], **dag: Any) -> Any:
    with make_dag(**dag):
        operator = BulkJobOperator(task_id="import", conn_id="klaviyo_default", records=records)
    operator.render_template_fields(context)
    return operator.records


def make_dag(**arguments: Any) -> Any:
    from airflow.providers.common.compat.sdk import DAG

    return DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), **arguments)


def test_templates_are_rendered_and_values_are_kept():
    records = SqlRecords("{{ db }}", "SELECT '{{ ds }}'", {"since": "{{ ds }}", "day": date(2026, 2, 1), "most": 9})
    expected = SqlRecords("pg", "SELECT '2026'", {"since": "2026", "day": date(2026, 2, 1), "most": 9})
    found = rendered(records, {"ds": "2026", "db": "pg"})
    assert (found, type(found)) == (expected, SqlRecords)
    assert records.sql == "SELECT '{{ ds }}'"  # other runs and mapped tasks render it again


@pytest.mark.parametrize("native", [False, True])
def test_file_is_found_and_rendered(native, tmp_path):
    (tmp_path / "contacts.sql").write_text("SELECT * FROM contacts WHERE day = '{{ ds }}'\n")
    dag = {"template_searchpath": str(tmp_path), "render_template_as_native_obj": native}
    found = rendered(SqlRecords("warehouse", "contacts.sql"), {"ds": "2026"}, **dag)
    assert found.sql.strip() == "SELECT * FROM contacts WHERE day = '2026'"


def test_template_that_renders_to_nothing_is_an_error():
    with pytest.raises(errors.BadArgumentError, match="sql of SqlRecords is empty"):
        rendered(SqlRecords("warehouse", "{{ sql }}"), {"sql": ""})


def upstream(make: Callable[[Any], Any]) -> set[str]:
    from airflow.providers.common.compat.sdk import BaseOperator

    with make_dag():
        return set(make(BaseOperator(task_id="before").output).upstream_task_ids)


def test_output_of_a_task_as_parameter_makes_it_upstream():
    def plain(output: Any) -> Any:
        records = SqlRecords("warehouse", "SELECT 1", {"since": output})
        return BulkJobOperator(task_id="import", conn_id="klaviyo_default", records=records)

    def mapped(output: Any) -> Any:
        records = SqlRecords("warehouse", "SELECT 1", [output])
        return BulkJobOperator.partial(task_id="import", records=records).expand(conn_id=["a", "b"])

    assert upstream(plain) == upstream(mapped) == {"before"}


def serialized(dag: Any) -> dict[str, Any]:
    from airflow.serialization import serialized_objects

    serializer = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    data = json.loads(json.dumps(serializer.to_dict(dag)))
    assert serializer.from_dict(data).task_ids == dag.task_ids
    return {task["__var"]["task_id"]: task["__var"] for task in data["dag"]["tasks"]}


def test_dag_with_queries_is_serialized_readably():
    records = SqlRecords("warehouse", "SELECT 1", {"since": "{{ ds }}"})
    others = [records, SqlRecords("warehouse", "SELECT 2")]
    with make_dag() as dag:
        BulkJobOperator(task_id="plain", conn_id="klaviyo_default", records=records)
        BulkJobOperator.partial(task_id="partial", records=records).expand(conn_id=["a", "b"])
        BulkJobOperator.partial(task_id="mapped", conn_id="klaviyo_default").expand(records=others)
    found = serialized(dag)
    assert found["plain"]["records"] == ["warehouse", "SELECT 1", {"since": "{{ ds }}"}]
    assert "SELECT 1" in json.dumps(found["partial"]["partial_kwargs"])
    assert "SELECT 2" in json.dumps(found["mapped"]["expand_input"])


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_query_can_be_copied(copied):
    records = SqlRecords("warehouse", "SELECT 1", {"since": 1})
    assert (copied(records), type(copied(records))) == (records, SqlRecords)


def test_text_that_is_not_utf_8_is_not_shown(database):
    with pytest.raises(errors.RecordsReadError, match="query failed: OperationalError, and nothing") as caught:
        records_of("SELECT CAST(x'52656ee9204dfc6c6c6572' AS TEXT) AS email")
    assert "ller" not in str(caught.value)
    assert "text in another encoding" in caught.value.hint
