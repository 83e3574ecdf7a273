# SPDX-License-Identifier: Apache-2.0
"""The formats of a file of records, known by its ending or given by name."""

from __future__ import annotations

from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.compression import strip_compression

ENDINGS = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
}
FORMATS = tuple(dict.fromkeys(ENDINGS.values()))


def read_format(value: Any) -> str | None:
    """Return the argument ``format``.

    :raises BadArgumentError: it is not the name of a format.
    """
    if value is None or value in FORMATS:
        return value  # type: ignore[no-any-return]
    raise BadArgumentError(f"Invalid format={value!r:.60}. Use one of {', '.join(FORMATS)}.")


def format_of(name: str) -> str | None:
    """Return the format of a file by the ending of its name, without that of a compression."""
    name = strip_compression(name.lower().partition("?")[0])
    return next((found for ending, found in ENDINGS.items() if name.endswith(ending)), None)
