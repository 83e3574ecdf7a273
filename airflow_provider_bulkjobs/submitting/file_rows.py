# SPDX-License-Identifier: Apache-2.0
"""Rows of one file or of many part files, which are read as one source; one file is open at a time."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, BinaryIO, cast

from airflow_provider_bulkjobs.exceptions import BadArgumentError, RecordsReadError
from airflow_provider_bulkjobs.submitting.arrow_rows import read_arrow, read_parquet
from airflow_provider_bulkjobs.submitting.blocks import Block
from airflow_provider_bulkjobs.submitting.columns import listed
from airflow_provider_bulkjobs.submitting.compression import PIECE, decompressed, strip_compression
from airflow_provider_bulkjobs.submitting.csv_options import CsvOptions, read_csv_options
from airflow_provider_bulkjobs.submitting.csv_rows import read_csv
from airflow_provider_bulkjobs.submitting.formats import FORMATS, format_of, read_format
from airflow_provider_bulkjobs.submitting.json_rows import read_json_lines
from airflow_provider_bulkjobs.submitting.parts import Part, find_parts
from airflow_provider_bulkjobs.submitting.paths import read_errors, safe_repr
from airflow_provider_bulkjobs.submitting.row import Origin, Row
from airflow_provider_bulkjobs.temporary_files import temporary_file


def read_files(sources: Sequence[Any], read_options: Any = None, file_format: Any = None) -> Iterator[Block | Row]:
    """Read the rows of files.

    :param sources: paths or URIs of files, folders, patterns, or the common start of the names of files.
    :param read_options: see :class:`CsvOptions`.
    :param file_format: the format of all files; default: by the ending of their names.
    :raises BadArgumentError: there is no such file, or the files differ in format or columns.
    :raises RecordsReadError: a file cannot be read.
    """
    options, file_format = read_csv_options(read_options), read_format(file_format)
    parts = find_parts(sources)
    file_format = _format(parts, file_format)
    if read_options and file_format != "csv":
        raise BadArgumentError(f"read_options is only for CSV, and records are {file_format}. Remove the argument.")
    columns = _Columns()
    for part in parts:
        with read_errors(part.path):
            yield from columns.same(part, _read(part, file_format, options))


class _Columns:
    """The columns that all parts have, in any order."""

    def __init__(self) -> None:
        self._columns: tuple[str, ...] = ()
        self._first = ""

    def same(self, part: Part, rows: Iterator[Block | Row]) -> Iterator[Block | Row]:
        """Yield the rows of a part.

        :raises BadArgumentError: it has other columns than the parts before.
        """
        for row in rows:
            if row.columns and not self._columns:
                self._columns, self._first = row.columns, part.name
            elif set(row.columns) != set(self._columns):
                raise BadArgumentError(f"records={safe_repr(part.path)} {self._difference(row.columns)}")
            yield row
            break
        yield from rows

    def _difference(self, columns: tuple[str, ...]) -> str:
        missing, new = (
            [name for name in one if name not in other]
            for one, other in ((self._columns, columns), (columns, self._columns))
        )
        text = f"has other columns than {self._first}"
        # Files without a header have hardly any "columns" in common, and their names would be personal data.
        if 2 * len(missing) < len(self._columns):
            found = [("lacks", missing), ("has also", new)]
            text += ": it " + " and ".join(f"{verb} {listed(names)}" for verb, names in found if names)
        return f"{text}. Unload all parts with the same columns, or submit them separately."


def _format(parts: list[Part], file_format: str | None) -> str:
    if file_format:
        return file_format
    formats = {format_of(part.path): part for part in parts}
    if (unknown := formats.get(None)) is not None:
        raise BadArgumentError(
            f"records={safe_repr(unknown.path)} is not JSON Lines (.jsonl) or CSV (.csv), Parquet (.parquet) or Arrow "
            f"(.arrow) by its name, which may also end in .gz, .bz2 or .zst. Rename it, or set format to one of "
            f"{', '.join(FORMATS)}."
        )
    if len(formats) > 1:
        names = " and ".join(each.name for each in formats.values())
        raise BadArgumentError(f"records has files of different formats: {names}. Submit them separately.")
    return next(str(name) for name in formats)


def _read(part: Part, file_format: str, options: CsvOptions) -> Iterator[Block | Row]:
    source = safe_repr(part.path)
    readers: dict[str, Callable[..., Iterator[Block | Row]]] = {
        "csv": partial(read_csv, options=options),
        "jsonl": read_json_lines,
        "parquet": read_parquet,
        "arrow": read_arrow,
    }
    unit = "line" if file_format in {"csv", "jsonl"} else "row"
    # Opened with fsspec directly: Airflow's wrapper records each read.
    with part.files.open(part.path, "rb") as raw, io.BufferedReader(raw, PIECE) as file, ExitStack() as stack:
        name = part.path.partition("?")[0].lower()
        if not file.peek(1):
            if unit == "row" or strip_compression(name) != name:
                raise RecordsReadError(f"records={source} cannot be read: the file has 0 bytes, so it is incomplete")
            return
        content = stack.enter_context(decompressed(file, name, source))
        if file_format == "parquet" and content is not file:
            content = stack.enter_context(_copy(content))
        yield from readers[file_format](content, Origin(part.name, unit), source)


@contextmanager
def _copy(content: BinaryIO) -> Iterator[BinaryIO]:
    """Yield a stream as a temporary file: Parquet is read from its end."""
    with temporary_file() as file:
        shutil.copyfileobj(content, file, PIECE)
        file.seek(0)
        yield cast("BinaryIO", file)
