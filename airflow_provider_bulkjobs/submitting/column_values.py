# SPDX-License-Identifier: Apache-2.0
"""The values of a column of another library's table, some of which Python may not have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


class UnreadableValue:
    """A value that Python does not have: a date after the year 9999, text that is not UTF-8, a map with a key twice."""


def read_values(column: Any, to_list: Callable[[Any], list[Any]]) -> list[Any]:
    """Return the values of a column of Arrow or polars, with an ``UnreadableValue`` for each that cannot be read.

    :param to_list: returns the values of a column; its error may be about any of them.
    """
    try:
        return to_list(column)
    except BaseException as error:
        # polars raises a PanicException, which is no Exception. Neither is Airflow's timeout, which must not get lost.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
    if len(column) == 1:
        return [UnreadableValue()]
    return [value for number in range(len(column)) for value in read_values(column.slice(number, 1), to_list)]


def short_floats(texts: Iterable[str | None]) -> list[float | None]:
    """Return numbers of 4 bytes or less, given as text: as a number of 8 bytes, 0.1 would be 0.10000000149011612."""
    return [text if text is None else float(text) for text in texts]
