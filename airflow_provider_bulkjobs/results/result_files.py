# SPDX-License-Identifier: Apache-2.0
"""A vendor's results file with one item per row, read with bounded memory for any content."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO, cast

from airflow_provider_bulkjobs.exceptions import VendorAPIError
from airflow_provider_bulkjobs.http.responses import FileUnavailableError
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult

MAX_ROW_LENGTH = 4 * 1024 * 1024  # characters of CSV, bytes of JSON; as objects they take about 20 times the memory
MAX_COLUMNS = 10_000
EXTRA_CELLS = "extra_cells"  # the key for cells without a column
FIRST_BYTES = 4096
LIST_START, EMPTY_LIST = re.compile(r"\s*\[\s*"), re.compile(r"\s*\[\s*\]")
COMMA, LIST_END = re.compile(r"\s*,\s*"), re.compile(r"\s*\]")
BOM = b"\xef\xbb\xbf"
ZIP = b"PK\x03\x04"
# A file of failed items has a column for the error or for an identifier. Web pages and error messages do not.
EXPECTED_COLUMNS = {
    *("error", "errors", "error_message", "reason"),
    *("email", "email_address", "phone", "phone_number", "phone_number_id"),
    *("id", "contact_id", "user_id", "external_id", "anonymous_id"),
}
MESSAGE_KEYS = {"code", "detail", "details", "error", "errors", "message", "request_id", "status", "title", "type"}


class ResultFile:
    """The item results in a file. The file is closed after iteration.

    :param file: the whole file, at its start.
    :param warn: logs a warning.
    :raises FileUnavailableError: it is not a results file, but for example a sign-in page.
    :raises VendorAPIError: the format is not supported.
    """

    def __init__(self, file: IO[bytes], download: Download, warn: Callable[..., None]) -> None:
        self._file: IO[bytes] | io.TextIOWrapper = file
        self._download = download
        self._warn = warn
        try:
            self._check_first_bytes(file)
            match download.format:
                case "csv":
                    self._rows = self._read_csv(file)
                case "jsonl":
                    self._rows = self._read_objects(_json_lines(file))
                case "json":
                    self._file = text = _text(file)
                    self._rows = self._read_objects(_json_list(text))
        except BaseException:
            self._file.close()
            raise

    def __iter__(self) -> Iterator[ItemResult]:
        with self._file:
            yield from self._rows

    def _check_first_bytes(self, file: IO[bytes]) -> None:
        data = file.read(FIRST_BYTES)
        file.seek(0)
        if data.startswith(ZIP):
            raise VendorAPIError("the vendor's file is a zip archive, which was not expected")
        if b"\0" in data:
            raise VendorAPIError("the vendor's file is not UTF-8 text")
        text = data.removeprefix(BOM).lstrip()
        header = text.partition(b"\n")[0].decode(errors="replace")
        self._delimiter = next((char for char in header if char in self._download.delimiters), ",")
        content = None
        if text.startswith(b"<"):
            content = "a web page or an XML document"
        elif self._download.format == "json" and text and not text.startswith(b"["):
            content = "no list of items"
        elif self._download.format == "csv" and text.startswith((b"{", b"[")):
            content = "JSON instead of CSV"
        elif self._download.format == "jsonl" and _is_message(text):
            content = "a message instead of items"
        if content:
            raise FileUnavailableError(f"the vendor's file is {content}. It may have expired or require a login.")

    def _read_csv(self, file: IO[bytes]) -> Iterator[ItemResult]:
        self._file = text = _text(file)
        lines = _Lines(text)
        rows = _checked(csv.reader(lines, delimiter=self._delimiter), lines)
        names = _column_names(next(filter(None, rows), []))
        if names:
            self._check_columns(names)
        return self._item_results(names, rows)

    def _check_columns(self, names: list[str]) -> None:
        error_field, missing = self._download.error_field, None
        found = {_normalize(name) for name in names}
        if absent := [name for name in self._download.columns if _normalize(name) not in found]:
            missing = f"no column {absent[0]!r}"
        elif error_field is not None and not {_normalize(error_field), *EXPECTED_COLUMNS} & found:
            missing = f"no column {error_field!r} and no column that identifies an item"
        elif self._download.own and len(names) == 1 and len(names[0].split()) > 2:  # by a proxy before the API
            missing = "a sentence instead of columns"
        if missing:
            raise FileUnavailableError(
                f"the vendor's file has {missing}; the number of columns in its header is {len(names)}. The vendor may "
                "have sent an error message instead of the file."
            )

    def _item_results(self, names: list[str], rows: Iterator[list[str]]) -> Iterator[ItemResult]:
        error_field = _normalize(self._download.error_field or "")
        error_name = next((name for name in names if error_field and _normalize(name) == error_field), None)
        uneven = 0
        for cells in rows:
            if not cells:
                continue
            item: dict[str, Any] = dict(zip(names, cells, strict=False))
            if len(cells) != len(names):
                uneven += 1
                item |= dict.fromkeys(names[len(cells) :])
                if len(cells) > len(names):
                    item[EXTRA_CELLS] = cells[len(names) :]
            record = None
            if self._download.returns_records:
                filled = zip(names, cells, strict=False)
                record = {name: cell for name, cell in filled if cell and name != error_name} or None
            yield from self._result(item, item.get(error_name) if error_name else None, record)
        if uneven:
            self._warn(
                "%d rows of the vendor's file have more or fewer cells than its header. Missing cells are null, extra "
                "cells are in %r.",
                uneven,
                EXTRA_CELLS,
            )

    def _read_objects(self, items: Iterator[Any]) -> Iterator[ItemResult]:
        for item in items:
            if not isinstance(item, dict):
                raise VendorAPIError("the vendor's file does not consist of JSON objects")
            error = item.get(self._download.error_field) if self._download.error_field else None
            record = None
            if self._download.returns_records:
                record = {name: value for name, value in item.items() if name != self._download.error_field} or None
            yield from self._result(item, None if error is None else str(error), record)

    def _result(self, item: dict[str, Any], error: str | None, record: dict[str, Any] | None) -> Iterator[ItemResult]:
        if self._download.read_row is None:
            yield ItemResult(self._download.status, error, item, record)
        elif (result := self._download.read_row(item)) is not None:
            yield result


def _json_lines(file: IO[bytes]) -> Iterator[Any]:
    while line := file.readline(MAX_ROW_LENGTH + 1):
        if len(line) > MAX_ROW_LENGTH:
            raise _too_long()
        if line.strip():
            yield _parse(line)


def _text(file: IO[bytes]) -> io.TextIOWrapper:
    return io.TextIOWrapper(cast("BinaryIO", file), encoding="utf-8-sig", errors="replace", newline="")


def _json_list(text: io.TextIOWrapper) -> Iterator[Any]:
    """Yield the elements of a JSON list, with about one of them in memory.

    :raises VendorAPIError: the file is not a JSON list, or ends before its end, or an element is too long.
    """
    decode = json.JSONDecoder().raw_decode
    before, end = LIST_START, EMPTY_LIST
    buffer, position, at_end = "", 0, False
    while not end.match(buffer, position):
        try:
            value, after = decode(buffer, _end_of(before.match(buffer, position)))
        except (ValueError, RecursionError):
            rest = buffer[position:]
            if len(rest) > MAX_ROW_LENGTH:
                raise _too_long() from None
            if at_end:
                raise VendorAPIError("the vendor's file is not a complete list in JSON") from None
            more = text.read(max(len(rest), FIRST_BYTES))  # twice as much, so that a long element is not parsed often
            buffer, position, at_end = rest + more, 0, not more
        else:
            if after - position > MAX_ROW_LENGTH:
                raise _too_long()
            yield value
            position, before, end = after, COMMA, LIST_END


def _end_of(match: re.Match[str] | None) -> int:
    if match is None:
        raise ValueError
    return match.end()


class _Lines:
    """The lines of a text, limited to the maximum length of one row."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._remaining = MAX_ROW_LENGTH
        self.at_end = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._remaining + 1)
        if not line:
            self.at_end = True
            raise StopIteration
        self._remaining -= len(line)
        if self._remaining < 0:
            raise _too_long()
        return line

    def start_row(self) -> None:
        """Reset the limit for the next row."""
        self._remaining = MAX_ROW_LENGTH


def _checked(rows: Any, lines: _Lines) -> Iterator[list[str]]:
    """Yield the rows of a CSV reader.

    :raises VendorAPIError: a row is invalid, incomplete or too long.
    """
    try:
        for cells in rows:
            if lines.at_end:  # the CSV reader requested another line of this row
                raise VendorAPIError("the vendor's file ends within a quoted cell, so it is incomplete")
            if len(cells) > MAX_COLUMNS:
                raise VendorAPIError(f"a row of the vendor's file has more than {MAX_COLUMNS} cells")
            yield cells
            lines.start_row()
    except csv.Error as error:
        raise VendorAPIError(f"the vendor's file is not CSV after line {rows.line_num}: {error}") from error


def _column_names(cells: list[str]) -> list[str]:
    """Return a unique name for each column, so that no cell overwrites another."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for number, cell in enumerate(cells, 1):
        name = cell or f"column {number}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _normalize(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")


def _is_message(text: bytes) -> bool:
    """Return whether the first line is a JSON object that has only keys of an error message."""
    item = _parse(text.partition(b"\n")[0])
    return isinstance(item, dict) and bool(item) and item.keys() <= MESSAGE_KEYS


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _too_long() -> VendorAPIError:
    return VendorAPIError(f"a row of the vendor's file is longer than {MAX_ROW_LENGTH} characters and was not read")
