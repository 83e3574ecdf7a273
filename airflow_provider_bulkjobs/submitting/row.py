# SPDX-License-Identifier: Apache-2.0
"""One record as it was read, or the problem with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One record, or the problem with it.

    :param line: the line where it starts, or its number in a list; from 1.
    :param columns: the names of all columns, if it is a row of a table.
    :param hint: what to do, if the whole source has the problem.
    """

    line: int
    record: Mapping[str, Any]
    problem: str | None = None
    columns: tuple[str, ...] = ()
    hint: str = ""
