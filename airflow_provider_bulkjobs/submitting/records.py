# SPDX-License-Identifier: Apache-2.0
"""Records to submit, read one by one from wherever users have them: files, queries, data frames, lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.blocks import Block, Rows, blocks_of
from airflow_provider_bulkjobs.submitting.columns import read_columns, select
from airflow_provider_bulkjobs.submitting.file_rows import read_files
from airflow_provider_bulkjobs.submitting.frame_rows import is_frame, read_frame
from airflow_provider_bulkjobs.submitting.list_rows import described_rows, read_list
from airflow_provider_bulkjobs.submitting.paths import is_path, object_path, safe_repr
from airflow_provider_bulkjobs.submitting.record_source import RecordSource
from airflow_provider_bulkjobs.submitting.row import Row

__all__ = ["Row", "object_path", "read_records", "safe_repr"]


def read_records(source: Any, *, columns: Any = None, read_options: Any = None, file_format: Any = None) -> Rows:
    """Read records.

    :param source: a list of dicts, rows of a query, a data frame, the path or URI of files, or a :class:`RecordSource`.
    :param columns: the field for each column that is submitted, or the names of columns in order.
    :param read_options: how CSV files are written.
    :param file_format: the format of the files, if their names do not say.
    :raises BadArgumentError: the source is neither, or the file cannot be read, or another argument is invalid.
    """
    fields = read_columns(columns)
    for_files = {"read_options": read_options, "file_format": file_format}
    rows: Iterator[Block | Row]
    if is_path(source):
        rows = read_files([source], **for_files)
    elif isinstance(source, RecordSource):
        rows = iter(blocks_of(source.read_rows()))
    elif is_frame(source):
        rows = read_frame(source)
    elif (described := described_rows(source)) is not None:
        rows = described
    elif isinstance(source, Iterable) and not isinstance(source, Mapping | bytes):
        names = tuple(fields) if fields and not isinstance(columns, Mapping) else ()
        rows = _read_items(source, names, for_files)
    else:
        what = "None" if source is None else f"a {type(source).__name__}"
        if isinstance(source, Mapping) and any(isinstance(value, list | tuple) for value in source.values()):
            what = "a dict of lists, not a list of dicts"
        raise BadArgumentError(
            f"records is {what}. Pass a list of dicts, a task's output, or the path of a file (.jsonl, .csv or "
            ".parquet, also compressed), or a query (SqlRecords)."
        )
    return Rows(select(rows, fields) if fields else rows)


def _read_items(items: Iterable[Any], names: tuple[str, ...], for_files: dict[str, Any]) -> Iterator[Block | Row]:
    """Read a list of records or of paths, whichever its first item is."""
    rest = iter(items)
    for first in rest:
        if is_path(first):
            yield from read_files([first, *rest], **for_files)
        else:
            yield from read_list(chain([first], rest), names)
