# SPDX-License-Identifier: Apache-2.0
"""Values at a path in a vendor's JSON."""

from __future__ import annotations

from typing import Any


def value_at(value: Any, path: str) -> Any:
    """Return the value at a path, or ``None`` if there is none.

    :param path: keys, and positions in lists, separated by periods: ``result.0.status``; empty for the value itself.
    """
    for key in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit():
            value = value[int(key)] if int(key) < len(value) else None
        else:
            return None
    return value
