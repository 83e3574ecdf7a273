# SPDX-License-Identifier: Apache-2.0
"""Files of rows with personal data, written to any storage that Airflow's ObjectStoragePath supports.

Rows are collected as JSON Lines in an anonymous temporary file, which the system deletes when the process ends. The
file is published under its name only when it is complete. A new local file is readable by its owner only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Self

from airflow_provider_bulkjobs.exceptions import BadArgumentError, OutputWriteError
from airflow_provider_bulkjobs.results.formats import Columns, format_of
from airflow_provider_bulkjobs.results.publishing import check_target, publish
from airflow_provider_bulkjobs.submitting.records import Row, object_path, safe_repr
from airflow_provider_bulkjobs.temporary_files import os_reason, temporary_file
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult
from airflow_provider_bulkjobs.vendors.toolkit.values import safe_name

RESULT_COLUMNS = ("job_id", "status", "error", "item")
REJECTED_COLUMNS = (*RESULT_COLUMNS, "line")


class RowsFile:
    """A context manager for a file that is published only if the block succeeds.

    :param path: path or URI of the file; missing folders are created. Its ending selects the format (see
        :func:`~.formats.format_of`). In a table, lists and objects are JSON.
    :param columns: the first columns of a table, also if there is no row.
    :param for_submit: the rows are records for a submit, so a table must not have JSON instead of lists and objects.
    :raises BadArgumentError: the value is not a path, or a package for its filesystem or its format is not installed.
    """

    def __init__(self, path: Any, columns: Iterable[str] = (), *, for_submit: bool = False) -> None:
        self._path = object_path(path, "path")
        if str(path).endswith("/"):
            raise BadArgumentError(f"path={safe_repr(path)} is a folder. Add the name of the file.")
        self._format = format_of(str(path))
        self._columns = Columns({name: set() for name in columns})
        self._for_submit = for_submit
        self._lines: IO[bytes]
        self._published: int | None = None  # number of rows
        self.rows = 0
        self.bytes = 0

    def __enter__(self) -> Self:
        with self._publish_errors():
            check_target(self._path)  # before any request
        self._lines = temporary_file()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._published != self.rows:
                self.publish()
        finally:
            self._lines.close()

    def __str__(self) -> str:
        return str(self._path)

    @property
    def is_outdated(self) -> bool:
        """Whether the file has been published, and rows were written since."""
        return self._published is not None and self._published != self.rows

    def write(self, row: Mapping[str, Any]) -> None:
        """Write one row.

        :raises BadArgumentError: the row is a record that the format cannot hold.
        """
        if self._format.is_table:
            if self._for_submit:
                self._check_flat(row)
            self._columns.add(row)
        with self._temporary_file_errors():
            self._lines.write(_encode(row) + b"\n")
        self.rows += 1

    def publish(self) -> None:
        """Write the file under its name, with all rows so far; a file that is there is replaced.

        :raises OutputWriteError: the file cannot be written.
        """
        with self._temporary_file_errors():
            self._lines.seek(0)  # also flushes
        if self._format.name == "jsonl" and self._format.compress is None:
            self._publish(self._lines)
        else:
            with temporary_file() as file:
                with self._temporary_file_errors():
                    self._format.write(self._lines, self._columns, file)
                    file.flush()
                self._publish(file)
        self._published = self.rows

    def _publish(self, file: IO[bytes]) -> None:
        with self._temporary_file_errors():
            self.bytes = file.seek(0, 2)
            file.seek(0)
        with self._publish_errors():
            publish(file, self._path)
        file.seek(0, 2)

    def _check_flat(self, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            if isinstance(value, list | dict):
                kind = "a list" if isinstance(value, list) else "an object"
                raise BadArgumentError(
                    f"path={safe_repr(self._path)}: a record has {kind} in field {safe_name(name)}, which a table "
                    "cannot hold. Write JSON Lines (.jsonl)."
                )

    @contextmanager
    def _temporary_file_errors(self) -> Iterator[None]:
        try:
            yield
        except OutputWriteError as error:
            raise error.reworded(f"path={safe_repr(self._path)} cannot be written: {error}") from error

    @contextmanager
    def _publish_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  (the exceptions depend on the file system)
            # Not "from error": its message may contain a signed URL.
            raise OutputWriteError(f"path={safe_repr(self._path)} cannot be written: {os_reason(error)}") from None


def _encode(row: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):  # a rejected record may contain values that JSON cannot hold
        try:
            if isinstance(item := row.get("item"), dict):  # its names may be of any type
                row = {**row, "item": {str(name): value for name, value in item.items()}}
            return json.dumps(json.loads(json.dumps(row, default=str), parse_constant=str)).encode()
        except (TypeError, ValueError, RecursionError):
            return json.dumps({**row, "item": "nested too deeply to be written"}).encode()


def result_row(job_id: str, result: ItemResult) -> dict[str, Any]:
    """Return the row for an item result."""
    return dict(zip(RESULT_COLUMNS, (job_id, result.status, result.error, result.item), strict=True))


def rejected_row(row: Row) -> dict[str, Any]:
    """Return the row for a rejected record, in the format of an item result."""
    found = {"job_id": None, "status": "rejected", "error": row.problem, "item": dict(row.record), "line": row.line}
    return {**found, "file": row.origin.name} if row.origin.name else found
