# SPDX-License-Identifier: Apache-2.0
"""Values at a path of a JSON body, which may be malformed at any level."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.protocol.flow import LARGE_BODY, Response


def body_of(response: Response) -> Any:
    """Return the JSON body of a response, which need not be an object; ``None`` if it is not JSON."""
    try:
        return response.json
    except BulkJobError:
        if len(response.body) > LARGE_BODY:
            return None
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        return None


def value_at(value: Any, path: str) -> Any:
    """Return the one value at a path, or ``None`` if there is none.

    :param path: keys, and positions in lists, separated by periods: ``result.0.status``; empty for the value itself.
    """
    for key in _keys(path):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit():
            value = value[int(key)] if int(key) < len(value) else None
        else:
            return None
    return value


@cache  # as many as the vendors declare, and each poll reads several
def _keys(path: str) -> tuple[str, ...]:
    return tuple(path.split(".")) if path else ()


def find(body: Any, path: str) -> list[Any]:
    """Return the values at a path: none if a part of it is missing, several if there are lists on the way.

    :param path: names of members, separated by dots; ``*`` stands for all members. An empty path is the body itself.
    """
    values = _flat([body])
    for name in path.split(".") if path else ():
        members = (value for value in values if isinstance(value, dict))
        if name == "*":
            values = _flat([each for member in members for each in member.values()])
        else:
            values = _flat([member[name] for member in members if name in member])
    return values


def text_at(body: Any, path: str) -> str:
    """Return the first text or number at a path, as text.

    :param path: see :func:`find`; several, separated by ``or``, are tried in this order.
    """
    for one in path.split(" or "):
        for value in find(body, one):
            if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
                return str(value)
    return ""


def _flat(values: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        if isinstance(value, list):
            flat += value
        else:
            flat.append(value)
    return flat
