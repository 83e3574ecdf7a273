# SPDX-License-Identifier: Apache-2.0
"""Upload to and download from signed URLs on other hosts: without credentials, and with limited sizes."""

from __future__ import annotations

import gzip
import io
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
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
from airflow_provider_bulkjobs.temporary_files import temporary_file
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

TIMEOUTS = (CONNECT_TIMEOUT, TOTAL_TIMEOUT)  # seconds; the second applies to each read
DOWNLOAD_TIMEOUT = 3600.0  # seconds for a whole file, so that a slow server does not block a worker forever
CHUNK = 256 * 1024
GZIP = b"\x1f\x8b"
GZIP_LAYERS = 2  # the file itself, and the content encoding
NOT_ENCODED = {"", "identity", "gzip", "x-gzip", "aws-chunked"}  # gzip is detected by its first bytes
# Statuses of an expired or replaced signed URL: Google returns 400, Amazon and Azure 403.
EXPIRED = {400, 401, 403, 404, 410}
PAGE_TYPES = ("text/html", "application/xhtml", "text/xml", "application/xml")


class FileUnavailableError(VendorAPIError):
    """The URL does not, or no longer, return the file; the vendor may provide a new URL."""


def send_file(upload: Upload, vendor: Vendor, account: Account) -> Response:
    """Upload a file to the URL that the vendor returned.

    :raises TransientError: retry.
    :raises VendorAPIError: the storage rejected it.
    :raises UntrustedResponseError: the URL is not valid or not https.
    """
    host = _host(upload.url, vendor, account)
    try:
        with hide_requests(), _session(upload.url) as session, upload.open() as file:
            # A file of unknown length would be sent in chunked encoding, which signed URLs do not accept.
            received = session.request(
                upload.method,
                upload.url,
                data=file,
                headers=dict(upload.headers),
                timeout=TIMEOUTS,
                allow_redirects=False,
                stream=True,  # the body is not read: its size is unknown
            )
            received.close()
    except requests.RequestException as error:
        raise _network_error(error, f"upload to {host}") from None
    _raise_if_transient(received, f"upload to {host}")
    if not 200 <= received.status_code < 300:
        raise VendorAPIError(f"Upload to {host} failed with {received.status_code}; the job received no data")
    return Response(received.status_code, received.headers, b"")


@contextmanager
def open_file(url: str, vendor: Vendor, account: Account, max_bytes: int) -> Iterator[BinaryIO]:
    """Open a file at a signed URL for streaming; gzip is decompressed.

    :param max_bytes: the maximum size after decompression.
    :raises UntrustedResponseError: it is larger, or the URL is not valid or not https.
    :raises TransientError: retry.
    :raises FileUnavailableError: the URL does not, or no longer, return the file.
    :raises VendorAPIError: the storage rejected the request.
    """
    host = _host(url, vendor, account)
    with _session(url) as session, translate_download_errors(host):
        with hide_requests():
            received = session.get(url, timeout=TIMEOUTS, allow_redirects=False, stream=True)
        with received, open_body(received, host, max_bytes) as file:
            yield file


@contextmanager
def open_body(received: requests.Response, host: str, max_bytes: int) -> Iterator[BinaryIO]:
    """Open the body of a response; see :func:`open_file`."""
    _raise_if_transient(received, f"download from {host}")
    if received.status_code == 204:  # no rows
        yield io.BytesIO()
        return
    if received.status_code in EXPIRED:
        raise FileUnavailableError(
            f"Download from {host} failed with {received.status_code}; the file may have expired"
        )
    if received.status_code != 200:
        raise VendorAPIError(f"Download from {host} failed with {received.status_code}")
    if received.headers.get("content-type", "").lower().strip().startswith(PAGE_TYPES):
        raise FileUnavailableError(f"{host} returned a web page instead of the file. The file may have expired.")
    for encoding in received.headers.get("content-encoding", "").lower().split(","):
        if encoding.strip() not in NOT_ENCODED:
            raise VendorAPIError(
                f"{host} returned the file with the unsupported content encoding {redact(encoding)[:40]!r}"
            )
    with translate_download_errors(host):
        file = io.BufferedReader(_SizeLimitedReader(received.raw, max_bytes, host), CHUNK)
        for _ in range(GZIP_LAYERS):
            if file.peek(len(GZIP))[: len(GZIP)] != GZIP:
                break
            file = io.BufferedReader(_SizeLimitedReader(gzip.GzipFile(fileobj=file), max_bytes, host), CHUNK)
        yield cast("BinaryIO", file)


def save(opening: AbstractContextManager[BinaryIO]) -> IO[bytes]:
    """Download a file into an anonymous temporary file; return that file, positioned at its start.

    So an interrupted download fails before any row has been read, and can be retried.

    :raises OutputWriteError: the disk is full.
    """
    copy = temporary_file()
    try:
        with opening as file:
            shutil.copyfileobj(file, copy, CHUNK)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy


class _SizeLimitedReader(io.RawIOBase):
    """A file that raises an error if it is too large or takes too long."""

    def __init__(self, file: gzip.GzipFile | urllib3.BaseHTTPResponse, max_bytes: int, host: str) -> None:
        self._file = file
        self._left = max_bytes
        self._host = host
        self._deadline = time.monotonic() + DOWNLOAD_TIMEOUT

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._read(len(buffer))
        while len(data) < len(GZIP) and (more := self._read(len(buffer) - len(data))):
            data += more  # peek needs two bytes to detect gzip, but a single one may have arrived
        self._left -= len(data)
        if self._left < 0:
            raise UntrustedResponseError(
                f"the file from {self._host} is larger than max_bytes; it was not read completely"
            )
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        if time.monotonic() > self._deadline:
            raise TransientError(f"the download from {self._host} took more than {DOWNLOAD_TIMEOUT:.0f} s")
        if isinstance(self._file, gzip.GzipFile):
            return self._file.read1(size)
        return self._file.read1(size, decode_content=False)  # decoding could turn a small chunk into one of any size


@contextmanager
def translate_download_errors(host: str) -> Iterator[None]:
    """Translate the libraries' exceptions in a download to those of this package."""
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _network_error(error, f"download from {host}") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise TransientError(f"the file from {host} cannot be decompressed ({type(error).__name__})") from None


def _network_error(error: Exception, transfer: str) -> BulkJobError:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return BadConnectionError(
            f"the {transfer} failed: the certificate of the host is not trusted. For a private certificate authority, "
            "set REQUESTS_CA_BUNDLE."
        )
    if isinstance(error, ValueError):
        return UntrustedResponseError(f"the {transfer} failed: its URL or headers are not valid in a request")
    return TransientError(f"the {transfer} was interrupted ({type(error).__name__})")


def _raise_if_transient(received: requests.Response, transfer: str) -> None:
    if received.status_code in {408, 429} or received.status_code >= 500:
        pause = parse_retry_after(Response(received.status_code, received.headers, b""))
        raise TransientError(f"the {transfer} failed with {received.status_code}", retry_after=pause)


def _session(url: str) -> requests.Session:
    """Return a session without credentials and default headers, which the signature would not cover."""
    session = requests.Session()
    session.headers.clear()
    apply_environment(session, url)
    return session


def _host(url: str, vendor: Vendor, account: Account) -> str:
    """Return the host of a signed URL for messages; the rest of the URL is a credential."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises if it is not a valid port number
    except ValueError:
        parts, host = urlsplit(""), None
    secure = parts.scheme == "https" or (parts.scheme == "http" and vendor.base_url(account).startswith("http:"))
    if not host or not secure or not host.isprintable() or " " in host:
        raise UntrustedResponseError(f"{vendor.label} returned a file URL that is not a valid https URL")
    return host
