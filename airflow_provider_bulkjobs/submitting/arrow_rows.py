# SPDX-License-Identifier: Apache-2.0
"""Rows of Parquet and Arrow files, a batch at a time. Nested values become lists and dicts.

https://arrow.apache.org/docs/python/parquet.html and https://arrow.apache.org/docs/python/ipc.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.blocks import TableBlock
from airflow_provider_bulkjobs.submitting.column_values import read_values, short_floats
from airflow_provider_bulkjobs.submitting.columns import check_names
from airflow_provider_bulkjobs.submitting.row import Origin

BATCH_ROWS = 2000


def read_parquet(file: BinaryIO, origin: Origin, source: str) -> Iterator[TableBlock]:
    """Read the rows of a Parquet file, with one row group in memory at most.

    :param source: the file, for messages.
    :raises BadArgumentError: pyarrow is missing, or the file is not Parquet.
    """
    pyarrow = _import_pyarrow(source)
    from pyarrow import parquet

    try:
        # By default, newer versions of pyarrow read the whole file into memory in advance.
        table = parquet.ParquetFile(file, pre_buffer=False, coerce_int96_timestamp_unit="us")
    except pyarrow.ArrowInvalid:
        raise BadArgumentError(f"records={source} is not a Parquet file, or it is incomplete.") from None
    with table:
        yield from batch_rows(table.schema_arrow.names, table.iter_batches(BATCH_ROWS), origin, source)


def read_arrow(file: BinaryIO, origin: Origin, source: str) -> Iterator[TableBlock]:
    """Read the rows of an Arrow IPC file or stream, with one record batch in memory.

    :param source: the file, for messages.
    :raises BadArgumentError: pyarrow is missing, or the file is not Arrow.
    """
    pyarrow = _import_pyarrow(source)
    try:
        if file.peek(6).startswith(b"ARROW1"):  # type: ignore[attr-defined]
            reader = pyarrow.ipc.open_file(file)
            schema, batches = reader.schema, map(reader.get_batch, range(reader.num_record_batches))
        else:
            batches = pyarrow.ipc.open_stream(file)
            schema = batches.schema
    except pyarrow.ArrowInvalid:
        raise BadArgumentError(f"records={source} is not an Arrow file, or it is incomplete.") from None
    yield from batch_rows(schema.names, batches, origin, source)


def batch_rows(columns: Iterable[str], batches: Iterable[Any], origin: Origin, source: str) -> Iterator[TableBlock]:
    """Yield the rows of Arrow record batches.

    :raises BadArgumentError: a column has no name, or two have the same.
    """
    names, number = tuple(columns), 0
    for batch in batches:
        check_names(names, source)
        for start in range(0, batch.num_rows, BATCH_ROWS):
            part = batch.slice(start, BATCH_ROWS)
            lines = range(number + 1, number + 1 + part.num_rows)
            yield TableBlock(lines, names, map(_values, part.columns), origin)
            number += part.num_rows


def _values(column: Any) -> list[Any]:
    if str(column.type) in {"float", "halffloat"}:
        return short_floats(column.cast("string").to_pylist())
    # Maps become lists of pairs otherwise; the option makes all other columns several times slower.
    options = {"maps_as_pydicts": "strict"} if "map<" in str(column.type) else {}
    return read_values(column, lambda part: part.to_pylist(**options))


def _import_pyarrow(source: str) -> Any:
    try:
        import pyarrow.ipc
    except ImportError:
        raise BadArgumentError(
            f"records={source} needs pyarrow. Install airflow-provider-bulkjobs[parquet] to read Parquet and Arrow."
        ) from None
    return pyarrow
