# SPDX-License-Identifier: Apache-2.0
"""The lines of a file at a signed URL, for a status: the gate needs them, and a poll may run on an event loop."""

from __future__ import annotations

import re

from airflow_provider_bulkjobs.exceptions import TransientError, UntrustedResponseError
from airflow_provider_bulkjobs.protocol.flow import LARGE_BODY, Flow, Request

PIECE = LARGE_BODY  # bytes; more would block the event loop for too long. No line may be longer.
MAX_FILE = 1024**3  # bytes
MAX_PIECES = 4 * MAX_FILE // PIECE  # a storage may return shorter pieces than it was asked for
CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", re.ASCII)  # RFC 9110, section 14.4
# The range is one of the file as it is, without an encoding of the response.
HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}


class SignedFile:
    """Reads a file in pieces with range requests, without credentials.

    :param vendor: the vendor's name, for messages.
    """

    def __init__(self, vendor: str, url: str) -> None:
        self._vendor = vendor
        self._url = url
        self._position = self._pieces = 0
        self._rest = b""  # the beginning of a line
        self.has_next = True

    def read_next(self) -> Flow[list[bytes]]:
        """Read the next piece; return the lines that end in it, without empty ones.

        :raises TransientError: it is not the piece that was requested.
        :raises UntrustedResponseError: the file, or a line, is too large, or the storage does not return pieces of it.
        :raises VendorAPIError: the URL does not, or no longer, return the file.
        """
        wanted = f"bytes={self._position}-{self._position + PIECE - 1}"
        response = yield Request("GET", self._url, {**HEADERS, "Range": wanted}, authorized=False, signed=True)
        if response.status == 206:
            size = self._size(response.headers.get("content-range", ""), len(response.body))
            self._position += len(response.body)
            self.has_next = self._position < size
        elif response.status == 416 and self._position:
            raise TransientError(f"{self._vendor}'s file storage no longer has the rest of the file")
        elif response.status == 416:  # no byte at all (RFC 9110, section 15.5.17); the body is about the error
            self.has_next = False
            return []
        else:
            self.has_next = False
            if self._position or len(response.body) > PIECE:
                raise UntrustedResponseError(
                    f"{self._vendor}'s file storage returned the whole file, and not a piece of {PIECE} bytes. Check "
                    "whether a proxy removes the Range header."
                )
        *lines, self._rest = (self._rest + response.body).split(b"\n")
        if len(self._rest) > PIECE:
            raise UntrustedResponseError(f"a line of {self._vendor}'s file has more than {PIECE} bytes")
        if not self.has_next:
            lines.append(self._rest)
        return [line for line in lines if line.strip()]

    def _size(self, content_range: str, length: int) -> int:
        """Return the size of the whole file."""
        found = CONTENT_RANGE.fullmatch(content_range)
        first, last, size = map(int, found.groups()) if found else (-1, -1, 0)
        if not length or first != self._position or last - first + 1 != length or last >= size:
            raise TransientError(f"{self._vendor}'s file storage returned another piece than the requested one")
        self._pieces += 1
        if self._pieces > MAX_PIECES:
            raise UntrustedResponseError(f"{self._vendor}'s file storage returned more than {MAX_PIECES} pieces")
        if size > MAX_FILE:
            raise UntrustedResponseError(f"{self._vendor}'s file has {size} bytes, more than {MAX_FILE}")
        return size
