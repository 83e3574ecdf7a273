# SPDX-License-Identifier: Apache-2.0
"""JSON Lines files with personal data, written to any storage that Airflow's ObjectStoragePath supports.

Rows are written to an anonymous temporary file, which the system deletes when the process ends. The file is published
under its name only when it is complete. A new local file is readable by its owner only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Self

from airflow_provider_bulkjobs.exceptions import OutputWriteError
from airflow_provider_bulkjobs.results.publishing import check_target, publish
from airflow_provider_bulkjobs.submitting.records import Row, object_path, safe_repr
from airflow_provider_bulkjobs.temporary_files import os_reason, temporary_file, temporary_file_error


class JsonLinesFile:
    """A context manager for a file that is published only if the block succeeds.

    :param path: path or URI of the file; missing folders are created.
    :raises BadArgumentError: the value is not a path, or no filesystem is installed for it.
    """

    def __init__(self, path: Any) -> None:
        self._path = object_path(path, "path")
        self._file: IO[bytes]
        self.rows = 0
        self.bytes = 0

    def __enter__(self) -> Self:
        with self._publish_errors():
            check_target(self._path)  # before any request
        self._file = temporary_file()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            with suppress(OSError):  # the disk is full; this error was already raised
                self._file.close()

    def __str__(self) -> str:
        return str(self._path)

    def write(self, row: dict[str, Any]) -> None:
        """Write one row."""
        line = _encode(row) + b"\n"
        try:
            self._file.write(line)
        except OSError as error:
            raise self._temporary_file_error(error) from error
        self.rows += 1
        self.bytes += len(line)

    def _publish(self) -> None:
        try:
            self._file.seek(0)  # also flushes
        except OSError as error:
            raise self._temporary_file_error(error) from error
        with self._publish_errors():
            publish(self._file, self._path)

    def _temporary_file_error(self, error: OSError) -> OutputWriteError:
        return temporary_file_error(error, f"path={safe_repr(self._path)} cannot be written: ")

    @contextmanager
    def _publish_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  (the exceptions depend on the file system)
            # Not "from error": its message may contain a signed URL.
            raise OutputWriteError(f"path={safe_repr(self._path)} cannot be written: {os_reason(error)}") from None


def _encode(row: dict[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):  # a rejected record may contain values that JSON cannot hold
        try:
            return json.dumps(json.loads(json.dumps(row, default=str), parse_constant=str)).encode()
        except (TypeError, ValueError, RecursionError):
            return json.dumps({**row, "item": "nested too deeply to be written"}).encode()


def rejected(row: Row) -> dict[str, Any]:
    """Return the row for a rejected record, in the format of an item result."""
    found = {"job_id": None, "status": "rejected", "error": row.problem, "item": dict(row.record), "line": row.line}
    return {**found, "file": row.origin.name} if row.origin.name else found
