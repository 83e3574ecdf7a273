# SPDX-License-Identifier: Apache-2.0
"""One record as it was read, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One record, or what is wrong with it.

    :param line: the line it begins in, or its number in a list; from 1.
    :param columns: the names of all columns, where it comes from a table.
    :param hint: what to do, where the same is wrong with the whole source.
    """

    line: int
    record: Mapping[str, Any]
    problem: str | None = None
    columns: tuple[str, ...] = ()
    hint: str = ""
