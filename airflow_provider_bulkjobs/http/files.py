# SPDX-License-Identifier: Apache-2.0
"""Files on signed addresses, which belong to somebody else: they get no credentials, and their size is watched."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast
from urllib.parse import urlsplit

import requests
import urllib3

from airflow_provider_bulkjobs.errors import (
    TransientError,
    UnsafeAnswerError,
    VendorAnswerError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.http.answers import CONNECT_TIMEOUT, TOTAL_TIMEOUT
from airflow_provider_bulkjobs.http.environment import heed_environment
from airflow_provider_bulkjobs.vendors.account import Account
from airflow_provider_bulkjobs.vendors.base import Response, Vendor
from airflow_provider_bulkjobs.vendors.operation import Upload

TIMEOUTS = (CONNECT_TIMEOUT, TOTAL_TIMEOUT)  # seconds, the second one for each piece that is read
PIECE = 256 * 1024
GZIP = b"\x1f\x8b"


def send_file(upload: Upload, vendor: Vendor, account: Account) -> Response:
    """Put a file where the vendor says.

    :raises TransientError: try again.
    :raises VendorAnswerError: the storage refused it.
    :raises UnsafeAnswerError: the address cannot be meant.
    """
    where = _host(upload.url, vendor, account)
    try:
        with _stranger(upload.url) as session, upload.open() as file:
            # A file without a length would be sent in pieces, which such storages do not take.
            answer = session.put(
                upload.url,
                data=file,
                headers=dict(upload.headers),
                timeout=TIMEOUTS,
                allow_redirects=False,
                stream=True,  # what it has to say, at whatever length, is not read
            )
            answer.close()
    except requests.RequestException as error:
        raise TransientError(f"the upload to {where} broke off ({type(error).__name__})") from None
    _check_passing(answer, where, "upload")
    if not 200 <= answer.status_code < 300:
        raise VendorAnswerError(f"{where} refused the upload with {answer.status_code}: the job has got no file")
    return Response(answer.status_code, answer.headers, b"")


@contextmanager
def open_file(url: str, vendor: Vendor, account: Account, most_bytes: int) -> Iterator[BinaryIO]:
    """Open a file elsewhere to be read piece by piece, unpacked if it is gzipped.

    :param most_bytes: how large it may be, unpacked.
    :raises UnsafeAnswerError: it is larger, or the address cannot be meant.
    :raises TransientError: it cannot be had just now.
    :raises VendorAnswerError: it cannot be had.
    """
    where = _host(url, vendor, account)
    with _stranger(url) as session, told(where):
        answer = session.get(url, timeout=TIMEOUTS, allow_redirects=False, stream=True)
        with answer, opened(answer, where, most_bytes) as file:
            yield file


@contextmanager
def opened(answer: requests.Response, where: str, most_bytes: int) -> Iterator[BinaryIO]:
    """Open the body of an answer; see :func:`open_file`."""
    _check_passing(answer, where, "download")
    if answer.status_code != 200:
        raise VendorAnswerError(f"{where} refused the download with {answer.status_code}; the file may have expired")
    answer.raw.decode_content = True
    with told(where):
        packed = io.BufferedReader(_Watched(answer.raw, most_bytes, where), PIECE)
        if packed.peek(2)[:2] != GZIP:
            yield cast("BinaryIO", packed)
            return
        unpacked = gzip.GzipFile(fileobj=packed)
        yield cast("BinaryIO", io.BufferedReader(_Watched(unpacked, most_bytes, where), PIECE))


class _Watched(io.RawIOBase):
    """A file that ends in an error when it gets too large."""

    def __init__(self, file: io.BufferedIOBase | urllib3.HTTPResponse, most_bytes: int, where: str) -> None:
        self._file = file
        self._left = most_bytes
        self._where = where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._file.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise UnsafeAnswerError(f"the file from {self._where} is larger than max_bytes; it was not read to its end")
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def told(where: str) -> Iterator[None]:
    """Turn what goes wrong in reading into what it means."""
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise VendorUnavailableError(f"the download from {where} broke off ({type(error).__name__})") from None


def _check_passing(answer: requests.Response, where: str, what: str) -> None:
    """Let an answer pass that would be the same if asked for again."""
    if answer.status_code in {408, 429} or answer.status_code >= 500:
        raise TransientError(f"{where} answered the {what} with {answer.status_code}")


def _stranger(url: str) -> requests.Session:
    session = requests.Session()
    session.headers.clear()
    heed_environment(session, url)
    return session


def _host(url: str, vendor: Vendor, account: Account) -> str:
    """Return the host of an address, for messages: the rest of it is as good as a key."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    secure = parts.scheme == "https" or (parts.scheme == "http" and vendor.base_url(account).startswith("http:"))
    if not host or not secure:
        raise UnsafeAnswerError(f"{vendor.label} named an address for a file that is not a proper https address")
    return host
