# SPDX-License-Identifier: Apache-2.0
"""Rows of a JSON Lines file, which may leave out fields without a value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.row import Origin, Row
from airflow_provider_bulkjobs.vendors.toolkit.values import safe_name

ONE_DOCUMENT = (
    "the file is one JSON document. Write JSON Lines, one object per line: with jq -c '.[]' in.json > out.jsonl, or "
    "df.to_json(path, orient='records', lines=True)."
)
MAX_LINE_BYTES = 32 * 1024 * 1024  # more than any request may have


def read_json_lines(file: BinaryIO, origin: Origin, source: str) -> Iterator[Row]:
    """Read the rows of a file.

    :param source: the file, for messages.
    :raises BadArgumentError: the file is one JSON document, or a line is too long.
    """
    number, is_first = 0, True
    while line := file.readline(MAX_LINE_BYTES):
        number += 1
        if len(line) == MAX_LINE_BYTES:
            raise BadArgumentError(f"records={source}: line {number} is longer than {MAX_LINE_BYTES} bytes")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        if is_first and _is_document(line):
            raise BadArgumentError(f"records={source}: {ONE_DOCUMENT}")
        is_first = False
        yield _json_row(number, line, origin)


def _json_row(number: int, line: bytes, origin: Origin) -> Row:
    try:
        record = json.loads(line.decode(), object_pairs_hook=_object)
    except UnicodeDecodeError:
        return Row(number, {}, "is not UTF-8", hint="Write the file in UTF-8.", origin=origin)
    except _TwiceError as error:
        return Row(number, {}, f"has field {safe_name(error)} twice: remove one of them", origin=origin)
    except (ValueError, RecursionError):
        return Row(number, {}, "is not JSON: write one object per line", origin=origin)
    if isinstance(record, dict):
        return Row(number, record, origin=origin)
    return Row(number, {}, "is JSON, but not an object: write one object per line", origin=origin)


class _TwiceError(Exception):
    """An object has a key twice; only the last of its values would be read."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise _TwiceError(names.most_common(1)[0][0])
    return found


def _is_document(line: bytes) -> bool:
    """Return whether the first line is the start of a JSON document that spans the file."""
    start = b"".join(line[:1024].split())
    return start in {b"{", b"["} or start.startswith(b"[{")
