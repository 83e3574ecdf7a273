# SPDX-License-Identifier: Apache-2.0
"""Publish a complete file atomically on any file system: local, object store, or any other that fsspec supports."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import stat
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_bulkjobs.submitting.paths import protocols

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

# Object stores, where a file is visible only after it is complete. fsspec writes to all others in place.
ATOMIC_PROTOCOLS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci"}
PREFIX, SUFFIX = ".bulkjobs-", ".tmp"  # of the hidden file next to the target
STALE = 24 * 3600.0  # age in seconds of a file that a killed process has left

log = logging.getLogger(__name__)


def check_target(path: ObjectStoragePath) -> None:
    """Check that a local path can be replaced by a file.

    :raises OSError: it is a directory, device, pipe or socket.
    """
    if _is_local(path):
        _local_target(path)


def publish(source: IO[bytes], path: ObjectStoragePath) -> None:
    """Copy an open file from its start to a path: the complete file, or nothing.

    :raises Exception: any exception of the file system.
    """
    if _is_local(path):
        _publish_locally(source, _local_target(path))
    elif ATOMIC_PROTOCOLS.isdisjoint(protocols(path.fs)):
        _publish_by_renaming(source, path.fs, path.path)
    else:
        path.fs.put_file(_name(source), path.path)


def _is_local(path: ObjectStoragePath) -> bool:
    return "file" in protocols(path.fs)  # the protocol of the file system; the one of the path may differ


def _local_target(path: ObjectStoragePath) -> Path:
    """Return the file that a path resolves to: the target of a symbolic link is replaced, not the link.

    :raises OSError: it is a directory, device, pipe or socket.
    """
    target = Path(os.path.realpath(os.path.expanduser(path.path)))  # noqa: PTH111  (as fsspec reads it)
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return target
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a file, but a device, a pipe or a socket")
    return target


def _publish_locally(source: IO[bytes], target: Path) -> None:
    """Publish a local file by an atomic rename.

    The file is written to the target's directory, since a rename works only within a file system. If the system
    supports anonymous files, it gets a hidden name only just before the rename.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale_files(target.parent)
    hidden = target.with_name(_hidden_name())
    try:
        file_descriptor, is_anonymous = _open_private(hidden)
        with open(file_descriptor, "wb") as file:  # noqa: PTH123
            shutil.copyfileobj(source, file)
            file.flush()
            _keep_permissions(file_descriptor, target)
            os.fsync(file_descriptor)
            if is_anonymous:
                _link(file_descriptor, hidden)
        os.replace(hidden, target)  # noqa: PTH105
    finally:
        hidden.unlink(missing_ok=True)


def _open_private(path: Path) -> tuple[int, bool]:
    """Create a file that only its owner can read; return its descriptor, and whether it is anonymous."""
    if hasattr(os, "O_TMPFILE") and Path("/proc/self/fd").is_dir():
        with suppress(OSError):  # not every file system supports anonymous files
            return os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o600), True
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), False


def _link(file_descriptor: int, path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # Python follows the symbolic link in /proc only if a directory descriptor is passed.
        os.link(f"/proc/self/fd/{file_descriptor}", path.name, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _keep_permissions(file_descriptor: int, target: Path) -> None:
    """Copy the owner and mode of the replaced file, if there is one. The permissions never become wider."""
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
            mode &= ~stat.S_IRWXG  # the group could not be kept
    os.fchmod(file_descriptor, mode)


def _remove_stale_files(folder: Path) -> None:
    """Remove hidden files that killed processes have left; they may contain personal data."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX):
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < time.time() - STALE:
                        Path(entry.path).unlink()


def _publish_by_renaming(source: IO[bytes], fs: Any, path: str) -> None:
    """Write a file under a hidden name, then rename it."""
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
        _remove(fs, hidden)
        raise


def _remove(fs: Any, hidden: str) -> None:
    """Delete the hidden file after an error, if it is there."""
    try:
        _delete(fs, hidden)
    except FileNotFoundError:
        pass
    except Exception as error:  # noqa: BLE001  (the exceptions depend on the file system)
        reason = type(error).__name__  # its message may contain a signed URL
        log.warning("%s could not be deleted (%s). It may have data of people: delete it.", hidden, reason)


def _delete(fs: Any, path: str) -> None:
    try:
        fs.rm_file(path)
    except NotImplementedError:  # some file systems have only this
        fs.rm(path)


def _replace(fs: Any, new: str, path: str) -> None:
    try:
        fs.mv(new, path)
    except Exception:
        if not _exists(fs, path):
            raise
    if not _exists(fs, new):
        return
    # Many file systems cannot rename onto an existing file. WebHDFS does not even raise an error.
    old = f"{new.removesuffix(SUFFIX)}-old{SUFFIX}"
    fs.mv(path, old)
    try:
        fs.mv(new, path)
        fs.info(path)
    except BaseException:
        with suppress(Exception):
            fs.mv(old, path)
        raise
    _delete(fs, old)


def _exists(fs: Any, path: str) -> bool:
    fs.invalidate_cache()
    return bool(fs.exists(path))


def _hidden_name() -> str:
    return f"{PREFIX}{uuid.uuid4().hex}{SUFFIX}"


def _name(file: IO[bytes]) -> str:
    """Return a path under which an anonymous file can be opened while this process has it open."""
    return f"/dev/fd/{file.fileno()}"
