# SPDX-License-Identifier: Apache-2.0
"""The argument ``columns``: which columns of the records are submitted, and as which fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.blocks import Block
from airflow_provider_bulkjobs.submitting.row import Row
from airflow_provider_bulkjobs.vendors.toolkit.values import safe_name

MAX_NAMES = 30  # columns in a message


def check_names(columns: Iterable[Any], source: str) -> tuple[str, ...]:
    """Return the names of the columns of a table.

    :param source: the table, for messages.
    :raises BadArgumentError: a name is empty or not text, or two columns have the same.
    """
    names = tuple(columns)
    if not names:
        raise BadArgumentError(f"records={source} has no columns. Check the task that writes it.")
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise BadArgumentError(f"records={source}: a column has no name, or one that is not text. Name it.")
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise BadArgumentError(f"records={source} has column {safe_name(twice[0])} twice. Rename one of them.")
    return names


def read_columns(value: Any) -> dict[str, str] | None:
    """Return the argument ``columns`` as the field of each column, in order.

    :param value: a dict, or a list of columns that keep their names.
    :raises BadArgumentError: it is neither, a name is empty or not text, or a column or field is given twice.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping | list | tuple) or not value:
        raise BadArgumentError(
            "columns must be a dict of the field for each column, such as {'EMAIL': 'email'}, or a list of columns"
        )
    pairs = list(value.items()) if isinstance(value, Mapping) else [(name, name) for name in value]
    for number, what in enumerate(("column", "field")):
        names = [pair[number] for pair in pairs]
        if not all(isinstance(name, str) and name.strip() for name in names):
            raise BadArgumentError(f"columns: the name of a {what} is empty or not text.")
        if twice := [name for name, times in Counter(names).items() if times > 1]:
            raise BadArgumentError(f"columns has {what} {safe_name(twice[0])} twice. Remove one of them.")
    return dict(pairs)


def select(rows: Iterator[Block | Row], columns: Mapping[str, str]) -> Iterator[Block | Row]:
    """Yield the rows with the given columns only, under the names of their fields.

    :param columns: the field of each column.
    :raises BadArgumentError: a table lacks one of the columns, or no record has it.
    """
    pairs, unseen, has_records = tuple(columns.items()), set(columns), False
    known: tuple[str, ...] | None = None
    try:
        for each in rows:
            names = each.columns
            if names and names is not known:
                if missing := [name for name in columns if name not in names]:
                    raise BadArgumentError(_missing(missing, columns, names))
                known, unseen = names, set()
            if unseen and (found := each.fields if isinstance(each, Block) else each.record):
                has_records = True
                unseen.difference_update(found)
            if isinstance(each, Block):
                yield each.select(columns)
            else:
                record = {field: each.record[name] for name, field in pairs if name in each.record}
                yield each._replace(record=record, columns=tuple(columns.values()) if names else ())
    finally:
        if close := getattr(rows, "close", None):
            close()
    if unseen and has_records:
        missing = [name for name in columns if name in unseen]
        raise BadArgumentError(f"columns: no record has {listed(missing)}. Correct the names.")


def listed(names: Sequence[str]) -> str:
    """Return the names of columns for a message."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"{', '.join(map(safe_name, names[:MAX_NAMES]))}{more}"


def _missing(missing: list[str], columns: Mapping[str, str], names: tuple[str, ...]) -> str:
    has = f"There are {len(names)} columns"
    # The names of a table without a header would be personal data.
    if {name.casefold() for name in names} & {name.casefold() for name in columns}:
        has += f": {listed(names)}"
    return f"columns: records lack {listed(missing)}. {has}. Correct the names."
