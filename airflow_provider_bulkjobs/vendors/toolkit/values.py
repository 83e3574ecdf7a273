# SPDX-License-Identifier: Apache-2.0
"""Validation of field values, and field names in messages, which must not contain personal data."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Iterable, Sequence
from typing import Any

FIELD_NAME = re.compile(r"[A-Za-z_$][\w$.:-]{0,60}|\d{1,4}", re.ASCII)
SURROGATE = re.compile("[\ud800-\udfff]")
BLANK_SYMBOLS = "\u034f\u115f\u1160\u2800\u3164\uffa0"  # printable according to Unicode, but invisible
NUMBERS = frozenset({int, float, bool})
CONTROLS = bytes([*range(0x20), 0x7F])  # the invisible characters of ASCII
MAX_NAMES = 10  # field names in a message


def is_blank(value: Any) -> bool:
    """Return whether a value is missing, empty, or text of invisible characters only."""
    if isinstance(value, str):
        return not value or (_is_invisible(value[0]) and all(map(_is_invisible, value)))
    return value is None or (isinstance(value, list | tuple | dict) and not value)


def are_filled(values: Sequence[Any]) -> bool:
    """Return whether certainly none of the values is blank; ``False`` if that takes a look at each."""
    text = joined(values)
    if text is None:
        return set(map(type, values)) <= NUMBERS
    return all(values) and _is_visible(text) and (" " not in text or all(map(str.strip, values)))


def are_identities(values: Sequence[Any]) -> bool:
    """Return whether certainly each value can identify a record, or is missing."""
    given, text = values, joined(values)
    if text is None:
        given = [value for value in values if value is not None]
        text = joined(given)
    if text is None:
        return set(map(type, given)) <= {int}
    return _is_visible(text) and (" " not in text or all(map(operator.eq, given, map(str.strip, given))))


def joined(values: Iterable[Any]) -> str | None:
    """Return text values as one text, or ``None`` if one of them is not text; a look at each type takes much longer."""
    try:
        return "".join(values)
    except TypeError:
        return None


def identity_problem(name: str, value: Any) -> str | None:
    """Return why a value cannot identify a record, or ``None``."""
    if isinstance(value, str):
        if not value or not (_is_invisible(value[0]) or _is_invisible(value[-1])):
            return _hidden_character(name, value)
        where = "only blanks in" if is_blank(value) else "blanks around the value of"
        return f"has {where} field {safe_name(name)}: remove them"
    if isinstance(value, int) and not isinstance(value, bool):
        return None
    return missing_number(name, value) or (
        f"has a {type(value).__name__} in field {safe_name(name)}, which cannot identify a record: "
        "give text or a whole number"
    )


def _hidden_character(name: str, value: str) -> str | None:
    # Others look the same and identify somebody else. What UTF-8 cannot encode is found when it is encoded.
    if value.isprintable() or SURROGATE.search(value):
        return None
    return f"has an invisible character in field {safe_name(name)}: remove it"


def missing_number(name: str, value: Any) -> str | None:
    """Return the problem of a NaN or Infinity, or of their pandas equivalents; ``None`` for other values."""
    try:
        word = "NaN" if value != value else "Infinity" if value in {math.inf, -math.inf} else None  # noqa: PLR0124
    except Exception:  # noqa: BLE001  (pandas.NA, an array, a signaling NaN: each type has its own)
        word = "NaN" if type(value).__name__ in {"NAType", "Decimal"} else None
    if word is None:
        return None
    return f"has {word} ({type(value).__name__}) in field {safe_name(name)}: use None for a missing value"


def unencodable(name: str, value: Any, error: Exception) -> str:
    """Return the problem of a value that could not be encoded as JSON in UTF-8.

    :param error: the exception that the encoder raised.
    """
    if SURROGATE.search(name):
        return name_problem(name)
    if isinstance(error, UnicodeEncodeError):
        return f"has a character in field {safe_name(name)} that UTF-8 cannot encode: correct the text"
    if isinstance(value, list | tuple | dict) and isinstance(error, ValueError) and _is_json_except_numbers(value):
        return f"has NaN or Infinity inside field {safe_name(name)} ({type(value).__name__}): use None instead"
    return missing_number(name, value) or (
        f"has a {type(value).__name__} in field {safe_name(name)} that JSON cannot represent: convert it first"
    )


def name_problem(name: Any) -> str:
    """Return the problem of a field name that is not text, or that UTF-8 cannot encode."""
    if not isinstance(name, str):
        return f"has a field name that is a {type(name).__name__}, not text: rename the field"
    return f"has a character in the name of field {safe_name(name)} that UTF-8 cannot encode: rename the field"


def safe_name(name: Any) -> str:
    """Return a field name for a message, or a placeholder if it does not look like one: it may be personal data."""
    text = str(name)
    # repr escapes what UTF-8 cannot encode.
    return repr(text) if FIELD_NAME.fullmatch(SURROGATE.sub("", text)) else "(name not shown)"


def safe_names(names: Iterable[Any], word: str) -> str:
    """Return field names for a message.

    :param word: the conjunction between them: "and", "or".
    """
    fields = [f"field {safe_name(name)}" for name in names]
    more = f" {word} {len(fields) - MAX_NAMES} more" if len(fields) > MAX_NAMES else ""
    return f"{f' {word} '.join(fields[:MAX_NAMES])}{more}"


def _is_visible(text: str) -> bool:
    """Return whether certainly all characters but spaces are visible."""
    if text.isascii():  # as most are; a quarter of the time
        return len(text.encode().translate(None, CONTROLS)) == len(text)
    return text.isprintable() and not any(symbol in text for symbol in BLANK_SYMBOLS)


def _is_invisible(char: str) -> bool:
    if char.isprintable():
        return char == " " or char in BLANK_SYMBOLS
    return not SURROGATE.match(char)


def _is_json_except_numbers(value: Any) -> bool:
    try:
        json.dumps(value)  # accepts NaN and Infinity
    except (TypeError, ValueError, RecursionError):
        return False
    return True
