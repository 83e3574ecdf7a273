# SPDX-License-Identifier: Apache-2.0
"""Sources of records for the argument ``records`` of ``BulkJobOperator``, apart from files and lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from airflow_provider_bulkjobs.arguments import is_literal
from airflow_provider_bulkjobs.exceptions import BadArgumentError, BadConnectionError, BulkJobError

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.submitting.row import Row

__all__ = ["SqlRecords"]


class _Query(NamedTuple):
    conn_id: Any
    sql: Any
    parameters: Any


# A tuple: Airflow renders its items into a new object, finds the tasks that they depend on, and serializes it.
class SqlRecords(_Query):
    """The rows of a query over any SQL connection of Airflow; the columns are the field names.

    The rows are read in chunks, on PostgreSQL and MySQL with a server-side cursor, so memory use does not grow with
    their number. A null is a field that is not set. Needs the extra ``sql`` and the provider of the database.

    Give the query an ``ORDER BY`` over a unique key. A retry continues a submit only if it reads the same rows in the
    same order; otherwise it fails and says so.

    Example::

        records = SqlRecords(
            conn_id="warehouse",
            sql="SELECT mail AS email FROM customers WHERE changed_at >= %(since)s ORDER BY id",
            parameters={"since": "{{ data_interval_start }}"},
        )

    :param conn_id: the connection of the database. (templated)
    :param sql: one ``SELECT``, or the name of a ``.sql`` file in the DAG's folder or ``template_searchpath``.
        (templated)
    :param parameters: the values of the placeholders: a dict or a list, as the driver of the database takes them.
        (templated)
    :raises BadArgumentError: an argument is empty or of another type.
    """

    __slots__ = ()

    def __new__(cls, conn_id: Any, sql: Any, parameters: Any = None) -> Self:  # noqa: D102  (see the class)
        for name, value in (("conn_id", conn_id), ("sql", sql)):
            if is_literal(value) and not (isinstance(value, str) and value.strip()):
                what = "empty" if isinstance(value, str) else f"a {type(value).__name__}"
                raise BadArgumentError(f"{name} of SqlRecords is {what}. Pass a non-empty string.")
        if parameters is not None and is_literal(parameters) and not isinstance(parameters, Mapping | list | tuple):
            raise BadArgumentError(
                f"parameters of SqlRecords is a {type(parameters).__name__}. Pass a dict or a list of values."
            )
        return super().__new__(cls, conn_id, sql, parameters)

    def __repr__(self) -> str:
        given = {} if self.parameters is None else {"parameters": "…"}  # they may be secrets or personal data
        shown = {"conn_id": repr(self.conn_id), "sql": repr(self.sql), **given}
        return f"SqlRecords({', '.join(f'{name}={value}' for name, value in shown.items())})"

    def read_rows(self) -> Iterator[Row]:
        """Run the query; yield its rows.

        :raises BadConnectionError: the connection does not exist, or is not one of a SQL database.
        :raises RecordsReadError: the database failed.
        :raises BadArgumentError: the query has no columns, or columns without a name or with the same one.
        """
        from airflow_provider_bulkjobs.submitting.sql_rows import read_query

        source = f"SqlRecords(conn_id={self.conn_id!r})"
        hook, secrets = _sql_hook(self.conn_id, source)
        return read_query(hook.get_conn, self.sql, self.parameters, source=source, secrets=secrets)


def _sql_hook(conn_id: str, source: str) -> tuple[Any, list[str]]:
    """Return the hook of a SQL connection, and the values in the connection that may be secrets."""
    from airflow_provider_bulkjobs.hooks.connection_lookup import read_connection

    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
    except ImportError:
        raise BadArgumentError(
            f"records={source} needs apache-airflow-providers-common-sql. "
            "Run: pip install 'airflow-provider-bulkjobs[sql]'"
        ) from None
    try:
        connection = read_connection(conn_id)
    except BulkJobError as error:
        raise error.reworded(f"records={source}: {error.message}") from None
    has_type = f"records={source}: the connection is of type {connection.conn_type!r}"
    try:
        hook = connection.get_hook()
    except Exception as error:  # noqa: BLE001  (the exceptions depend on the Airflow version and the provider)
        missing = f" ({error})" if isinstance(error, ImportError) else ""
        raise BadConnectionError(
            f"{has_type}, which has no usable hook here{missing}. Install the provider of the "
            "database, such as apache-airflow-providers-postgres."
        ) from None
    if not isinstance(hook, DbApiHook):
        raise BadConnectionError(
            f"{has_type}, which is not a SQL database. Use the connection of a database, such as postgres or snowflake."
        )
    extra = (str(value) for value in connection.extra_dejson.values() if isinstance(value, str))
    return hook, [value for value in (connection.password, *extra) if value]
