# SPDX-License-Identifier: Apache-2.0
"""The rows of a query, read in chunks from any driver of the Python database API (PEP 249)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any
from uuid import uuid4

from airflow_provider_bulkjobs.exceptions import BadArgumentError, BulkJobError, RecordsReadError
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.submitting.blocks import Rows, TableBlock
from airflow_provider_bulkjobs.submitting.columns import check_names
from airflow_provider_bulkjobs.submitting.row import Origin

CHUNK = 2000  # rows
ORIGIN = Origin("query", "row")
# Classes of SQLSTATE whose messages are about the statement or the server, never about values in the rows: connection,
# feature, authorization, transaction, database and schema names, syntax, resources, limits, object states, operators.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
STATES_WITHOUT_VALUES = ("08", "0A", "25", "28", "3D", "3F", "42", "53", "54", "55", "57")
INSUFFICIENT_PRIVILEGE = "42501"
STATEMENT_HINT = "Check that sql is one SELECT that the database accepts, and that parameters match its placeholders."
VALUE_HINT = (
    "A value of the result may be one that Python does not have, such as the timestamp 'infinity' or text in another "
    "encoding. Correct it, or cast the column in sql."
)


def read_query(
    connect: Callable[[], Any], sql: str, parameters: Any, *, source: str, secrets: Iterable[str] = ()
) -> Rows:
    """Return the rows of a query; nothing is committed.

    :param connect: opens the database connection, which is closed at the end.
    :param parameters: the values of the placeholders, in the format of the driver, or ``None``.
    :param source: what has the query, for messages.
    :param secrets: values that the driver must not repeat in a message.
    :raises RecordsReadError: the database failed.
    :raises BadArgumentError: the query has no columns, or columns without a name or with the same one.
    """
    return Rows(_read_blocks(connect, sql, parameters, source, secrets))


def _read_blocks(
    connect: Callable[[], Any], sql: str, parameters: Any, source: str, secrets: Iterable[str]
) -> Iterator[TableBlock]:
    try:
        connection = connect()
    except Exception as error:  # noqa: BLE001  (the exceptions depend on the driver)
        reason = redact(f"{type(error).__name__}: {error}", secrets)
        raise RecordsReadError(
            f"records={source}: cannot connect to the database: {reason}", hint="Check the connection in Airflow."
        ) from None
    count = 0
    try:
        with _closing(connection), _closing(_open_cursor(connection)) as cursor:
            cursor.execute(sql) if parameters is None else cursor.execute(sql, parameters)
            # A named cursor knows its columns after the first fetch; others refuse to fetch if there are no columns.
            rows = cursor.fetchmany(CHUNK) if _has_named_cursors(connection) or cursor.description else []
            columns = _columns(cursor.description, source)
            while rows:
                # Some connections ask for dicts.
                cells = (row.values() if isinstance(row, Mapping) else row for row in rows)
                yield TableBlock(range(count + 1, count + 1 + len(rows)), columns, zip(*cells, strict=True), ORIGIN)
                count += len(rows)
                rows = cursor.fetchmany(CHUNK)
    except BulkJobError:
        raise
    except Exception as error:  # noqa: BLE001  (the exceptions depend on the driver)
        when = f" after {count} rows" if count else ""
        # Not "from error": its message may contain values of the rows.
        raise RecordsReadError(
            f"records={source}: the query failed{when}: {_reason(error, secrets)}, and nothing was sent",
            hint=VALUE_HINT if _is_about_a_value(error) else STATEMENT_HINT,
        ) from None


@contextmanager
def _closing(resource: Any) -> Iterator[Any]:
    try:
        yield resource
    finally:
        with suppress(Exception):  # everything was read, or the error that matters is another one
            resource.close()


def _has_named_cursors(connection: Any) -> bool:
    return _driver(connection) in {"psycopg", "psycopg2"}


def _driver(connection: Any) -> str:
    return type(connection).__module__.partition(".")[0]


def _open_cursor(connection: Any) -> Any:
    """Return a cursor that does not hold the whole result in memory: by default, these drivers do."""
    driver = _driver(connection)
    if _has_named_cursors(connection):
        return connection.cursor(f"bulkjobs_{uuid4().hex}")
    if driver in {"MySQLdb", "pymysql"}:
        return connection.cursor(import_module(f"{driver}.cursors").SSCursor)
    return connection.cursor()


def _columns(description: Iterable[Any] | None, source: str) -> tuple[str, ...]:
    if not description:
        raise BadArgumentError(f"records={source}: the statement returns no rows. Pass a SELECT as sql.")
    return check_names((column[0] for column in description), source)


def _is_about_the_statement(error: Exception) -> bool:
    """Return whether SQLite refused the statement or its parameters; Python's own errors repeat the text of a row."""
    if type(error).__module__ != "sqlite3":
        return False
    return hasattr(error, "sqlite_errorcode") or type(error).__name__ in {"ProgrammingError", "InterfaceError"}


def _has_no_value(error: Exception, state: str) -> bool:
    """Return whether the message of an error with this SQLSTATE repeats no value of a row."""
    if not state.startswith("42") or state == INSUFFICIENT_PRIVILEGE:
        return state.startswith(STATES_WITHOUT_VALUES)
    # PostgreSQL also raises it for a value, such as text that is cast to a regclass, without a position in the query.
    diagnosis = getattr(error, "diag", None)
    return diagnosis is None or diagnosis.statement_position is not None


def _is_about_a_value(error: Exception) -> bool:
    if type(error).__module__ == "sqlite3":
        return not _is_about_the_statement(error)
    return isinstance(error, ValueError | OverflowError) or type(error).__name__ == "DataError"


def _reason(error: Exception, secrets: Iterable[str]) -> str:
    """Return what a driver says, without what may be a value of a row."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    reason = type(error).__name__ + (f" (SQLSTATE {state})" if state else "")
    is_safe = _is_about_the_statement(error) or _has_no_value(error, str(state))
    # The lines after the first one repeat the statement, with its parameters.
    message = redact(str(error).strip().partition("\n")[0], secrets) if is_safe else ""
    return f"{reason}: {message}" if message else reason
