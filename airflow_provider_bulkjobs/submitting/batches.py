# SPDX-License-Identifier: Apache-2.0
"""Records encoded once into temporary files and split into batches, so that memory use does not grow with their number.

The requests send exactly what was checked, even if the source changes in the meantime. One file has the encoded
records; others have the line, the size and the number of cells of each. A table has a column for each field of any
record, so it is split into batches only when all records are known. Rows written before the last column was known are
padded with empty cells.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, repeat
from operator import add, itemgetter
from typing import IO, BinaryIO, NamedTuple, cast
from zlib import crc32

from airflow_provider_bulkjobs.submitting.blocks import Block
from airflow_provider_bulkjobs.submitting.row import A_LIST, Origin
from airflow_provider_bulkjobs.submitting.table_rows import ROW_END, csv_line, encode_row, encode_rows
from airflow_provider_bulkjobs.temporary_files import temporary_file
from airflow_provider_bulkjobs.vendors.spec.operation import (
    MAX_BYTES,
    Operation,
    Payload,
    Record,
    encode_json,
)
from airflow_provider_bulkjobs.vendors.toolkit.values import (
    SURROGATE,
    is_blank,
    name_problem,
    safe_names,
    unencodable,
)

CUT = struct.Struct("<7Q")  # see Cut
PIECE = 1024 * 1024
ITEMS_AT_ONCE = 4096
MAX_COLUMNS = 1000  # of a table; more columns mean that data was read as field names


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one request.

    :param number: number of the request, from 1.
    :param first: line of the first record.
    :param last: line of the last record.
    :param before: number of records in the earlier requests.
    :param left_out: indices of records that are not sent, in order.
    """

    number: int
    first: int
    last: int
    payload: Payload
    before: int = 0
    left_out: tuple[int, ...] = ()

    @property
    def items(self) -> int:
        """The number of records that are sent."""
        return self.payload.items

    @property
    def last_index(self) -> int:
        """The index of the last record, sent or left out."""
        return self.before + self.items + len(self.left_out) - 1

    def index_of(self, position: int) -> int:
        """Return the index of a record by its position in the request, from 0."""
        index = self.before + position
        for each in self.left_out:
            if each > index:
                break
            index += 1
        return index


class Cut(NamedTuple):
    """The position of the records of one request.

    :param start: offset of the records in the file.
    :param length: bytes of the records in the file.
    :param position: index of the first record.
    :param size: bytes that are sent.
    """

    items: int
    first: int
    last: int
    start: int
    length: int
    position: int
    size: int


class _Numbers:
    """Whole numbers in a temporary file, one for each record."""

    def __init__(self) -> None:
        self._file = temporary_file()

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def append(self, numbers: Iterable[int]) -> None:
        """Add numbers at the end, before any are read."""
        self._file.write(array("Q", numbers).tobytes())

    def read(self, first: int, count: int) -> array[int]:
        """Return the numbers of some records, or of fewer at the end."""
        found = array("Q")
        self._file.seek(first * found.itemsize)
        found.frombytes(self._file.read(count * found.itemsize))
        return found


class Batcher:
    """Temporary files of encoded records, split into batches by the limits of an operation.

    :param overhead: returns the bytes of a request without its records, given the columns of a table.
    :param fixed: the table has only the fields of the first record as columns.
    """

    def __init__(
        self, operation: Operation, overhead: Callable[[tuple[str, ...]], int], *, fixed: bool = False
    ) -> None:
        self._operation = operation
        self._fixed = fixed
        self._data, self._cuts = temporary_file(), temporary_file()
        self._lines, self._sizes, self._cells = _Numbers(), _Numbers(), _Numbers()  # the sizes with the separators
        self._overhead = overhead
        self._max_bytes: int | None = None  # of the records of a request; set with the first record
        self._separator = b"" if operation.is_csv else operation.separator
        self._hash = hashlib.blake2b(digest_size=16)
        self._sum = 0  # of the records' checksums
        self._columns: dict[str, None] = {}  # of a table, in order of appearance
        self._header = b""
        self._longest = 0  # bytes of a row, without the separators of its cells
        self._is_ragged = False
        self._unwritten: list[tuple[int, bytes, int]] = []  # the newest records: line, data, number of cells
        self._unwritten_bytes = 0
        self._origins: list[tuple[int, Origin]] = []  # the index of the first record of each, in order
        self.items = 0
        self.requests = 0

    def close(self) -> None:
        """Delete the temporary files."""
        for file in (self._data, self._cuts, self._lines, self._sizes, self._cells):
            file.close()

    @property
    def fingerprint(self) -> str:
        """A hash that identifies these records."""
        self._flush()
        whole = self._hash.copy()
        whole.update(self._header)
        return whole.hexdigest()

    @property
    def unordered_fingerprint(self) -> str:
        """A checksum of these records that does not depend on their order."""
        self._flush()
        return f"{self.items}-{self._sum:x}-{crc32(self._header):x}"

    def add(self, line: int, record: Record, columns: tuple[str, ...] = (), origin: Origin = A_LIST) -> str | None:
        """Add a record; return the problem if it cannot be added.

        :param columns: all columns of the table, if they are known.
        """
        if self._operation.is_csv:
            return self._add_row(line, record, columns, origin)
        try:
            data = self._operation.encode(record)
        except Exception as error:  # noqa: BLE001  (a vendor's function may raise any for a value of an unexpected type)
            return _encoding_problem(self._operation, record, error)
        if (max_bytes := self._max_bytes) is None:
            max_bytes = self._max_bytes = self._limit(())
        if problem := self._too_large(len(data), len(data), max_bytes):
            return problem
        self._write(line, data, 0, origin)
        return None

    def add_many(self, block: Block) -> bool:
        """Add the records of a block, unless one of them may have a problem; return whether they were added."""
        data = self._encoded_rows(block) if self._operation.is_csv else self._encoded(block)
        if data is None:
            return False
        self._flush()
        self._start(block.origin)
        self._append(block.lines, data, repeat(len(self._columns), len(data)))
        self.items += len(data)
        return True

    def _encoded(self, block: Block) -> list[bytes] | None:
        if (max_bytes := self._max_bytes) is None:
            max_bytes = self._max_bytes = self._limit(())
        try:
            if self._operation.encode is encode_json:
                data = block.encoded()
            else:
                data = list(map(self._operation.encode, block.records))
        except Exception:  # noqa: BLE001  (as above)
            return None
        longest = max(map(len, data))
        return None if self._too_large(longest, longest, max_bytes) else data

    def _encoded_rows(self, block: Block) -> list[bytes] | None:
        if not self._columns.keys() >= block.fields.keys() or self._max_bytes is None:
            return None
        rows = encode_rows(block, self._columns)
        if rows is None:
            return None
        longest = max(map(len, rows))
        if self._too_large(longest, len(self._header) + longest, self._max_bytes):
            return None
        self._longest = max(self._longest, longest - len(self._columns))
        return rows

    def cut(self) -> None:
        """Split all records into batches."""
        max_items, max_bytes = self._operation.max_items, self._max_bytes or 0
        overhead = len(self._header) - len(self._separator)  # no separator after the last record
        self._cuts.seek(0)
        self.requests = items = position = start = length = first = last = 0
        size = overhead
        for lines, stored, sent in self._offsets():
            done = 0
            while done < len(lines):
                fitting = bisect_right(sent, sent[done] + max_bytes - size) - 1
                end = min(fitting, done + max_items - items, len(lines))
                if items and end == done:
                    self._add_cut(Cut(items, first, last, start, length, position, size))
                    start, position = start + length, position + items
                    items, length, size = 0, 0, overhead
                    continue
                end = max(end, done + 1)
                first, last = first if items else lines[done], lines[end - 1]
                items, length = items + end - done, length + stored[end] - stored[done]
                size, done = size + sent[end] - sent[done], end
        if items:
            self._add_cut(Cut(items, first, last, start, length, position, size))

    def _offsets(self) -> Iterator[tuple[Sequence[int], Sequence[int], Sequence[int]]]:
        """Yield the lines of many records at a time, and where each starts and the last one ends, from the first on.

        First in the file, then in what is sent, where all rows of a table have all cells.
        """
        width = len(self._columns)
        for first in range(0, self.items, ITEMS_AT_ONCE):
            lines, sizes, cells = self._numbers(first, ITEMS_AT_ONCE)
            stored = list(accumulate(sizes, initial=0))
            if self._is_ragged:
                missing = (width - each for each in cells)
                yield lines, stored, list(accumulate(map(add, sizes, missing), initial=0))
            else:
                yield lines, stored, stored

    def batches(self, skip: int = 0) -> Iterator[Batch]:
        """Yield the batches.

        :param skip: number of batches to skip at the start.
        """
        for number in range(skip, self.requests):
            yield self.batch(number + 1)

    def batch(self, number: int, left_out: Iterable[int] = ()) -> Batch:
        """Return a batch.

        :param number: number of the request, from 1.
        :param left_out: indices of records that are not sent; those of other batches are ignored.
        """
        cut = self._cut(number)
        end = cut.position + cut.items
        without = tuple(sorted(index for index in set(left_out) if cut.position <= index < end))
        return Batch(number, cut.first, cut.last, self._payload(cut, without), cut.position, without)

    def records(self, indices: Collection[int]) -> Iterator[tuple[int, Record]]:
        """Yield the line of some records, and the record as it was submitted, in order."""
        wanted = sorted(indices)
        number = bisect_right(range(1, self.requests + 1), wanted[0], key=lambda each: self._cut(each).position)
        cut = self._cut(number)
        start = cut.start
        for index, (line, length, _) in enumerate(self._read_items(cut.position, wanted[-1] + 1 - cut.position)):
            if cut.position + index == wanted[0]:
                self._data.seek(start)
                yield line, self._operation.decode(self._data.read(length - len(self._separator)))
                del wanted[0]
            start += length

    def line(self, item: int) -> int:
        """Return the line of a record by its index."""
        return next(line for line, _, _ in self._read_items(item, 1))

    def where(self, first: int, last: int | None = None) -> str:
        """Return the location of a record, or of all from the first to the last, as text.

        :param first: index of the record.
        :param last: index of the last record.
        """
        start = self.origin(first)
        if last is None:
            return start.where(self.line(first))
        if len(self._origins) == 1:  # all batches are of it, and need not repeat its name
            start = start._replace(name="")
        elif (end := self.origin(last)) != start:
            return f"{start.where(self.line(first))} to {end.where(self.line(last))}"
        return start.where(self.line(first), self.line(last))

    def origin(self, item: int) -> Origin:
        """Return what a record was read from, by its index."""
        return self._origins[bisect_right(self._origins, item, key=itemgetter(0)) - 1][1]

    def _add_row(self, line: int, record: Record, columns: tuple[str, ...], origin: Origin) -> str | None:
        found = self._columns or dict.fromkeys(columns)
        if new := [name for name in record if name not in found]:
            if bad_name := next((name for name in new if SURROGATE.search(name)), None):
                return name_problem(bad_name)
            if any(map(is_blank, new)):
                return "has a field without a name: add the name, or remove the field"
            if self._fixed and self._columns:
                return (
                    f"has {safe_names(new, 'and')}, which the first record does not have: with option "
                    f"{self._operation.columns_option!r} the columns are the fields of the first record"
                )
            found = found | dict.fromkeys(new)
            if len(found) > MAX_COLUMNS:
                return f"has too many new fields ({len(new)}): a table may have at most {MAX_COLUMNS} columns"
        row = encode_row(record, found)
        if isinstance(row, str):
            return row
        header, max_bytes = self._header, self._max_bytes
        if found is not self._columns or max_bytes is None:
            header, max_bytes = csv_line(found), self._limit(found)
        if problem := self._too_large(len(row), len(header) + len(row), max_bytes):
            return problem
        longest = max(self._longest, len(row) - len(found))
        if len(header) + longest + len(found) > max_bytes:
            return f"adds {safe_names(new, 'and')}; with more columns an earlier record is too large for a request"
        self._is_ragged = self._is_ragged or (self.items > 0 and bool(new))
        self._columns, self._header, self._max_bytes, self._longest = found, header, max_bytes, longest
        self._write(line, row, len(found), origin)
        return None

    def _limit(self, columns: Iterable[str]) -> int:
        return self._operation.max_bytes - self._overhead(tuple(columns))

    def _too_large(self, size: int, sent: int, max_bytes: int) -> str | None:
        max_size = self._operation.max_item_bytes
        if max_size and size > max_size:
            return f"is {size} bytes when encoded, and a record may have at most {max_size}"
        if sent > max_bytes:
            return f"is {sent} bytes when encoded, and a request may have at most {max_bytes}"
        return None

    def _write(self, line: int, data: bytes, cells: int, origin: Origin) -> None:
        self._start(origin)
        self._unwritten.append((line, data, cells))
        self._unwritten_bytes += len(data)
        self.items += 1
        if self._unwritten_bytes > PIECE or len(self._unwritten) >= ITEMS_AT_ONCE:
            self._flush()

    def _start(self, origin: Origin) -> None:
        """Note that the next records are of this origin."""
        if not self._origins or self._origins[-1][1] != origin:
            self._origins.append((self.items, origin))

    def _flush(self) -> None:
        """Write the newest records: many at once, which takes a third of the time."""
        if self._unwritten:
            self._append(*zip(*self._unwritten, strict=True))
            self._unwritten, self._unwritten_bytes = [], 0

    def _append(self, lines: Iterable[int], data: Sequence[bytes], cells: Iterable[int]) -> None:
        """Write records.

        :param lines: the line of each.
        :param cells: the number of cells of each.
        """
        joined = self._separator.join((*data, b""))
        self._hash.update(joined)
        self._sum += sum(map(crc32, data))
        self._data.write(joined)
        self._lines.append(lines)
        self._sizes.append(map(add, map(len, data), repeat(len(self._separator))))
        self._cells.append(cells)

    def _read_items(self, first: int, count: int) -> Iterator[tuple[int, int, int]]:
        """Yield line, size and number of cells of some records."""
        end = first + count
        for begin in range(first, end, ITEMS_AT_ONCE):
            yield from zip(*self._numbers(begin, min(ITEMS_AT_ONCE, end - begin)), strict=True)

    def _numbers(self, first: int, count: int) -> tuple[array[int], array[int], array[int]]:
        """Return the lines, sizes and numbers of cells of some records."""
        self._flush()
        return self._lines.read(first, count), self._sizes.read(first, count), self._cells.read(first, count)

    def _add_cut(self, cut: Cut) -> None:
        self._cuts.write(CUT.pack(*cut))
        self.requests += 1

    def _cut(self, number: int) -> Cut:
        self._cuts.seek((number - 1) * CUT.size)
        return Cut(*CUT.unpack(self._cuts.read(CUT.size)))

    def _payload(self, cut: Cut, left_out: tuple[int, ...]) -> Payload:
        open_batch = self._open_gzipped if self._operation.gzipped else self._open_plain
        size = cut.size
        if left_out:
            items = enumerate(self._read_items(cut.position, cut.items), cut.position)
            size -= sum(length + len(self._columns) - cells for index, (_, length, cells) in items if index in left_out)
        return Payload(lambda: open_batch(cut, left_out), size, cut.items - len(left_out), tuple(self._columns))

    def _open_plain(self, cut: Cut, left_out: tuple[int, ...]) -> BinaryIO:
        # A body of ordinary size is held in memory; a large file, which is uploaded, is on disk.
        file = io.BytesIO() if cut.size <= MAX_BYTES else temporary_file()
        self._copy(cut, left_out, file)
        file.seek(0)
        return cast("BinaryIO", file)

    def _open_gzipped(self, cut: Cut, left_out: tuple[int, ...]) -> BinaryIO:
        """Gzip a request into a temporary file: the upload URL requires the length in advance."""
        gzipped = temporary_file()  # the caller closes it
        with gzip.GzipFile(fileobj=gzipped, mode="wb", compresslevel=1, mtime=0) as target:
            self._copy(cut, left_out, target)
        gzipped.seek(0, os.SEEK_SET)
        return cast("BinaryIO", gzipped)

    def _copy(self, cut: Cut, left_out: Collection[int], target: IO[bytes] | gzip.GzipFile) -> None:
        target.write(self._header)
        self._data.seek(cut.start)
        if self._is_ragged or left_out:
            end = ROW_END if self._operation.is_csv else b""
            width, before = len(self._columns), b""
            for index, (_, length, cells) in enumerate(self._read_items(cut.position, cut.items), cut.position):
                row = self._data.read(length)[: length - len(end or self._separator)]
                if index not in left_out:
                    target.write(before + row + b"," * (width - cells) + end)
                    before = self._separator
            return
        remaining = cut.length - len(self._separator)
        while remaining > 0 and (data := self._data.read(min(remaining, PIECE))):
            target.write(data)
            remaining -= len(data)


def _encoding_problem(operation: Operation, record: Record, error: Exception) -> str:
    for name, value in record.items():
        if not isinstance(name, str):
            return name_problem(name)
        try:
            operation.encode({name: value})
        except KeyError:  # the encoding requires another field
            continue
        except (TypeError, ValueError, RecursionError) as cause:
            return unencodable(name, value, cause)
    return f"cannot be encoded ({type(error).__name__})"
