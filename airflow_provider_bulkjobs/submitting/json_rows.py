# SPDX-License-Identifier: Apache-2.0
"""Rows of a JSON Lines file, which may leave out fields without a value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

import msgspec

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.blocks import BLOCK_ROWS, Block, RecordBlock
from airflow_provider_bulkjobs.submitting.row import Origin, Row
from airflow_provider_bulkjobs.vendors.spec.operation import Record
from airflow_provider_bulkjobs.vendors.toolkit.values import safe_name

ONE_DOCUMENT = (
    "the file is one JSON document. Write JSON Lines, one object per line: with jq -c '.[]' in.json > out.jsonl, or "
    "df.to_json(path, orient='records', lines=True)."
)
BLOCK_BYTES = 1024 * 1024  # at most, and one line
JSON_SPACE = b" \t\r\n"
MAX_LINE_BYTES = 32 * 1024 * 1024  # more than any request may have


def read_json_lines(file: BinaryIO, origin: Origin, source: str) -> Iterator[Block | Row]:
    """Read the rows of a file.

    :param source: the file, for messages.
    :raises BadArgumentError: the file is one JSON document, or a line is too long.
    """
    numbers: list[int] = []
    records: list[Record] = []
    size = 0
    try:
        for number, line in _lines(file, source):
            record, size = _read_object(line), size + len(line)
            if isinstance(record, dict):
                numbers.append(number)
                records.append(record)
                if size <= BLOCK_BYTES and len(records) < BLOCK_ROWS:
                    continue
            yield from _block(numbers, records, origin)
            numbers, records, size = [], [], 0
            if not isinstance(record, dict):
                yield Row(number, {}, record.problem, hint=record.hint, origin=origin)
    except BadArgumentError:
        yield from _block(numbers, records, origin)  # their problems come first
        raise
    yield from _block(numbers, records, origin)


def _block(numbers: list[int], records: list[Record], origin: Origin) -> Iterator[Block]:
    if records:
        yield RecordBlock(numbers, records, origin)


def _lines(file: BinaryIO, source: str) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not empty, with its number."""
    number, is_first = 0, True
    while line := file.readline(MAX_LINE_BYTES):
        number += 1
        if len(line) == MAX_LINE_BYTES:
            raise BadArgumentError(f"records={source}: line {number} is longer than {MAX_LINE_BYTES} bytes")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.isspace() or not line:
            continue
        if is_first and _is_document(line):
            raise BadArgumentError(f"records={source}: {ONE_DOCUMENT}")
        is_first = False
        yield number, line


class _Problem(NamedTuple):
    """Why a line has no record."""

    problem: str
    hint: str = ""


def _read_object(line: bytes) -> dict[str, Any] | _Problem:
    # msgspec takes half the time, and refuses what the other decoder accepts or reports.
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        fast = decode_fast(line)
        # Each key has a colon after it, so without more colons than keys no key is there twice.
        if type(fast) is dict and line.count(b":") <= len(fast):
            return fast
    try:
        record = UNIQUE_KEYS.decode(line.strip(JSON_SPACE).decode())
    except UnicodeDecodeError:
        return _Problem("is not UTF-8", "Write the file in UTF-8.")
    except _TwiceError as error:
        return _Problem(f"has field {safe_name(error)} twice: remove one of them")
    except (ValueError, RecursionError):
        return _Problem("is not JSON: write one object per line")
    return record if isinstance(record, dict) else _Problem("is JSON, but not an object: write one object per line")


class _TwiceError(Exception):
    """An object has a key twice; only the last of its values would be read."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise _TwiceError(names.most_common(1)[0][0])
    return found


decode_fast = msgspec.json.Decoder().decode
UNIQUE_KEYS = json.JSONDecoder(object_pairs_hook=_object)


def _is_document(line: bytes) -> bool:
    """Return whether the first line is the start of a JSON document that spans the file."""
    start = b"".join(line[:1024].split())
    return start in {b"{", b"["} or start.startswith(b"[{")
