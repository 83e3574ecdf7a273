# SPDX-License-Identifier: Apache-2.0
"""Records as rows of a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from math import isfinite
from typing import Any

from airflow_provider_bulkjobs.submitting.blocks import Block
from airflow_provider_bulkjobs.vendors.spec.operation import Record
from airflow_provider_bulkjobs.vendors.toolkit.values import missing_number, safe_name, unencodable

TEXT = frozenset({str})
SAME_IN_CSV = frozenset({str, int, type(None)})  # as they are encoded
NUMBERS = frozenset({int, float, type(None)})
ROW_END = b"\r\n"


def encode_row(record: Record, columns: Iterable[str]) -> bytes | str:
    """Return a record as a row of a table, or the problem with it."""
    cells: list[Any] = [record.get(name) for name in columns]
    for number, (name, cell) in enumerate(zip(columns, cells, strict=True)):
        if cell is None or type(cell) is str:
            continue
        if isinstance(cell, bool):
            cells[number] = "true" if cell else "false"  # as in JSON
        elif not isinstance(cell, str | int) and (problem := missing_number(name, cell)):
            return problem
        elif not isinstance(cell, str | int | float):
            return f"has a {type(cell).__name__} in field {safe_name(name)}, which a CSV cell cannot hold"
    try:
        return csv_line(cells)
    except ValueError as error:  # an invalid character, or an int with too many digits
        for name, cell in zip(columns, cells, strict=True):
            try:
                csv_line([cell])
            except ValueError:
                return unencodable(name, cell, error)
        raise


def encode_rows(block: Block, columns: Collection[str]) -> list[bytes] | None:
    """Return many records as rows of a table; ``None`` if one of them may have a problem."""
    if block.kinds == TEXT and block.fields.keys() >= set(columns):
        rows = _unquoted_rows([block.fields[name] for name in columns])
        if rows is not None:
            return rows
    if not (block.kinds <= SAME_IN_CSV or all(map(_are_same, block.fields.values()))):
        return None
    lines = _Lines()
    nothing = [None] * len(block.lines)
    cells = zip(*(block.fields.get(name, nothing) for name in columns), strict=True)
    try:
        csv.writer(lines, lineterminator=ROW_END.decode()).writerows(cells)
        return list(map(str.encode, lines))
    except ValueError:
        return None


def _unquoted_rows(columns: Sequence[Sequence[str]]) -> list[bytes] | None:
    """Return rows of text; ``None`` if a cell needs quotes or cannot be encoded. Half the time of a CSV writer."""
    rows = list(map(",".join, zip(*columns, strict=True)))
    text = "\r\n".join((*rows, ""))
    breaks = len(rows)
    if (
        len(columns) == 1  # a single empty cell has quotes
        or '"' in text
        or text.count(",") != breaks * (len(columns) - 1)
        or not text.count("\r") == text.count("\n") == breaks
    ):
        return None
    try:
        return text.encode().splitlines(keepends=True)
    except UnicodeEncodeError:
        return None


def _are_same(values: Sequence[Any]) -> bool:
    kinds = set(map(type, values))
    return kinds <= SAME_IN_CSV or (kinds <= NUMBERS and all(isfinite(each) for each in values if type(each) is float))


class _Lines(list[str]):
    """The lines that a CSV writer has written, one at a time."""

    write = list.append


def csv_line(cells: Iterable[Any]) -> bytes:
    """Return one line of a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ROW_END.decode()).writerow(cells)
    return text.getvalue().encode()
