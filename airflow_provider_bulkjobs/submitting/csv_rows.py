# SPDX-License-Identifier: Apache-2.0
"""Rows of a CSV file. Unless the options say otherwise, the first line must be a header, separated by commas.

Without this check, data in the first line would be read as field names, and personal data would appear in the error.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, islice, repeat
from typing import Any, BinaryIO

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.blocks import BLOCK_ROWS, Block, TableBlock
from airflow_provider_bulkjobs.submitting.csv_options import CsvOptions
from airflow_provider_bulkjobs.submitting.null_markers import NullMarkers
from airflow_provider_bulkjobs.submitting.row import Origin, Row

DELIMITERS = {
    ";": "semicolons",
    "\t": "tabs",
    "|": "vertical bars",
    ",": "commas",
    "\x01": "\\x01",
    "\x1f": "\\x1f",
    "^": "^",
    "~": "~",
    "¦": "¦",
}
AROUND_NAMES = "\ufeff \t\r\n"
LINE_BREAK = re.compile(r"\r\n|\r|\n")
ADDRESS = re.compile(r"\S@\S")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def read_csv(file: BinaryIO, origin: Origin, source: str, options: CsvOptions) -> Iterator[Block | Row]:
    """Read the rows of a file. An empty cell, and a null marker without quotes, is an omitted field.

    :param source: the file, for messages.
    :raises BadArgumentError: the file is not CSV, not in its encoding, or its first line is not a header.
    """
    encoding = "utf-8-sig" if _is_utf_8(options) else options.encoding
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    markers = NullMarkers(text, options) if any(options.null_values) else None
    rows = csv.reader(
        markers or text,
        strict=True,
        delimiter=options.delimiter,
        quotechar=options.quote,
        quoting=csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE,
        escapechar=options.escape,
    )
    try:
        with _errors(rows, source, options):
            columns = _columns(next(rows, []), source, options) if options.header else options.column_names
            all_cells = markers.rows(rows) if markers else rows
            while True:
                before, found = rows.line_num, list[list[str]]()
                try:
                    found.extend(islice(all_cells, BLOCK_ROWS))
                except (csv.Error, UnicodeError):
                    yield from _block(_lines(found, before, 0), found, columns, options, origin)  # they come first
                    raise
                if not found:
                    break
                yield from _block(_lines(found, before, rows.line_num), found, columns, options, origin)
    finally:
        text.detach()  # the caller closes the file


def _lines(rows: list[list[str]], before: int, last: int) -> Sequence[int]:
    """Return the line where each row starts.

    :param before: the number of lines before these rows.
    :param last: the number of the last line of the rows.
    """
    if last - before == len(rows):
        return range(before + 1, last + 1)
    heights = (1 + sum(len(LINE_BREAK.findall(cell)) for cell in cells) for cells in rows)  # of quoted cells
    return list(accumulate(heights, initial=before + 1))[:-1]


def _block(
    lines: Sequence[int], rows: list[list[str]], columns: tuple[str, ...], options: CsvOptions, origin: Origin
) -> Iterator[Block | Row]:
    """Yield rows as a block, or one by one if any of them has a problem.

    :param lines: the line of each row.
    """
    if columns and set(map(len, rows)) == {len(columns)}:
        cells = list(zip(*rows, strict=True))
        # Only the last column is compared: a row that repeats the header does so there, too.
        if columns[-1].casefold() not in map(str.casefold, map(str.strip, cells[-1], repeat(AROUND_NAMES))):
            yield TableBlock(lines, columns, map(_without_blanks, cells), origin)
            return
    for line, row in zip(lines, rows, strict=True):
        if not row:
            continue
        if len(row) == len(columns) and not _is_header(row, columns):
            yield Row.of_table(line, columns, _without_blanks(row), origin)
        else:
            yield Row(line, {}, _row_problem(row, columns, options), columns, "", origin)


def _without_blanks(cells: Sequence[str]) -> Sequence[str | None]:
    return cells if all(cells) else [cell or None for cell in cells]


def _is_utf_8(options: CsvOptions) -> bool:
    return codecs.lookup(options.encoding).name == "utf-8"


@contextmanager
def _errors(rows: Any, source: str, options: CsvOptions) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        hint = ". If the file has another delimiter, write it with commas, or set read_options={'delimiter': …}"
        hint = hint if rows.line_num == 1 and options.delimiter == "," else ""
        raise BadArgumentError(f"records={source}: line {rows.line_num} is not CSV: {error}{hint}") from error
    except UnicodeError as error:
        encoding = options.encoding.upper()
        other = ", or set read_options={'encoding': …}" if _is_utf_8(options) else ""
        raise BadArgumentError(
            f"records={source}: not {encoding} after line {rows.line_num}. Write the file in {encoding}{other}."
        ) from error


def _columns(cells: list[str], source: str, options: CsvOptions) -> tuple[str, ...]:
    """Return the names of the columns, given the cells of the first line."""
    header = tuple(cell.strip() for cell in cells)
    problem = header_problem(header, options.delimiter, is_used=not options.column_names)
    if not problem and options.column_names and header and len(header) != len(options.column_names):
        problem = f"the header has {len(header)} columns, and column_names has {len(options.column_names)}"
    if problem:
        raise BadArgumentError(f"records={source}: {problem}")
    return options.column_names or header


def _row_problem(cells: list[str], columns: tuple[str, ...], options: CsvOptions) -> str:
    if len(cells) != len(columns):
        expected = "the header" if options.header else "column_names"
        return f"has {len(cells)} columns, and {expected} has {len(columns)}"
    return "repeats the header: remove this line" + ("" if options.header else ", or set header=True in read_options")


def header_problem(columns: tuple[str, ...], own_delimiter: str = ",", *, is_used: bool = True) -> str | None:
    """Return why the first line is not a header, or ``None``. The message contains no cell values.

    :param own_delimiter: the delimiter of the file.
    :param is_used: whether the names are used, and not those of ``column_names``.
    """
    if not columns:  # an empty file
        return None
    if columns[0].startswith("<"):
        return "the file is a web page or an XML document and not CSV. Write the file with commas"
    if columns[0].lower().startswith("sep=") and len(columns) <= 2:
        return "the first line is a 'sep=' line for Excel. Remove it, and separate the columns by commas"
    if problem := _delimiter_problem(columns, own_delimiter):
        return problem
    if not is_used:
        is_contact = any(map(ADDRESS.search, columns))  # it would be lost
        remedy = "the first line is data, not a header: it has an address. Remove header=True from read_options"
        return remedy if is_contact else None
    return _names_problem(columns)


def _names_problem(columns: tuple[str, ...]) -> str | None:
    if any(not (char.isprintable() or char.isspace()) for column in columns for char in column):
        return "the first line has an invisible character in the name of a column. Write the file in UTF-8 without it"
    if any(map(_is_data, columns)):
        return (
            "the first line is data, not a header: it has an address, a number or a date instead of a column name. "
            f"Add a first line with the names of the {len(columns)} columns, or set "
            "read_options={'column_names': […]}"
        )
    if not all(columns) or len(set(columns)) < len(columns):
        return "the header must have unique, non-empty column names"
    return None


def _delimiter_problem(columns: tuple[str, ...], own_delimiter: str) -> str | None:
    for delimiter, word in DELIMITERS.items():
        if not all(delimiter in column for column in columns):
            continue
        if delimiter == own_delimiter and len(columns) == 1:
            return f"the columns of the first line are separated by {word} inside quotes. Write the file with {word}"
        if delimiter != own_delimiter and (delimiter != "," or len(columns) == 1):
            remedy = "Write the file with commas" if own_delimiter == "," else "Correct the delimiter"
            return (
                f"the columns of the first line are separated by {word}. {remedy}, or set "
                f"read_options={{'delimiter': {delimiter!r}}}"
            )
    return None


def _is_data(name: str) -> bool:
    is_number = any(map(str.isdigit, name)) and not any(map(str.isalpha, name))
    return is_number or any(pattern.search(name) for pattern in (ADDRESS, DATE, UUID))


def _is_header(cells: list[str], columns: tuple[str, ...]) -> bool:
    """Return whether a row repeats the header, as in concatenated files, with or without a byte order mark."""
    return len(cells) == len(columns) and all(
        cell.strip(AROUND_NAMES).casefold() == name.casefold() for cell, name in zip(cells, columns, strict=True)
    )
