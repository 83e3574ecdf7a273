# SPDX-License-Identifier: Apache-2.0
"""What can be submitted: the limits of a request, the shape of a record, the options, and the conversation."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from airflow_provider_bulkjobs.protocol.flow import Request, Response, Upload
from airflow_provider_bulkjobs.vendors.spec.fields import Account

Record = Mapping[str, Any]
Options = Mapping[str, Any]
Check = Callable[[Record], str | None]

ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
# A vendor that names no limit in bytes still gets no request that would not fit into a worker's memory with ease.
MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a request, under the vendor's own name.

    :param types: what the value may be.
    :param choices: the only values allowed.
    """

    name: str
    types: tuple[type, ...]
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Payload:
    """The records of one request, encoded and joined.

    :param open: opens them to be read, as often as it is called.
    :param size: how many bytes they are.
    :param items: how many records they are.
    :param columns: the names of the fields, where records are rows of a table.
    """

    open: Callable[[], BinaryIO]
    size: int
    items: int
    columns: tuple[str, ...] = ()

    @property
    def data(self) -> bytes:
        """All of it."""
        with self.open() as file:
            return file.read()


@dataclass(frozen=True, slots=True)
class SubmitContext:
    """All that a request to submit is made of.

    :param options: the options of the vendor's request, checked.
    :param open_job: the id of the job to append to, for operations that append and where there is one.
    """

    account: Account
    payload: Payload
    options: Options
    open_job: str | None = None


SubmitFlow = Generator[Request | Upload, Response, str]


def encode_json(value: Any) -> bytes:
    """Return a record, or any value, as JSON."""
    return ENCODER.encode(value).encode()


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do with records: create, update, delete …

    :param submit: the conversation that hands over records and returns the id of the job.
    :param max_items: how many records a request takes; 0 for an operation without records.
    :param max_bytes: how large a request may be.
    :param max_item_bytes: how large a record may be, as it is sent; 0 where the vendor sets no limit.
    :param check: what is wrong with a record, or ``None``; names fields and never their values.
    :param header_names: the header of a CSV file must name one of these fields, or it is not known to be a header.
    :param check_by_options: returns a further check, which depends on the options.
    :param options: the options of the vendor's request.
    :param per_record_options: which of them the vendor wants in each record.
    :param columns_option: the one that lists the columns of a table by their position.
    :param blanks_option: the one that lets empty values clear fields.
    :param replaces_records: the one that takes the place of the records.
    :param encode: makes bytes of a record.
    :param is_csv: records go out as rows of a CSV file, with a column for each field that any of them has.
    :param gzipped: what goes out is gzipped, on disk; otherwise a request fits into memory.
    :param idempotent: whether the same request sent twice comes to the same as sent once.
    :param supports_append: whether further requests can go into the job of the first one.
    :param requests_per_minute: a limit for these requests alone; 0 where there is none.
    """

    name: str
    submit: Callable[[SubmitContext], SubmitFlow]
    max_items: int
    max_bytes: int = MOST_BYTES
    max_item_bytes: int = 0
    check: Check = lambda _record: None
    header_names: tuple[str, ...] = ()
    check_by_options: Callable[[Options], Check] | None = None
    options: tuple[Option, ...] = ()
    per_record_options: tuple[str, ...] = ()
    columns_option: str | None = None
    blanks_option: str | None = None
    replaces_records: str | None = None
    encode: Callable[[Record], bytes] = encode_json
    is_csv: bool = False
    gzipped: bool = False
    idempotent: bool = False
    supports_append: bool = False
    requests_per_minute: float = 0.0

    def check_for(self, options: Options) -> Check:
        """Return the check of the records that are submitted with these options.

        :raises BadArgumentError: the options contradict the operation.
        """
        return every(self.check, self.check_by_options(options)) if self.check_by_options else self.check


def every(*checks: Check) -> Check:
    """Want all of these, and tell the first that is not so."""

    def check(record: Record) -> str | None:
        return next((problem for one in checks if (problem := one(record)) is not None), None)

    return check
