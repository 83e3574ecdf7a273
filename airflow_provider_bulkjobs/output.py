# SPDX-License-Identifier: Apache-2.0
"""JSON Lines with data of people, written to any place that Airflow's ObjectStoragePath can reach.

Rows are collected in an anonymous temporary file, which ends with the process, however that ends. The file appears
under its name only when it is complete; a local file is readable by its owner only, unless it was there before.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from airflow_provider_bulkjobs.errors import BadArgumentError
from airflow_provider_bulkjobs.records import Row, object_path, shown
from airflow_provider_bulkjobs.redact import redact

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

# Object stores, which show a file only when all of it has arrived. Everything else is written in place by fsspec.
ATOMIC_PROTOCOLS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci"}
PREFIX, SUFFIX = ".bulkjobs-", ".tmp"  # of the hidden file beside a target
STALE = 24 * 3600.0  # seconds after which such a file was left by a killed process


def temporary_file() -> IO[bytes]:
    """Return a temporary file that has no name, so that a killed process leaves nothing behind.

    :raises BadArgumentError: there is no place for it.
    """
    try:
        return tempfile.TemporaryFile(prefix="bulkjobs-")
    except OSError as error:
        raise temporary_file_error(error) from error


def temporary_file_error(error: OSError, before: str = "") -> BadArgumentError:
    """Return the error for a temporary file that cannot be written.

    :param before: the beginning of the message: what could not be done because of it.
    """
    where = f"in {tempfile.tempdir}" if tempfile.tempdir else "anywhere"
    return BadArgumentError(
        f"{before}no temporary file can be written {where}: {_reason(error)}. Set TMPDIR to a folder with enough room."
    )


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
        if _is_local(self._path):
            with self._publish_errors():
                _local_target(self._path)  # before anything is fetched in vain
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
            if _is_local(self._path):
                _publish_locally(self._file, _local_target(self._path))
            elif ATOMIC_PROTOCOLS.isdisjoint(_protocols(self._path.fs)):
                _publish_by_renaming(self._file, self._path.fs, self._path.path)
            else:
                self._path.fs.put_file(_name(self._file), self._path.path)

    def _temporary_file_error(self, error: OSError) -> BadArgumentError:
        return temporary_file_error(error, f"path={shown(self._path)} cannot be written: ")

    @contextmanager
    def _publish_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  (each file system has errors of its own)
            # Not "from error": its message may hold a signed URL.
            raise BadArgumentError(f"path={shown(self._path)} cannot be written: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return ": ".join(filter(None, (type(error).__name__, redact(str(error)))))


def _is_local(path: ObjectStoragePath) -> bool:
    return "file" in _protocols(path.fs)  # of the file system itself: any protocol may be attached to it


def _local_target(path: ObjectStoragePath) -> Path:
    """Return the file that a path leads to: what a link points to is written, and the link stays.

    :raises OSError: there is something that no file can replace.
    """
    target = Path(os.path.realpath(path.path))
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return target
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a device, a pipe or a socket, and not a file")
    return target


def _publish_locally(source: IO[bytes], target: Path) -> None:
    """Put a file where it belongs, at once, with all its content.

    It is written beside its place, since it can be renamed only within a file system. Where the system can, it gets a
    name there only for the moment of the renaming.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale_files(target.parent)
    beside = target.with_name(_hidden_name())
    try:
        file_descriptor, is_anonymous = _open_private(beside)
        with open(file_descriptor, "wb") as file:  # noqa: PTH123
            shutil.copyfileobj(source, file)
            file.flush()
            _keep_permissions(file_descriptor, target)
            os.fsync(file_descriptor)
            if is_anonymous:
                _give_name(file_descriptor, beside)
        os.replace(beside, target)  # noqa: PTH105
    finally:
        beside.unlink(missing_ok=True)


def _open_private(path: Path) -> tuple[int, bool]:
    """Open a new file that only its owner can read; return its descriptor, and whether it is still without a name."""
    if hasattr(os, "O_TMPFILE") and Path("/proc/self/fd").is_dir():
        with suppress(OSError):  # not every file system has them
            return os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o600), True
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), False


def _give_name(file_descriptor: int, path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # Only with a folder's descriptor does Python follow the link that /proc has in place of the file.
        os.link(f"/proc/self/fd/{file_descriptor}", path.name, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _keep_permissions(file_descriptor: int, target: Path) -> None:
    """Give a file the permissions of the one that it is to replace, if there is one, or less."""
    try:
        old = target.stat()
    except FileNotFoundError:
        return
    mode = stat.S_IMODE(old.st_mode) & 0o777
    try:
        os.fchown(file_descriptor, old.st_uid, old.st_gid)
    except OSError:
        try:
            os.fchown(file_descriptor, -1, old.st_gid)
        except OSError:
            mode &= ~stat.S_IRWXG  # it was another group's
    os.fchmod(file_descriptor, mode)


def _remove_stale_files(folder: Path) -> None:
    """Remove what killed processes have left, which may hold data of people."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX):
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < time.time() - STALE:
                        Path(entry.path).unlink()


def _publish_by_renaming(source: IO[bytes], fs: Any, path: str) -> None:
    """Put a file on a file system that is written in place: under a hidden name first."""
    if fs.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    folder, slash, _ = path.rpartition("/")
    hidden = f"{folder}{slash}{_hidden_name()}"
    try:
        if folder.strip("/"):
            fs.makedirs(folder, exist_ok=True)
        fs.put_file(_name(source), hidden)
        _replace(fs, hidden, path)
    except BaseException:
        with suppress(Exception):
            fs.rm_file(hidden)
        raise


def _replace(fs: Any, new: str, path: str) -> None:
    try:
        fs.mv(new, path)
    except Exception:
        if not _exists(fs, path):
            raise
    if not _exists(fs, new):
        return
    # Many file systems do not replace a file; WebHDFS does not even raise an error then.
    old = f"{new.removesuffix(SUFFIX)}-old{SUFFIX}"
    fs.mv(path, old)
    try:
        fs.mv(new, path)
        fs.info(path)
    except BaseException:
        with suppress(Exception):
            fs.mv(old, path)
        raise
    fs.rm_file(old)


def _exists(fs: Any, path: str) -> bool:
    fs.invalidate_cache()
    return bool(fs.exists(path))


def _protocols(fs: Any) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def _hidden_name() -> str:
    return f"{PREFIX}{uuid.uuid4().hex}{SUFFIX}"


def _name(file: IO[bytes]) -> str:
    """Return a path under which an anonymous file can be opened while this process has it open."""
    return f"/dev/fd/{file.fileno()}"


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
