# SPDX-License-Identifier: Apache-2.0
"""Rows of a CSV file. The first line must be a header with the column names, separated by commas.

Without this check, data in the first line would be read as field names, and personal data would appear in the error.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.row import Row

DELIMITERS = {
    ";": "semicolons",
    "\t": "tabs",
    "|": "vertical bars",
    ",": "commas inside quotes",
    "\x01": "\\x01",
    "\x1f": "\\x1f",
    "^": "^",
    "~": "~",
    "¦": "¦",
}
ADDRESS = re.compile(r"\S@\S")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def read_csv(file: BinaryIO, source: str) -> Iterator[Row]:
    """Read the rows of a file. An empty cell is an omitted field.

    :param source: the file, for messages.
    :raises BadArgumentError: the file is not CSV, not UTF-8, or its first line is not a header.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    rows = csv.reader(text, strict=True)
    try:
        columns = tuple(cell.strip() for cell in next(rows, []))
        if (problem := header_problem(columns)) is not None:
            raise BadArgumentError(f"records={source}: {problem}")
        begins = rows.line_num + 1  # a quoted cell may span several lines
        for cells in rows:
            line, begins = begins, rows.line_num + 1
            if not cells:
                continue
            if len(cells) != len(columns):
                problem = f"has {len(cells)} columns, and the header has {len(columns)}"
                yield Row(line, {}, problem, columns)
            elif _is_header(cells, columns):
                yield Row(line, {}, "repeats the header: remove this line", columns)
            else:
                record = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
                yield Row(line, record, columns=columns)
    except csv.Error as error:
        hint = ". If the file has another delimiter, write it with commas" if rows.line_num == 1 else ""
        raise BadArgumentError(f"records={source}: line {rows.line_num} is not CSV: {error}{hint}") from error
    except UnicodeDecodeError as error:
        raise BadArgumentError(
            f"records={source}: not UTF-8 after line {rows.line_num}. Write the file in UTF-8."
        ) from error
    finally:
        text.detach()  # the caller closes the file


def header_problem(columns: tuple[str, ...]) -> str | None:
    """Return why the first line is not a header, or ``None``. The message contains no cell values."""
    if not columns:  # an empty file
        return None
    if columns[0].startswith("<"):
        return "the file is a web page or an XML document and not CSV. Write the file with commas"
    if columns[0].lower().startswith("sep=") and len(columns) <= 2:
        return "the first line is a 'sep=' line for Excel. Remove it, and separate the columns by commas"
    for delimiter, word in DELIMITERS.items():
        if all(delimiter in column for column in columns) and (delimiter != "," or len(columns) == 1):
            return f"the columns of the first line are separated by {word}. Write the file with commas"
    if any(not (char.isprintable() or char.isspace()) for column in columns for char in column):
        return "the first line has an invisible character in the name of a column. Write the file in UTF-8 without it"
    if any(map(_is_data, columns)):
        return (
            "the first line is data, not a header: it has an address, a number or a date instead of a column name. "
            f"Add a first line with the names of the {len(columns)} columns"
        )
    if not all(columns) or len(set(columns)) < len(columns):
        return "the header must have unique, non-empty column names"
    return None


def _is_data(name: str) -> bool:
    is_number = any(map(str.isdigit, name)) and not any(map(str.isalpha, name))
    return is_number or any(pattern.search(name) for pattern in (ADDRESS, DATE, UUID))


def _is_header(cells: list[str], columns: tuple[str, ...]) -> bool:
    """Return whether a row repeats the header, as in concatenated files, with or without a byte order mark."""
    if cells[-1].strip().casefold() != columns[-1].casefold():
        return False
    return all(
        cell.strip("\ufeff \t\r\n").casefold() == name.casefold() for cell, name in zip(cells, columns, strict=True)
    )
