# SPDX-License-Identifier: Apache-2.0
"""A vendor's file with one item per row, read in bounded pieces whatever is in it."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO, cast

from airflow_provider_bulkjobs.exceptions import VendorAPIError
from airflow_provider_bulkjobs.http.signed_urls import FileUnavailableError
from airflow_provider_bulkjobs.protocol.flow import Download
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult

LONGEST_ROW = 4 * 1024 * 1024  # characters of CSV, bytes of JSON: as objects they take some twenty times as much memory
MOST_COLUMNS = 10_000
EXTRA_CELLS = "extra_cells"  # the key of cells that have no column
FIRST_BYTES = 4096
BOM = b"\xef\xbb\xbf"
ZIP = b"PK\x03\x04"
# A file of failed items has a column for the error or for what identifies the item. Web pages and messages do not.
EXPECTED_COLUMNS = {
    *("error", "errors", "error_message", "reason"),
    *("email", "email_address", "phone", "phone_number", "phone_number_id"),
    *("id", "contact_id", "user_id", "external_id", "anonymous_id"),
}
MESSAGE_KEYS = {"code", "detail", "details", "error", "errors", "message", "request_id", "status", "title", "type"}


class ResultFile:
    """The outcomes in a file; it is closed when they have been read.

    :param file: the whole file, at its beginning.
    :param warn: logs what is odd about it.
    :raises FileUnavailableError: it is something else, such as a sign-in page.
    :raises VendorAPIError: it is in another format.
    """

    def __init__(self, file: IO[bytes], download: Download, warn: Callable[..., None]) -> None:
        self._file: IO[bytes] | io.TextIOWrapper = file
        self._download = download
        self._warn = warn
        try:
            self._check_first_bytes(file)
            self._rows = self._read_json_lines(file) if download.format == "jsonl" else self._read_csv(file)
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
            raise VendorAPIError("the vendor's file is a zip archive, which is not supported")
        if b"\0" in data:
            raise VendorAPIError("the vendor's file is not UTF-8 text")
        text = data.removeprefix(BOM).lstrip()
        what = None
        if text.startswith(b"<"):
            what = "a web page or an XML document"
        elif self._download.format == "csv" and text.startswith((b"{", b"[")):
            what = "JSON instead of CSV"
        elif self._download.format == "jsonl" and _is_message(text):
            what = "a message instead of items"
        if what:
            raise FileUnavailableError(f"the vendor's file is {what}. It may have expired, or need a sign-in.")

    def _read_csv(self, file: IO[bytes]) -> Iterator[ItemResult]:
        self._file = text = io.TextIOWrapper(cast("BinaryIO", file), encoding="utf-8-sig", errors="replace", newline="")
        lines = _Lines(text)
        rows = _checked(csv.reader(lines), lines)
        names = _column_names(next(filter(None, rows), []))
        if names and self._download.error_field is not None:
            self._check_columns(names, self._download.error_field)
        return self._outcomes(names, rows)

    def _check_columns(self, names: list[str], error_field: str) -> None:
        if not {error_field.casefold(), *EXPECTED_COLUMNS} & {_folded(name) for name in names}:
            raise FileUnavailableError(
                f"the vendor's file has no column {error_field!r}, nor one that identifies an item: its first line has "
                f"{len(names)} other columns. It may be an error message instead of the file."
            )

    def _outcomes(self, names: list[str], rows: Iterator[list[str]]) -> Iterator[ItemResult]:
        error_field = _folded(self._download.error_field or "")
        error_name = next((name for name in names if error_field and _folded(name) == error_field), None)
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
            yield ItemResult(self._download.status, item.get(error_name) if error_name else None, item)
        if uneven:
            self._warn(
                "%d rows of the vendor's file have more or fewer cells than its first line. Missing cells are null, "
                "others are in %r.",
                uneven,
                EXTRA_CELLS,
            )

    def _read_json_lines(self, file: IO[bytes]) -> Iterator[ItemResult]:
        while line := file.readline(LONGEST_ROW + 1):
            if len(line) > LONGEST_ROW:
                raise _too_long()
            if not line.strip():
                continue
            item = _parse(line)
            if not isinstance(item, dict):
                raise VendorAPIError("the vendor's file is not made of JSON objects, one per line")
            error = item.get(self._download.error_field) if self._download.error_field else None
            yield ItemResult(self._download.status, None if error is None else str(error), item)


class _Lines:
    """The lines of a text, as many as a row may have."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._left = LONGEST_ROW
        self.have_ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._left + 1)
        if not line:
            self.have_ended = True
            raise StopIteration
        self._left -= len(line)
        if self._left < 0:
            raise _too_long()
        return line

    def begin_row(self) -> None:
        """Let the next row be as long as any."""
        self._left = LONGEST_ROW


def _checked(rows: Any, lines: _Lines) -> Iterator[list[str]]:
    """Yield the rows of a CSV reader.

    :raises VendorAPIError: there is one that no vendor writes.
    """
    try:
        for cells in rows:
            if lines.have_ended:  # the reader looked for another line of this row
                raise VendorAPIError("the vendor's file ends within a quoted cell: it is incomplete")
            if len(cells) > MOST_COLUMNS:
                raise VendorAPIError(f"a row of the vendor's file has more than {MOST_COLUMNS} cells")
            yield cells
            lines.begin_row()
    except csv.Error as error:
        raise VendorAPIError(f"the vendor's file is not CSV after line {rows.line_num}: {error}") from error


def _column_names(cells: list[str]) -> list[str]:
    """Return a name for each column, different from the others, so that no cell takes the place of another."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for number, cell in enumerate(cells, 1):
        name = cell or f"column {number}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _folded(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")


def _is_message(text: bytes) -> bool:
    """Tell whether a text begins with a JSON object that has only the keys of an error message."""
    item = _parse(text.partition(b"\n")[0])
    return isinstance(item, dict) and bool(item) and item.keys() <= MESSAGE_KEYS


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _too_long() -> VendorAPIError:
    return VendorAPIError(f"a row of the vendor's file is longer than {LONGEST_ROW} characters; it was not read")
