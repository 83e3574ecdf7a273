# SPDX-License-Identifier: Apache-2.0
"""A vendor's archive of results files, read with bounded memory and disk space for any content."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import IO, BinaryIO, cast

from airflow_provider_bulkjobs.exceptions import BulkJobError, UntrustedResponseError, VendorAPIError
from airflow_provider_bulkjobs.http.signed_urls import FileUnavailableError
from airflow_provider_bulkjobs.results.result_files import ResultFile
from airflow_provider_bulkjobs.temporary_files import temporary_file
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult

CHUNK = 256 * 1024
MAX_MEMBERS = 10_000
MAX_DIRECTORY = 4 * 1024 * 1024  # bytes of the directory of a zip archive, which is read at once
MAX_HEADER = CHUNK  # bytes of a header in a tar archive: the library keeps hundreds of them
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # the others are decompressed without a limit


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
        is_zip = download.archive == "zip"
        self._open = _zip_members if is_zip else _tar_members
        try:
            is_archive = zipfile.is_zipfile(_zip_file(file)) if is_zip else _is_tar(file)
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
        members = self._open(self._file, self._download.members)
        while True:
            with _translate_errors():
                member = next(members, None)
            if member is None:
                return
            with member:
                yield member

    def _unpack(self, member: IO[bytes]) -> IO[bytes]:
        """Copy a file to a temporary one, so that a damaged one fails before any of its rows has been read."""
        copy = temporary_file()
        try:
            while data := self._read(member):
                copy.write(data)
            copy.seek(0)
        except BaseException:
            copy.close()
            raise
        return copy

    def _read(self, member: IO[bytes]) -> bytes:
        with _translate_errors():
            data = member.read(CHUNK)
        self._count(len(data))
        return data

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise UntrustedResponseError(
                "the files in the vendor's archive are larger than max_bytes; they were not read completely"
            )


def _zip_members(file: IO[bytes], pattern: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(_zip_file(file)) as archive:
        _check_number(len(archive.infolist()))
        for info in archive.infolist():
            if info.filename.endswith("/") or not fnmatchcase(info.filename, pattern):
                continue
            if info.compress_type not in METHODS:
                raise VendorAPIError("a file in the vendor's archive has a compression that is not supported")
            yield archive.open(info)


def _tar_members(file: IO[bytes], pattern: str) -> Iterator[IO[bytes]]:
    number = 0
    with _open_tar(file) as archive:
        while (info := archive.next()) is not None:
            number += 1
            _check_number(number)
            # The library would keep the headers of all members.
            archive.members.clear()  # type: ignore[attr-defined]
            archive.pax_headers = {}
            if info.isreg() and fnmatchcase(info.name, pattern) and (member := archive.extractfile(info)):
                yield member
        file.seek(archive.offset)
        if any(file.read(tarfile.BLOCKSIZE)):  # the library takes any other header than the first for the end
            raise VendorAPIError("the vendor's archive has a damaged header, so files may be missing")


def _check_number(members: int) -> None:
    if members > MAX_MEMBERS:
        raise UntrustedResponseError(f"the vendor's archive has more than {MAX_MEMBERS} members")


def _zip_file(file: IO[bytes]) -> BinaryIO:
    return cast("BinaryIO", _BoundedReads(file, MAX_DIRECTORY))


def _open_tar(file: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast("BinaryIO", _BoundedReads(file, MAX_HEADER)), mode="r:")


def _is_tar(file: IO[bytes]) -> bool:
    try:
        with _open_tar(file):
            return True
    except BulkJobError:
        raise
    except Exception:  # noqa: BLE001  (as below)
        return False


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate the libraries' exceptions: a damaged header may raise any, such as ``IndexError``."""
    try:
        yield
    except BulkJobError:
        raise
    except Exception as error:  # noqa: BLE001
        raise VendorAPIError(f"the vendor's archive cannot be unpacked ({type(error).__name__})") from None


class _BoundedReads(io.RawIOBase):
    """A file of which the libraries for archives read little at once, whatever its headers say.

    :param max_read: the maximum number of bytes.
    """

    def __init__(self, file: IO[bytes], max_read: int) -> None:
        self._file = file
        self._max_read = max_read

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
            data = self._file.read(self._max_read + 1)
            if len(data) <= self._max_read:
                return data
        elif size <= self._max_read:
            return self._file.read(size)
        raise UntrustedResponseError(
            f"the vendor's archive has a header of more than {self._max_read} bytes; it was not read"
        )

    def close(self) -> None:
        """Leave the file open: it belongs to the caller."""
