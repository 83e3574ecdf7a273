# SPDX-License-Identifier: Apache-2.0
"""Files at signed addresses, which belong to somebody else: they get no credentials, and their size is bounded."""

from __future__ import annotations

import gzip
import io
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import IO, BinaryIO, cast
from urllib.parse import urlsplit

import requests
import urllib3

from airflow_provider_bulkjobs.exceptions import (
    BadConnectionError,
    BulkJobError,
    TransientError,
    UntrustedResponseError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.http.log_filter import hide_requests
from airflow_provider_bulkjobs.http.responses import CONNECT_TIMEOUT, TOTAL_TIMEOUT, parse_retry_after
from airflow_provider_bulkjobs.http.tls_and_proxy import apply_environment
from airflow_provider_bulkjobs.protocol.flow import Response, Upload
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.temporary_files import temporary_file, temporary_file_error
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

TIMEOUTS = (CONNECT_TIMEOUT, TOTAL_TIMEOUT)  # seconds, the second one for each piece that is read
DOWNLOAD_TIMEOUT = (
    3600.0  # seconds for a whole file, so that a server that sends a byte a minute does not hold a worker
)
PIECE = 256 * 1024
GZIP = b"\x1f\x8b"
GZIP_LAYERS = 2  # the file itself, and the file on its way
NOT_ENCODED = {"", "identity", "gzip", "x-gzip", "aws-chunked"}  # gzip is recognised by its first bytes
# What a storage answers where a signed address has expired, or was replaced: 400 is Google's, 403 Amazon's and Azure's.
EXPIRED = {400, 401, 403, 404, 410}
PAGES = ("text/html", "application/xhtml", "text/xml", "application/xml")


class FileUnavailableError(VendorAPIError):
    """The address does not lead to the file, or not any more; the vendor may give a new one."""


def send_file(upload: Upload, vendor: Vendor, account: Account) -> Response:
    """Put a file where the vendor says.

    :raises TransientError: try again.
    :raises VendorAPIError: the storage refused it.
    :raises UntrustedResponseError: the address cannot be meant.
    """
    where = _host(upload.url, vendor, account)
    try:
        with hide_requests(), _session(upload.url) as session, upload.open() as file:
            # A file without a length would be sent in pieces, which such storages do not take.
            answer = session.put(
                upload.url,
                data=file,
                headers=dict(upload.headers),
                timeout=TIMEOUTS,
                allow_redirects=False,
                stream=True,  # its body is not read: it may have any length
            )
            answer.close()
    except requests.RequestException as error:
        raise _network_error(error, f"upload to {where}") from None
    _raise_if_transient(answer, f"upload to {where}")
    if not 200 <= answer.status_code < 300:
        raise VendorAPIError(f"{where} refused the upload with {answer.status_code}: the job has got no file")
    return Response(answer.status_code, answer.headers, b"")


@contextmanager
def open_file(url: str, vendor: Vendor, account: Account, max_bytes: int) -> Iterator[BinaryIO]:
    """Open a file elsewhere to be read piece by piece, unpacked if it is gzipped.

    :param max_bytes: how large it may be, unpacked.
    :raises UntrustedResponseError: it is larger, or the address cannot be meant.
    :raises TransientError: try again.
    :raises FileUnavailableError: the address does not lead to it.
    :raises VendorAPIError: the storage refused it.
    """
    where = _host(url, vendor, account)
    with _session(url) as session, translate_download_errors(where):
        with hide_requests():
            answer = session.get(url, timeout=TIMEOUTS, allow_redirects=False, stream=True)
        with answer, open_body(answer, where, max_bytes) as file:
            yield file


@contextmanager
def open_body(answer: requests.Response, where: str, max_bytes: int) -> Iterator[BinaryIO]:
    """Open the body of an answer; see :func:`open_file`."""
    _raise_if_transient(answer, f"download from {where}")
    if answer.status_code in EXPIRED:
        raise FileUnavailableError(f"{where} refused the download with {answer.status_code}; the file may have expired")
    if answer.status_code != 200:
        raise VendorAPIError(f"{where} refused the download with {answer.status_code}")
    if answer.headers.get("content-type", "").lower().strip().startswith(PAGES):
        raise FileUnavailableError(f"{where} sent a web page instead of the file. The file may have expired.")
    for encoding in answer.headers.get("content-encoding", "").lower().split(","):
        if encoding.strip() not in NOT_ENCODED:
            raise VendorAPIError(
                f"{where} sent the file with the content encoding {redact(encoding)[:40]!r}, which was not asked for "
                "and is not supported"
            )
    with translate_download_errors(where):
        file = io.BufferedReader(_Bounded(answer.raw, max_bytes, where), PIECE)
        for _ in range(GZIP_LAYERS):
            if file.peek(len(GZIP))[: len(GZIP)] != GZIP:
                break
            file = io.BufferedReader(_Bounded(gzip.GzipFile(fileobj=file), max_bytes, where), PIECE)
        yield cast("BinaryIO", file)


def save(opening: AbstractContextManager[BinaryIO]) -> IO[bytes]:
    """Copy a file that can be opened into an anonymous temporary file; return that one, at its beginning.

    So a download that breaks off does so before any row has been read, and can be repeated.

    :raises BadArgumentError: there is no room for it.
    """
    copy = temporary_file()
    try:
        with opening as file:
            shutil.copyfileobj(file, copy, PIECE)
        copy.seek(0)
    except BaseException as error:
        with suppress(OSError):
            copy.close()
        if isinstance(error, OSError):
            raise temporary_file_error(error) from error
        raise
    return copy


class _Bounded(io.RawIOBase):
    """A file that ends in an error when it gets too large, or takes too long."""

    def __init__(self, file: gzip.GzipFile | urllib3.BaseHTTPResponse, max_bytes: int, where: str) -> None:
        self._file = file
        self._left = max_bytes
        self._where = where
        self._deadline = time.monotonic() + DOWNLOAD_TIMEOUT

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._read(len(buffer))
        while len(data) < len(GZIP) and (more := self._read(len(buffer) - len(data))):
            data += more  # enough for peek to recognise gzip, also where a single byte has arrived by now
        self._left -= len(data)
        if self._left < 0:
            raise UntrustedResponseError(
                f"the file from {self._where} is larger than max_bytes; it was not read to its end"
            )
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        if time.monotonic() > self._deadline:
            raise TransientError(f"the download from {self._where} took more than {DOWNLOAD_TIMEOUT:.0f} s")
        if isinstance(self._file, gzip.GzipFile):
            return self._file.read1(size)
        return self._file.read1(size, decode_content=False)  # decoded, a small piece might become one of any size


@contextmanager
def translate_download_errors(where: str) -> Iterator[None]:
    """Raise what goes wrong in a download as an error of this package."""
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _network_error(error, f"download from {where}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise TransientError(f"the file from {where} cannot be unpacked ({type(error).__name__})") from None


def _network_error(error: Exception, transfer: str) -> BulkJobError:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return BadConnectionError(
            f"the {transfer} was not made: the certificate of that host is not trusted. For a certificate authority of "
            "your own set REQUESTS_CA_BUNDLE."
        )
    if isinstance(error, ValueError):
        return UntrustedResponseError(f"the {transfer} was not made: no request can have its address or headers")
    return TransientError(f"the {transfer} broke off ({type(error).__name__})")


def _raise_if_transient(answer: requests.Response, transfer: str) -> None:
    if answer.status_code in {408, 429} or answer.status_code >= 500:
        pause = parse_retry_after(Response(answer.status_code, answer.headers, b""))
        raise TransientError(f"the {transfer} was answered with {answer.status_code}", retry_after=pause)


def _session(url: str) -> requests.Session:
    """Return a session without credentials and without the headers of requests: they would not be in the signature."""
    session = requests.Session()
    session.headers.clear()
    apply_environment(session, url)
    return session


def _host(url: str, vendor: Vendor, account: Account) -> str:
    """Return the host of an address, for messages: the rest of it is as good as a key."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises, where it is no number that a port may have
    except ValueError:
        parts, host = urlsplit(""), None
    secure = parts.scheme == "https" or (parts.scheme == "http" and vendor.base_url(account).startswith("http:"))
    if not host or not secure:
        raise UntrustedResponseError(f"{vendor.label} named an address for a file that is not a proper https address")
    return host
