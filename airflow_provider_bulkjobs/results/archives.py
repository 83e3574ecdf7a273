# SPDX-License-Identifier: Apache-2.0
"""A vendor's archive of results files, read with bounded memory and disk space for any content."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import IO, BinaryIO, cast

from airflow_provider_bulkjobs.exceptions import UntrustedResponseError, VendorAPIError
from airflow_provider_bulkjobs.http.signed_urls import FileUnavailableError
from airflow_provider_bulkjobs.results.result_files import ResultFile
from airflow_provider_bulkjobs.temporary_files import temporary_file, temporary_file_error
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult

CHUNK = 256 * 1024
MAX_MEMBERS = 10_000
MAX_READ = 4 * 1024 * 1024  # bytes that the libraries may read at once: headers, and the directory of a zip archive
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # the others are decompressed without a limit
UNREADABLE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class ArchivedFiles:
    """The item results in the files of an archive. The archive is closed after iteration.

    Names of members are only compared with the pattern; links and folders are ignored.

    :param file: the whole archive, at its start. A ``tar.gz`` is decompressed already.
    :param max_bytes: the maximum size of all files together, unpacked.
    :param warn: logs a warning.
    :raises FileUnavailableError: it is not an archive, but for example a sign-in page.
    """

    def __init__(self, file: IO[bytes], download: Download, max_bytes: int, warn: Callable[..., None]) -> None:
        self._file = file
        self._download = download
        self._left = max_bytes
        self._warn = warn
        self._open = _zip_members if download.archive == "zip" else _tar_members
        try:
            is_archive = (zipfile.is_zipfile if download.archive == "zip" else _is_tar)(_bounded(file))
        except BaseException:
            file.close()
            raise
        if not is_archive:
            file.close()
            raise FileUnavailableError(
                f"the vendor's file is no complete {download.archive} archive. It may have expired or require a login."
            )

    def __iter__(self) -> Iterator[ItemResult]:
        with self._file:
            number = 0
            for member in self._members():
                number += 1
                yield from ResultFile(self._unpack(member), self._download, self._warn)
            if not number:
                raise VendorAPIError(f"the vendor's archive has no file {self._download.members!r}")

    def _members(self) -> Iterator[IO[bytes]]:
        self._file.seek(0)
        members = self._open(_bounded(self._file), self._download.members)
        while True:
            try:
                member = next(members, None)
            except UNREADABLE as error:
                raise _unreadable(error) from None
            if member is None:
                return
            with member:
                yield member

    def _unpack(self, member: IO[bytes]) -> IO[bytes]:
        """Copy a file to a temporary one, so that a damaged one fails before any of its rows has been read."""
        copy = temporary_file()
        try:
            while data := member.read(CHUNK):
                self._count(len(data))
                copy.write(data)
            copy.seek(0)
        except UNREADABLE as error:
            copy.close()
            raise _unreadable(error) from None
        except OSError as error:
            copy.close()
            raise temporary_file_error(error) from error
        except BaseException:
            copy.close()
            raise
        return copy

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise UntrustedResponseError(
                "the files in the vendor's archive are larger than max_bytes; they were not read completely"
            )


def _zip_members(file: BinaryIO, pattern: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir() or not fnmatchcase(info.filename, pattern):
                continue
            if info.compress_type not in METHODS:
                raise VendorAPIError("a file in the vendor's archive has a compression that is not supported")
            yield archive.open(info)


def _tar_members(file: BinaryIO, pattern: str) -> Iterator[IO[bytes]]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for number, info in enumerate(archive):
            if number >= MAX_MEMBERS:
                raise UntrustedResponseError(f"the vendor's archive has more than {MAX_MEMBERS} members")
            if info.isreg() and fnmatchcase(info.name, pattern) and (member := archive.extractfile(info)):
                yield member


def _bounded(file: IO[bytes]) -> BinaryIO:
    return cast("BinaryIO", _BoundedReads(file))


def _is_tar(file: BinaryIO) -> bool:
    try:
        with tarfile.open(fileobj=file, mode="r:"):
            return True
    except (tarfile.TarError, EOFError, ValueError):
        return False


def _unreadable(error: BaseException) -> VendorAPIError:
    return VendorAPIError(f"the vendor's archive cannot be unpacked ({type(error).__name__})")


class _BoundedReads(io.RawIOBase):
    """A file of which the libraries for archives read little at once, whatever its headers say."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            data = self._file.read(MAX_READ + 1)
            if len(data) <= MAX_READ:
                return data
        elif size <= MAX_READ:
            return self._file.read(size)
        raise UntrustedResponseError(
            f"the vendor's archive has a header of more than {MAX_READ} bytes; it was not read"
        )

    def close(self) -> None:
        """Leave the file open: it belongs to the caller."""
