# SPDX-License-Identifier: Apache-2.0
"""Validation of control requests: every error names the field, the value and the accepted values."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable
from typing import Any


class InvalidInputError(ValueError):
    """The body of a control request is invalid."""


class Fields:
    """A JSON object from a control request, validated field by field. A null field counts as missing."""

    def __init__(self, data: object, known: Collection[str], of: str) -> None:
        if not isinstance(data, dict):
            raise InvalidInputError(f"{of} must be a JSON object, not {_show(data)}")
        for name in data:
            if name not in known:
                raise InvalidInputError(f"{name!r} is not a field of {of}; its fields are: {', '.join(known)}")
        self._data = data

    def __contains__(self, name: str) -> bool:
        return self._data.get(name) is not None

    def raw(self, name: str) -> Any:
        """Return an unvalidated value."""
        return self._data.get(name)

    def choice(self, name: str, choices: Iterable[str], default: str | None = None) -> str:
        """Return one of the choices."""
        value = self._data.get(name)
        value = default if value is None else value
        choices = list(choices)
        if value not in choices:
            raise InvalidInputError(f"{name!r} is {_show(value)}; choose one of: {', '.join(choices)}")
        return str(value)

    def number(self, name: str, default: float = 0.0, *, above_zero: bool = False) -> float:
        """Return a finite, non-negative number."""
        value = self._data.get(name)
        if value is None:
            return default
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or value < 0 or (above_zero and value == 0):
            bound = "above 0" if above_zero else "of at least 0"
            raise InvalidInputError(f"{name!r} is {_show(value)}; it must be a number {bound}")
        return float(value)

    def integer(self, name: str, default: int, *, minimum: int = 0, maximum: int = 1_000_000_000) -> int:
        """Return an integer within the bounds."""
        value = self._data.get(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise InvalidInputError(
                f"{name!r} is {_show(value)}; it must be a whole number from {minimum} to {maximum}"
            )
        return value

    def text(self, name: str) -> str | None:
        """Return a string, or ``None`` if it is missing."""
        value = self._data.get(name)
        if value is not None and not isinstance(value, str):
            raise InvalidInputError(f"{name!r} is {_show(value)}; it must be a string")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean; false if it is missing."""
        value = self._data.get(name)
        if value is not None and not isinstance(value, bool):
            raise InvalidInputError(f"{name!r} is {_show(value)}; it must be true or false")
        return bool(value)


def _show(value: object) -> str:
    """Return a value as JSON for a message, truncated to 80 characters."""
    try:
        return json.dumps(value)[:80]
    except (TypeError, ValueError):
        return repr(value)[:80]
