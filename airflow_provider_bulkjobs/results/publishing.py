# SPDX-License-Identifier: Apache-2.0
"""Put a complete file in its place, at once, on any file system: local, object store, or written in place by fsspec."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

# Object stores, which show a file only when all of it has arrived. Everything else is written in place by fsspec.
ATOMIC_PROTOCOLS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci"}
PREFIX, SUFFIX = ".bulkjobs-", ".tmp"  # of the hidden file beside a target
STALE = 24 * 3600.0  # seconds after which such a file was left by a killed process


def check_target(path: ObjectStoragePath) -> None:
    """Look at what is in the place of a local file.

    :raises OSError: there is something that no file can replace.
    """
    if _is_local(path):
        _local_target(path)


def publish(source: IO[bytes], path: ObjectStoragePath) -> None:
    """Copy an open file, from its beginning, to a path: complete, or not at all.

    :raises Exception: whatever the file system raises.
    """
    if _is_local(path):
        _publish_locally(source, _local_target(path))
    elif ATOMIC_PROTOCOLS.isdisjoint(_protocols(path.fs)):
        _publish_by_renaming(source, path.fs, path.path)
    else:
        path.fs.put_file(_name(source), path.path)


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
