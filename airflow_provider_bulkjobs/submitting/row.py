# SPDX-License-Identifier: Apache-2.0
"""One record as it was read, or the problem with it, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self


class Origin(NamedTuple):
    """What rows are read from, as messages name it: "line 7", "contacts.csv line 7", "query row 7".

    :param name: the file or the query; empty for a list.
    :param unit: what is counted.
    """

    name: str = ""
    unit: str = "line"

    def where(self, first: int, last: int | None = None) -> str:
        """Return the location of one row, or of all rows from the first to the last, as text."""
        numbers = f"{self.unit} {first}" if last in {None, first} else f"{self.unit}s {first}-{last}"
        return f"{self.name} {numbers}".lstrip()


A_LIST = Origin()


class Row(NamedTuple):
    """One record, or the problem with it.

    :param line: the line where it starts, or its number in a list or table; from 1.
    :param columns: the names of all columns, if it is a row of a table.
    :param hint: what to do, if the whole source has the problem.
    :param origin: what it was read from.
    """

    line: int
    record: Mapping[str, Any]
    problem: str | None = None
    columns: tuple[str, ...] = ()
    hint: str = ""
    origin: Origin = A_LIST

    @classmethod
    def of_table(cls, line: int, columns: tuple[str, ...], cells: Iterable[Any], origin: Origin) -> Self:
        """Return a row of a table. A null is a field that is not set, like an empty cell of a CSV file."""
        record = {name: cell for name, cell in zip(columns, cells, strict=True) if cell is not None}
        return cls(line, record, None, columns, "", origin)

    @property
    def where(self) -> str:
        """The location of the row, as text."""
        return self.origin.where(self.line)
