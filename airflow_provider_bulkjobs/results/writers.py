# SPDX-License-Identifier: Apache-2.0
"""JSON Lines with data of people, written to any place that Airflow's ObjectStoragePath can reach.

Rows are collected in an anonymous temporary file, which ends with the process, however that ends. The file appears
under its name only when it is complete; a local file is readable by its owner only, unless it was there before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Self

from airflow_provider_bulkjobs.exceptions import OutputWriteError
from airflow_provider_bulkjobs.results.publishing import check_target, publish
from airflow_provider_bulkjobs.submitting.records import Row, object_path, shown
from airflow_provider_bulkjobs.temporary_files import os_reason, temporary_file, temporary_file_error


class JsonLinesFile:
    """A file that is there when the block ends well, and not at all otherwise.

    :param path: path or URI of the file; folders are made as needed.
    :raises BadArgumentError: it is no path, or no filesystem is installed for it.
    """

    def __init__(self, path: Any) -> None:
        self._path = object_path(path, "path")
        self._file: IO[bytes]
        self.rows = 0
        self.bytes = 0

    def __enter__(self) -> Self:
        with self._publish_errors():
            check_target(self._path)  # before anything is fetched in vain
        self._file = temporary_file()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            with suppress(OSError):  # it is full, which was reported
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
            self._file.seek(0)  # flushes, too
        except OSError as error:
            raise self._temporary_file_error(error) from error
        with self._publish_errors():
            publish(self._file, self._path)

    def _temporary_file_error(self, error: OSError) -> OutputWriteError:
        return temporary_file_error(error, f"path={shown(self._path)} cannot be written: ")

    @contextmanager
    def _publish_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  (each file system has errors of its own)
            # Not "from error": its message may hold a signed URL.
            raise OutputWriteError(f"path={shown(self._path)} cannot be written: {os_reason(error)}") from None


def _encode(row: dict[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):  # what was left out may have been so for what it holds
        try:
            return json.dumps(json.loads(json.dumps(row, default=str), parse_constant=str)).encode()
        except (TypeError, ValueError, RecursionError):
            return json.dumps({**row, "item": "nested too deeply to be written"}).encode()


def rejected(row: Row) -> dict[str, Any]:
    """Return what is written of a record that was left out, in the form of an item's outcome."""
    return {"job_id": None, "status": "rejected", "error": row.problem, "item": dict(row.record), "line": row.line}
