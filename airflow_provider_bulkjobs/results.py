# SPDX-License-Identifier: Apache-2.0
"""How the single items of a job fared, one by one, however many there are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, BinaryIO

from airflow_provider_bulkjobs.errors import BadArgumentError, TransientError, VendorAnswerError, VendorUnavailableError
from airflow_provider_bulkjobs.vendors.outcome import Download, Outcome

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook
    from airflow_provider_bulkjobs.vendors.base import JobKind

LONGEST_LINE = 16 * 1024 * 1024  # bytes of a row in a file of JSON Lines


def outcomes(hook: BulkJobHook, kind: JobKind, job_id: str, most_bytes: int) -> Iterator[Outcome]:
    """Ask the vendor, and yield each item's outcome.

    :param most_bytes: how large a file may be, unpacked.
    :raises NotFinishedError: the job is not over yet.
    :raises BadArgumentError: the vendor tells nothing about single items of this kind of job.
    :raises BulkJobError: anything else; what was yielded so far is not all.
    """
    from airflow_provider_bulkjobs.http.patience import Patience

    if kind.results is None:
        raise BadArgumentError(f"{hook.vendor.label} tells nothing about the items of a {kind.noun} ({kind.name!r})")
    patience = Patience(report=hook.log.warning)
    conversation = kind.results(hook.account, job_id)
    try:
        step = next(conversation)
        while True:
            if isinstance(step, list):
                yield from step
                step = next(conversation)
            elif isinstance(step, Download):
                yield from _rows(hook, step, most_bytes)
                step = next(conversation)
            else:
                step = hook.driver.step(conversation, step, patience)
    except StopIteration:
        return
    except TransientError as error:
        raise VendorUnavailableError(str(error), retry_after=error.retry_after) from error


def _rows(hook: BulkJobHook, download: Download, most_bytes: int) -> Iterator[Outcome]:
    read = _read_csv if download.format == "csv" else _read_json_lines
    with _open(hook, download, most_bytes) as file:
        yield from read(file, download)


def _open(hook: BulkJobHook, download: Download, most_bytes: int) -> AbstractContextManager[BinaryIO]:
    from airflow_provider_bulkjobs.http.files import open_file

    if download.own:
        return hook.driver.open_file(download.url, download.headers, most_bytes)
    return open_file(download.url, hook.vendor, hook.account, most_bytes)


def _read_csv(file: BinaryIO, download: Download) -> Iterator[Outcome]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    rows = csv.reader(text)
    try:
        names = next(rows, [])
        for cells in rows:
            if cells:
                yield _outcome(dict(zip(names, cells, strict=False)), download)
    except csv.Error as error:
        raise VendorAnswerError(f"the vendor's file is not CSV after line {rows.line_num}: {error}") from error
    finally:
        text.detach()  # whoever has opened the file closes it


def _read_json_lines(file: BinaryIO, download: Download) -> Iterator[Outcome]:
    while line := file.readline(LONGEST_LINE):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except (ValueError, RecursionError):
            item = None
        if not isinstance(item, dict):
            raise VendorAnswerError("the vendor's file is not made of JSON objects, one per line")
        yield _outcome(item, download)


def _outcome(item: dict[str, object], download: Download) -> Outcome:
    error = item.get(download.error_field) if download.error_field else None
    return Outcome(download.status, None if error is None else str(error), item)
