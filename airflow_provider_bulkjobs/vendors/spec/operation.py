# SPDX-License-Identifier: Apache-2.0
"""Submit operations: request limits, record validation, options, and the flow that submits a batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, BinaryIO

import msgspec

from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response, SaveProgress, Upload
from airflow_provider_bulkjobs.vendors.spec.custom_fields import CustomFields
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.value_formats import ISO_8601, ValueFormats

Record = Mapping[str, Any]
Fields = Mapping[str, Sequence[Any]]  # the values of each field in many records; None where one does not have it
Options = Mapping[str, Any]
Check = Callable[[Record], str | None]

# msgspec takes a fifth of the time, but encodes NaN as null, and types that JSON does not have.
FAST = frozenset({str, int, bool, type(None)})
TEXT = frozenset({str})
encode_fast = msgspec.json.Encoder().encode
ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
# The request size limit for vendors that document none: a request must fit easily into a worker's memory.
MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a request, with the vendor's own name.

    :param types: the accepted types of the value.
    :param choices: the allowed values.
    """

    name: str
    types: tuple[type, ...]
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Payload:
    """The records of one request, encoded and joined.

    :param open: opens the encoded records for reading; may be called repeatedly.
    :param size: the size in bytes.
    :param items: the number of records.
    :param columns: the column names, if the records are rows of a table.
    """

    open: Callable[[], BinaryIO]
    size: int
    items: int
    columns: tuple[str, ...] = ()

    @property
    def data(self) -> bytes:
        """The encoded records as bytes."""
        with self.open() as file:
            return file.read()


@dataclass(frozen=True, slots=True)
class SubmitContext:
    """The input of a submit request.

    :param options: the validated options of the vendor's request.
    :param open_job: the id of the job to append to, if the operation supports it and a job is open.
    :param progress: the values that an earlier try of this request has saved with :class:`SaveProgress`.
    :param marker: a text that no other request has, for a name by which ``Operation.find`` finds the job.
    """

    account: Account
    payload: Payload
    options: Options
    open_job: str | None = None
    progress: Mapping[str, str | int] = field(default_factory=dict)
    marker: str = ""

    def options_without(self, *names: str) -> dict[str, Any]:
        """Return all options but these, which belong in another part of the request."""
        return {name: value for name, value in self.options.items() if name not in names}


# Yields requests, and receives their responses; also yields SaveProgress, and receives None for it.
SubmitFlow = Generator[Request | Upload | SaveProgress, Response, str]


def encode_json(value: Any) -> bytes:
    """Return a record, or any other value, as JSON.

    :raises ValueError: it has NaN, Infinity, or text that UTF-8 cannot encode.
    :raises TypeError: it has a value that JSON does not have.
    """
    if type(value) is dict and are_fast([value]):
        try:
            return encode_fast(value)
        except (TypeError, ValueError, OverflowError):  # a large number, or an error that is raised again below
            pass
    return ENCODER.encode(value).encode()


def are_fast(values: Collection[Any]) -> bool:
    """Return whether :func:`encode_fast` encodes all of these values, or raises an error."""
    kinds = set(map(type, values))
    return kinds <= FAST or all(map(_is_fast, values))


def _is_fast(value: Any) -> bool:
    kind = type(value)
    if kind is float:
        return isfinite(value)
    if kind is dict:
        return TEXT.issuperset(map(type, value)) and are_fast(value.values())
    return kind in FAST or (kind is list and are_fast(value))


@dataclass(frozen=True, slots=True)
class Operation:
    """One submit operation on records: create, update, delete …

    :param submit: the flow that submits a batch and returns the job id.
    :param withdraw: the flow that withdraws what ``submit`` has saved with ``SaveProgress(…, harmless=True)``, such as
        a job that was created and not started. It runs if a later step fails, or if the next try has other records.
    :param find: the flow that returns the job of a request whose outcome is unknown, by the marker that ``submit`` has
        put into it, or ``None`` if the vendor does not list it. It must never return the job of another request.
    :param max_items: the maximum number of records per request; 0 for an operation without records.
    :param max_bytes: the maximum size of a request body.
    :param max_item_bytes: the maximum size of an encoded record; 0 if the vendor sets no limit.
    :param check: returns the problem of an invalid record, else ``None``; names fields, never their values.
    :param header_names: the first line of a CSV file is accepted as a header only if it has one of these names.
    :param check_by_options: returns an additional check that depends on the options.
    :param formats: returns the formats of dates and times, which may depend on the options.
    :param custom_fields: how records name custom fields that the vendor takes by id.
    :param options: the options of the vendor's request.
    :param per_record_options: the options that are sent in each record.
    :param columns_option: the option that maps the columns of a table by position.
    :param blanks_option: the option with which empty values clear fields.
    :param replaces_records: the option that is given instead of records.
    :param upload_folder: the option with the folder in object storage that records are uploaded to, if the vendor
        downloads them itself. ``submit`` has their signed URL in the option ``replaces_records``, for which users may
        also give a path in object storage.
    :param encode: encodes a record as bytes.
    :param decode: the inverse of ``encode``, for records that the vendor refuses.
    :param separator: what separates the encoded records: a line break for JSON Lines.
    :param is_csv: records are sent as rows of a CSV file, with a column for each field that occurs in any record.
    :param gzipped: the request body is gzipped in a file on disk. Others are held in memory up to ``MAX_BYTES``; larger
        ones are on disk as well, and ``Payload.open`` streams them.
    :param idempotent: whether the whole submit may be repeated, also after its response was lost. It is the default for
        each of its requests but GET, which ``Request.idempotent`` overrides: ``True`` if the request may be repeated
        with the progress saved so far, such as creating an empty container, or closing a job that is already closed.
    :param supports_append: whether further requests can be appended to the job of the first one. If its status has the
        number of all items appended so far (``total``), that proves whether a request of unknown outcome was executed.
    """

    name: str
    submit: Callable[[SubmitContext], SubmitFlow]
    max_items: int
    max_bytes: int = MAX_BYTES
    max_item_bytes: int = 0
    check: Check = lambda _record: None
    header_names: tuple[str, ...] = ()
    check_by_options: Callable[[Options], Check] | None = None
    formats: Callable[[Options], ValueFormats] = lambda _options: ISO_8601
    custom_fields: CustomFields | None = None
    options: tuple[Option, ...] = ()
    per_record_options: tuple[str, ...] = ()
    columns_option: str | None = None
    blanks_option: str | None = None
    replaces_records: str | None = None
    upload_folder: str | None = None
    encode: Callable[[Record], bytes] = encode_json
    decode: Callable[[bytes], Record] = json.loads
    separator: bytes = b","
    is_csv: bool = False
    gzipped: bool = False
    idempotent: bool = False
    supports_append: bool = False
    withdraw: Callable[[Account, Mapping[str, str | int]], Flow[None]] | None = None
    find: Callable[[Account, str], Flow[str | None]] | None = None

    def check_for(self, options: Options) -> Check:
        """Return the record check for these options.

        :raises BadArgumentError: the options contradict the operation.
        """
        return every(self.check, self.check_by_options(options)) if self.check_by_options else self.check


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """A check whose result is often certain for many records at once, which takes a fraction of the time.

    :param check: returns the problem of one record.
    :param is_met: returns whether certainly none of the records with these fields has a problem.
    """

    check: Check
    is_met: Callable[[Fields], bool]

    def __call__(self, record: Record) -> str | None:
        """Return the problem of a record, or ``None``."""
        return self.check(record)


class _Every:
    def __init__(self, checks: tuple[Check, ...]) -> None:
        self.checks = checks

    def __call__(self, record: Record) -> str | None:
        for check in self.checks:
            if (problem := check(record)) is not None:
                return problem
        return None


def every(*checks: Check) -> Check:
    """Combine checks: return the first problem that any of them finds."""
    return _Every(checks)


def undecided(check: Check, fields: Fields) -> list[Check]:
    """Return the parts of a check that have to be applied to each record with these fields."""
    if isinstance(check, _Every):
        return [part for each in check.checks for part in undecided(each, fields)]
    return [] if isinstance(check, FieldCheck) and check.is_met(fields) else [check]
