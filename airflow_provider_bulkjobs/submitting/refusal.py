# SPDX-License-Identifier: Apache-2.0
"""The message of a rejected batch: the lines that the vendor rejected, without values of the records."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from airflow_provider_bulkjobs.exceptions import BulkJobError, InvalidItem, VendorAPIError, sentence
from airflow_provider_bulkjobs.protocol.redact import cut, redact, redact_values
from airflow_provider_bulkjobs.submitting.batches import Batch, Batcher
from airflow_provider_bulkjobs.vendors.spec.operation import MAX_BYTES, Operation
from airflow_provider_bulkjobs.vendors.toolkit.values import safe_name

MAX_LINES = 10  # in one message
MAX_MESSAGE_LENGTH = 200  # characters of the vendor's message about one record
MIN_DIGITS = 7  # a shorter number does not identify a person


def describe_refusal(
    error: BulkJobError, batch: Batch, batcher: Batcher, operation: Operation, secrets: Iterable[str]
) -> str:
    """Return the message of an error that rejected a batch.

    :param batch: the rejected batch.
    :param secrets: the secrets of the connection.
    """
    message = sentence(str(error))
    items = error.invalid_items if isinstance(error, VendorAPIError) else ()
    rejected = [item for item in dict.fromkeys(items) if item.index < batch.items]
    lines = [_line(item, batcher.where(batch.index_of(item.index)), secrets) for item in rejected[:MAX_LINES]]
    if lines:
        more = f"; and {len(rejected) - len(lines)} more" if len(rejected) > len(lines) else ""
        message += f" Rejected records: {'; '.join(lines)}{more}. Correct them in the source."
    return redact_records(message, batch, operation)


def redact_records(text: str, batch: Batch, operation: Operation) -> str:
    """Return a text without the values of the records of a batch."""
    return redact_values(text, set(_values(_records(batch, operation))))


def refusal_of(item: InvalidItem, vendor: str, secrets: Iterable[str]) -> str:
    """Return the problem of a record that the vendor has refused, for the file of rejected records."""
    return _line(item, f"was refused by {vendor}", secrets)


def _line(item: InvalidItem, where: str, secrets: Iterable[str]) -> str:
    field = f", field {safe_name(item.field)}" if item.field else ""
    message = cut(redact(item.message or "", secrets), MAX_MESSAGE_LENGTH).rstrip(".")
    return f"{where}{field}{f': {message}' if message else ''}"


def _records(batch: Batch, operation: Operation) -> Any:
    """Return the records of a batch as they were sent, in the vendor's format."""
    if operation.gzipped or batch.payload.size > MAX_BYTES:  # an upload, which may not fit into memory
        return []
    try:
        if operation.is_csv:
            return list(csv.reader(io.StringIO(batch.payload.data.decode(), newline="")))[1:]
        return json.loads(b"[%b]" % batch.payload.data.replace(operation.separator, b","))
    except (ValueError, RecursionError, csv.Error):  # the batch is identifiers in a URL
        return []


def _nested(text: str) -> Any:
    """Return the object that a text in a record encodes as JSON, as the requests in Mailchimp's batches do."""
    if not text.startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
        yield from _values(_nested(value))
    elif isinstance(value, int) and not isinstance(value, bool) and len(str(value)) >= MIN_DIGITS:
        yield str(value)
    elif isinstance(value, dict):
        yield from (each for one in value.values() for each in _values(one))
    elif isinstance(value, list):
        yield from (each for one in value for each in _values(one))
