# SPDX-License-Identifier: Apache-2.0
"""Records on their way to requests: checked, encoded and cut once, on disk, so that any number of them will do.

What has been checked is then what is sent, also if somebody writes to the source in the meantime.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, cast

from airflow_provider_bulkjobs.vendors.operation import Chunk, Operation, Record, shown_name

HEADER = struct.Struct("<QQQQ")  # records, first line, last line, bytes
SEPARATOR = b","
PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Portion:
    """The records of one request.

    :param number: of the request, from 1.
    :param first: line of the first record.
    :param last: line of the last record.
    """

    number: int
    first: int
    last: int
    chunk: Chunk

    @property
    def items(self) -> int:
        """How many records there are."""
        return self.chunk.items


class Spool:
    """A temporary file of encoded records, cut by the limits of an operation.

    :param room: how many bytes of a request are taken already by what is not records, given the columns of a table.
    """

    def __init__(self, operation: Operation, room: Callable[[tuple[str, ...]], int]) -> None:
        self._operation = operation
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="bulkjobs-")  # noqa: SIM115  (closed by close)
        self._room = room
        self._most_bytes = operation.most_bytes
        self._separator = b"" if operation.is_table else SEPARATOR
        self._hash = hashlib.blake2b(digest_size=16)
        self._columns: tuple[str, ...] = ()
        self._header = b""  # of a table
        self._start = self._items = self._first = self._last = self._size = 0
        self.items = 0
        self.requests = 0

    def close(self) -> None:
        """Give the space on the disk back."""
        self._file.close()

    @property
    def fingerprint(self) -> str:
        """What tells these records from others."""
        return self._hash.hexdigest()

    def add(self, line: int, record: Record, columns: tuple[str, ...] = ()) -> str | None:
        """Take a record; return what is wrong with it instead, if something is."""
        columns = self._columns or columns or tuple(map(str, record))
        try:
            data = _row(record, columns) if self._operation.is_table else self._operation.encode(record)
        except (TypeError, ValueError, RecursionError) as error:
            return _why_not(self._operation, record, error)
        if isinstance(data, str):
            return data
        most = self._operation.most_item_bytes
        if most and len(data) > most:
            return f"is {len(data)} bytes as it would be sent, and a record may have {most}"
        header = self._header or (_csv_line(columns) if self._operation.is_table else b"")
        if not self._columns:
            self._most_bytes = self._operation.most_bytes - self._room(columns)
        if len(header) + len(data) > self._most_bytes:
            return f"is {len(header) + len(data)} bytes as it would be sent, and {self._most_bytes} fit into a request"
        if not self._columns:
            self._columns = columns
            self._header = header
            self._hash.update(header)
        self._hash.update(data)
        self._hash.update(b"\n")
        if self._items and (
            self._items == self._operation.most_items
            or self._size + len(self._separator) + len(data) > self._most_bytes
        ):
            self.cut()
        if not self._items:
            self._begin(line)
        elif self._separator:
            self._file.write(self._separator)
            self._size += len(self._separator)
        self._file.write(data)
        self._size += len(data)
        self._items += 1
        self._last = line
        self.items += 1
        return None

    def cut(self) -> None:
        """End the request that is being filled."""
        if not self._items:
            return
        end = self._file.tell()
        self._file.seek(self._start)
        self._file.write(HEADER.pack(self._items, self._first, self._last, self._size))
        self._file.seek(end)
        self._items = self._size = 0

    def portions(self, skip: int = 0) -> Iterator[Portion]:
        """Return the requests' records.

        :param skip: how many requests to leave out at the beginning.
        """
        position = 0
        for number in range(1, self.requests + 1):
            self._file.seek(position)
            items, first, last, size = HEADER.unpack(self._file.read(HEADER.size))
            start, position = position + HEADER.size, position + HEADER.size + size
            if number > skip:
                yield Portion(number, first, last, self._chunk(start, size, items))

    def _begin(self, line: int) -> None:
        self._start, self._first = self._file.tell(), line
        self._file.write(bytes(HEADER.size))
        self._file.write(self._header)
        self._size = len(self._header)
        self.requests += 1

    def _chunk(self, start: int, size: int, items: int) -> Chunk:
        opener = self._open_packed if self._operation.packed else self._open_plain
        return Chunk(lambda: opener(start, size), size, items, self._columns)

    def _open_plain(self, start: int, size: int) -> BinaryIO:
        self._file.seek(start)
        return io.BytesIO(self._file.read(size))

    def _open_packed(self, start: int, size: int) -> BinaryIO:
        """Gzip a part of the file into one of its own: the address it goes to wants to know the length first."""
        packed = tempfile.TemporaryFile(prefix="bulkjobs-")  # noqa: SIM115  (the caller closes it)
        self._file.seek(start)
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as target:
            _copy(self._file, target, size)
        packed.seek(0, os.SEEK_SET)
        return cast("BinaryIO", packed)


def _row(record: Record, columns: tuple[str, ...]) -> bytes | str:
    """Return a record as a row of a table, or what is wrong with it."""
    if unknown := record.keys() - set(columns):
        names = ", ".join(f"field {shown_name(name)}" for name in sorted(map(str, unknown)))
        return f"has {names}, unlike the first record"
    cells = [record.get(name) for name in columns]
    for name, cell in zip(columns, cells, strict=True):
        if not isinstance(cell, str | int | float | None):
            return f"has a {type(cell).__name__} in field {name!r}, which no cell of a table can hold"
    return _csv_line(cells)


def _copy(source: IO[bytes], target: gzip.GzipFile, size: int) -> None:
    while size > 0 and (data := source.read(min(size, PIECE))):
        target.write(data)
        size -= len(data)


def _csv_line(cells: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _why_not(operation: Operation, record: Record, error: Exception) -> str:
    for name, value in record.items():
        try:
            operation.encode({name: value})
        except KeyError:  # it takes another field, and only that
            continue
        except (TypeError, ValueError, RecursionError):
            return f"has a {type(value).__name__} in field {name!r} that JSON cannot hold: convert it first"
    return f"cannot be encoded ({type(error).__name__})"
