# SPDX-License-Identifier: Apache-2.0
"""JSON Lines written to any place Airflow's ObjectStoragePath knows, under their name only when they are complete."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from airflow_provider_bulkjobs.errors import BadArgumentError
from airflow_provider_bulkjobs.records import Row, object_path, shown

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

LOCAL = {"", "file", "local"}


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
        self._file = tempfile.NamedTemporaryFile(prefix="bulkjobs-")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if kind is None:
                self._file.flush()
                try:
                    _publish(self._file.name, self._path)
                except OSError as error:
                    raise BadArgumentError(f"path={shown(self._path)} cannot be written: {error.strerror}") from error

    def __str__(self) -> str:
        return str(self._path)

    def write(self, row: dict[str, Any]) -> None:
        """Write one row."""
        line = _encode(row) + b"\n"
        self._file.write(line)
        self.rows += 1
        self.bytes += len(line)


def _publish(source: str, path: ObjectStoragePath) -> None:
    if path.protocol in LOCAL:
        target = Path(path.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Across filesystems a file can only be copied, so it is copied beside its place and then put there at once.
        beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            shutil.copyfile(source, beside)
            os.replace(beside, target)  # noqa: PTH105
        finally:
            beside.unlink(missing_ok=True)
    else:
        path.fs.put_file(source, path.path)  # object stores show a file only when all of it has arrived


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
