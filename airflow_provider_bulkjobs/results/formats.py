# SPDX-License-Identifier: Apache-2.0
"""The formats of a file of rows: JSON Lines, CSV and Parquet, each also compressed, as the ending of its name says."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from typing import IO, Any, BinaryIO, cast

from airflow_provider_bulkjobs.exceptions import BadArgumentError

Row = Mapping[str, Any]
Open = Callable[[IO[bytes]], AbstractContextManager[IO[bytes]]]

ROWS_PER_GROUP = 10_000  # of Parquet
BYTES_PER_GROUP = 8 * 1024 * 1024  # of the rows as JSON


@dataclass(slots=True)
class Columns:
    """The columns of a table, in order of appearance, with the types of their values.

    :param types: of each column; a column without a value has none.
    """

    types: dict[str, set[type]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Add the columns of a row."""
        for name, value in row.items():
            found = self.types.setdefault(name, set())
            if value is not None:
                found.add(_type_of(value))


@dataclass(frozen=True, slots=True)
class Format:
    """The format of a file.

    :param name: ``jsonl``, ``csv`` or ``parquet``.
    :param compress: opens the compressed stream on an open file; ``None`` if the file is not compressed.
    """

    name: str
    compress: Open | None = None

    @property
    def is_table(self) -> bool:
        """Whether the file has columns, and so no values that are lists or objects."""
        return self.name != "jsonl"

    def write(self, lines: IO[bytes], columns: Columns, target: IO[bytes]) -> None:
        """Write rows to an open file, with a constant number of them in memory.

        :param lines: the rows as JSON Lines, at their start.
        """
        if self.compress is None:
            self._write(lines, columns, target)
            return
        with self.compress(target) as compressed:
            self._write(lines, columns, compressed)

    def _write(self, lines: IO[bytes], columns: Columns, target: IO[bytes]) -> None:
        match self.name:
            case "csv":
                _write_csv(lines, columns, target)
            case "parquet":
                _write_parquet(lines, columns, target)
            case _:
                while data := lines.read(BYTES_PER_GROUP):
                    target.write(data)


def format_of(path: str) -> Format:
    """Return the format that the ending of a path stands for: ``rows.csv.gz``. Other endings stand for JSON Lines.

    :raises BadArgumentError: the format needs a package that is not installed.
    """
    name = path.lower().partition("?")[0]
    compress = None
    for ending, opener in COMPRESSION.items():
        if name.endswith(ending):
            name, compress = name.removesuffix(ending), opener
            break
    if compress is _zstandard:
        _module("zstandard", "zstd", path)
    if name.endswith(".parquet"):
        _module("pyarrow", "parquet", path)
        return Format("parquet", compress)
    return Format("csv" if name.endswith(".csv") else "jsonl", compress)


def _gzip(file: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="wb", mtime=0))


def _bz2(file: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    return cast("IO[bytes]", bz2.BZ2File(file, "wb"))


def _zstandard(file: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    compressor = import_module("zstandard").ZstdCompressor()
    return cast("AbstractContextManager[IO[bytes]]", compressor.stream_writer(file, closefd=False))


COMPRESSION: dict[str, Open] = {".gz": _gzip, ".bz2": _bz2, ".zst": _zstandard}


def _module(name: str, extra: str, path: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        ending = f".{path.rpartition('.')[2]}"
        raise BadArgumentError(
            f"path: a file that ends in {ending!r} needs the package {name}, which is not installed. Install "
            f"airflow-provider-bulkjobs[{extra}], or write another format: .jsonl, .csv, also with .gz"
        ) from None


def _write_csv(lines: IO[bytes], columns: Columns, target: IO[bytes]) -> None:
    text = io.TextIOWrapper(cast("BinaryIO", target), encoding="utf-8", errors="replace", newline="")
    rows = csv.writer(_UnixLines(text), lineterminator="\r\n")  # so that a cell with either of them is quoted
    if columns.types:
        rows.writerow(columns.types)
    for line in lines:
        row = json.loads(line)
        rows.writerow([_cell(row.get(name)) for name in columns.types])
    text.flush()
    text.detach()  # the caller closes the file


class _UnixLines:
    """A text file whose lines end with a line feed, although they are written with a carriage return, too."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def write(self, line: str) -> int:
        """Write one line."""
        return self._text.write(line.removesuffix("\r\n") + "\n")


def _write_parquet(lines: IO[bytes], columns: Columns, target: IO[bytes]) -> None:
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    own = {bool: pyarrow.bool_(), int: pyarrow.int64(), float: pyarrow.float64()}
    kinds = {name: _column_type(types) for name, types in columns.types.items()}
    schema = pyarrow.schema([(name, own.get(kind, pyarrow.string())) for name, kind in kinds.items()])
    with parquet.ParquetWriter(target, schema) as writer:
        for rows in _groups(lines):
            cells = {name: [_typed(row.get(name), kind) for row in rows] for name, kind in kinds.items()}
            writer.write_table(pyarrow.table(cells, schema=schema))


def _groups(lines: IO[bytes]) -> Iterator[list[Row]]:
    rows: list[Row] = []
    size = 0
    for line in lines:
        rows.append(json.loads(line))
        size += len(line)
        if len(rows) >= ROWS_PER_GROUP or size >= BYTES_PER_GROUP:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _column_type(types: set[type]) -> type:
    """Return the type of a column: text, if its values have several."""
    if types == {int, float}:
        return float
    return next(iter(types)) if len(types) == 1 else str


def _type_of(value: Any) -> type:
    """Return the type of the column that holds a value; a larger number than Parquet has is text."""
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str
    return type(value) if type(value) in {bool, int, float} else str


def _typed(value: Any, kind: type) -> Any:
    if value is None or kind is bool or kind is int:
        return value
    return float(value) if kind is float else _cell(value).encode("utf-8", "replace").decode()


def _cell(value: Any) -> str:
    """Return a value as text: lists, objects and bools as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
