# SPDX-License-Identifier: Apache-2.0
"""How a CSV file is written: the argument ``read_options``."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError


@dataclass(frozen=True)
class CsvOptions:
    r"""How a CSV file is written.

    :param delimiter: the character between two cells.
    :param quote: the character around a cell; ``None`` if there is none.
    :param escape: the character before one that has no special meaning; ``None`` if there is none.
    :param encoding: the name of the encoding, as Python knows it.
    :param header: whether the first line has the names of the columns; default: unless there are ``column_names``.
    :param column_names: the names of all columns, instead of those in the header.
    :param null_values: text of a cell without quotes that means no value, such as ``\N``.
    """

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    encoding: str = "utf-8"
    header: bool = True
    column_names: tuple[str, ...] = ()
    null_values: tuple[str, ...] = ()


NAMES = tuple(field.name for field in fields(CsvOptions))


def read_csv_options(value: Any) -> CsvOptions:
    """Return the argument ``read_options``.

    :raises BadArgumentError: an option is unknown or invalid.
    """
    if value is None:
        return CsvOptions()
    if not isinstance(value, Mapping):
        raise BadArgumentError(f"read_options is a {type(value).__name__}. Pass a dict.")
    if unknown := next((name for name in value if name not in NAMES), None):
        raise BadArgumentError(f"Unknown read_options {unknown!r:.60}. Valid options: {', '.join(NAMES)}.")
    given = {name: each for name, each in value.items() if each is not None or name in {"quote", "escape"}}
    for name in ("delimiter", "quote", "escape"):
        if given.get(name):
            _check_character(name, given[name])
        elif name in given:
            given[name] = None
    for name in ("column_names", "null_values"):
        if name in given:
            given[name] = _texts(name, given[name])
    given.setdefault("header", not given.get("column_names"))
    options = CsvOptions(**given)
    _check(options)
    return options


def _check_character(name: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) != 1 or value in "\r\n\0":
        raise BadArgumentError(f"read_options: {name} is {value!r:.60}. Pass one character.")


def _texts(name: str, value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (None,)
    if not all(isinstance(text, str) for text in texts):
        raise BadArgumentError(f"read_options: {name} must be a list of strings.")
    return texts


def _check(options: CsvOptions) -> None:
    characters = [each for each in (options.delimiter, options.quote, options.escape) if each]
    if not options.delimiter or len(set(characters)) < len(characters):
        raise BadArgumentError("read_options: delimiter, quote and escape must be different characters.")
    if not isinstance(options.header, bool):
        raise BadArgumentError(f"read_options: header is {options.header!r:.60}. Pass True or False.")
    if not options.header and not options.column_names:
        raise BadArgumentError("read_options: header=False needs column_names, the names of all columns in order.")
    if not all(map(str.strip, options.column_names)) or len(set(options.column_names)) < len(options.column_names):
        raise BadArgumentError("read_options: column_names must be unique and not empty.")
    try:
        codecs.lookup(options.encoding)
        "".encode(options.encoding)  # also raises an error for what is no encoding of text
    except (LookupError, TypeError):
        raise BadArgumentError(
            f"read_options: unknown encoding {options.encoding!r:.60}. Use one that Python knows, such as utf-8, "
            "utf-16 or latin-1."
        ) from None
