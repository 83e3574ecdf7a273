# SPDX-License-Identifier: Apache-2.0
"""Rows of data frames and tables of other libraries, which are recognized without an import of the library."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.arrow_rows import batch_rows
from airflow_provider_bulkjobs.submitting.blocks import TableBlock
from airflow_provider_bulkjobs.submitting.column_values import read_values, short_floats
from airflow_provider_bulkjobs.submitting.columns import check_names
from airflow_provider_bulkjobs.submitting.row import Origin

FRAME_TYPES = ("Frame", "Table", "RecordBatch")
ROWS_AT_ONCE = 10_000
SHORT_FLOATS = {"float16", "float32", "halffloat[pyarrow]", "float[pyarrow]"}


def is_frame(source: Any) -> bool:
    """Return whether a value is a data frame or table."""
    return type(source).__name__.endswith(FRAME_TYPES)


def read_frame(source: Any) -> Iterator[TableBlock]:
    """Return the rows of a data frame or table.

    :raises BadArgumentError: its library is not supported, or its columns have no names of their own.
    """
    origin = Origin("", "row")
    if hasattr(source, "to_batches"):  # pyarrow.Table
        return batch_rows(source.schema.names, source.to_batches(), origin, "the table")
    if hasattr(source, "to_pylist") and hasattr(source, "schema"):  # pyarrow.RecordBatch
        return batch_rows(source.schema.names, [source], origin, "the record batch")
    if hasattr(source, "iter_rows"):  # polars
        return _read_polars(source, _names(source), origin)
    if hasattr(source, "itertuples"):
        return _read_pandas(source, _names(source), origin)
    remedies = {
        "to_pylist": "table.to_pylist()",
        "collect": "df.collect()",
        "to_dicts": "df.to_dicts()",
    }
    remedy = next((code for method, code in remedies.items() if hasattr(source, method)), "df.to_dict('records')")
    raise BadArgumentError(f"records is a {type(source).__name__}: pass {remedy}")


def _names(frame: Any) -> tuple[str, ...]:
    return check_names(frame.columns, "the data frame") if len(frame) or len(frame.columns) else ()


def _read_polars(frame: Any, columns: tuple[str, ...], origin: Origin) -> Iterator[TableBlock]:
    for start in range(0, len(frame), ROWS_AT_ONCE):
        part = frame.slice(start, ROWS_AT_ONCE)
        cells = map(_polars_values, part.get_columns())
        yield TableBlock(range(start + 1, start + 1 + len(part)), columns, cells, origin)


def _polars_values(series: Any) -> list[Any]:
    if str(series.dtype) == "Float32":
        return short_floats(series.cast(import_module("polars").String).to_list())
    return read_values(series, lambda part: part.to_list())


def _read_pandas(frame: Any, columns: tuple[str, ...], origin: Origin) -> Iterator[TableBlock]:
    for start in range(0, len(frame), ROWS_AT_ONCE):
        part = frame.iloc[start : start + ROWS_AT_ONCE]
        short = {
            name: short_floats(map(str, part[name].to_numpy("float32", na_value=float("nan"))))
            for name, kind in part.dtypes.items()
            if str(kind).lower() in SHORT_FLOATS
        }
        part = part.assign(**short).astype(object)
        part = part.where(part.notna(), None)  # NaN, NaT and pandas.NA are how pandas says that there is no value
        cells = zip(*part.itertuples(index=False, name=None), strict=True)
        yield TableBlock(range(start + 1, start + 1 + len(part)), columns, cells, origin)
