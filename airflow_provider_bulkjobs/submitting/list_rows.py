# SPDX-License-Identifier: Apache-2.0
"""Rows of a list or a task's output: dicts, or the rows of a query with or without their column names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from airflow_provider_bulkjobs.submitting.blocks import BLOCK_ROWS, Block, RecordBlock
from airflow_provider_bulkjobs.submitting.columns import check_names
from airflow_provider_bulkjobs.submitting.row import A_LIST, Origin, Row

DESCRIPTION_ITEMS = 7  # of each column, the name first: https://peps.python.org/pep-0249/#description
QUERY_OUTPUT = Origin("", "row")


def read_list(items: Iterable[Any], names: tuple[str, ...] = ()) -> Iterator[Block | Row]:
    """Yield a row for each item.

    :param names: the columns of items that are rows without names.
    """
    number, rest = 1, iter(items)
    while some := list(islice(rest, BLOCK_ROWS)):
        if set(map(type, some)) == {dict}:
            yield RecordBlock(range(number, number + len(some)), some, A_LIST)
        else:
            yield from (_row(line, item, names) for line, item in enumerate(some, number))
        number += len(some)


def _row(number: int, item: Any, names: tuple[str, ...]) -> Row:
    if isinstance(item, Mapping):
        return Row(number, item)
    if names and is_row(item):
        return _named(number, item, names, A_LIST)
    return Row(number, {}, f"is a {type(item).__name__}, not a dict", hint=_item_hint(item))


def is_row(value: Any) -> bool:
    """Return whether a value is a row of cells without names."""
    if isinstance(value, list | tuple):
        return not any(isinstance(cell, Mapping) for cell in value) or not all(
            isinstance(cell, Mapping) for cell in value
        )
    return False


def described_rows(source: Any) -> Iterator[Row] | None:
    """Return the rows of a query that come with the description of its cursor, or ``None`` if the source is not that.

    Databricks' SQL operator returns both, and so does ``SQLExecuteQueryOperator`` with an ``output_processor``.

    :raises BadArgumentError: two columns have the same name.
    """
    if not isinstance(source, list | tuple) or len(source) != 2:
        return None
    description, rows = source
    if not (isinstance(description, list | tuple) and description and isinstance(rows, list | tuple)):
        return None
    if not all(_is_description(column) for column in description):
        return None
    names = check_names((column[0] for column in description), "the output of the query")
    return (_named(number, row, names, QUERY_OUTPUT) for number, row in enumerate(rows, 1))


def _is_description(column: Any) -> bool:
    return isinstance(column, list | tuple) and len(column) >= DESCRIPTION_ITEMS and isinstance(column[0], str)


def _named(number: int, row: Any, names: tuple[str, ...], origin: Origin) -> Row:
    if isinstance(row, list | tuple) and len(row) == len(names):
        return Row.of_table(number, names, row, origin)
    what = f"has {len(row)} values" if isinstance(row, list | tuple) else f"is a {type(row).__name__}"
    return Row(number, {}, f"{what}, and there are {len(names)} columns", names, origin=origin)


def _item_hint(item: Any) -> str:
    """Return how to convert an item of a list to dicts."""
    if isinstance(item, str | os.PathLike):
        return "records is a list of dicts and strings. Pass only dicts, or only paths."
    if isinstance(item, list | tuple) and item and all(isinstance(one, Mapping) for one in item):
        return (
            "records is a list of lists of dicts, as a mapped task returns it. Pass one list: "
            "[record for records in parts for record in records]."
        )
    if hasattr(item, "_asdict"):
        return "Pass dicts: [row._asdict() for row in rows]. Or set columns, the list of their names in order."
    if isinstance(item, Iterable):
        return (
            "The records are rows without field names, as a SQL operator returns them. Set columns, the list of their "
            "names in order, or pass dicts: [dict(zip(names, row)) for row in rows]."
        )
    return "Pass a list of dicts with the vendor's field names as keys."
