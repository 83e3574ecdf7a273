# SPDX-License-Identifier: Apache-2.0
"""Bodies of uploads: multipart forms, zip archives, and pieces of a file that is too large for one request."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.vendors.spec.operation import Payload

CHUNK = 256 * 1024
ROW_END = b"\r\n"
QUOTE = ord('"')


@dataclass(frozen=True, slots=True)
class FilePart:
    """The file in a form.

    :param name: the name of the form field.
    :param file_name: the name of the file.
    :param open: opens the content; called for each reading.
    """

    name: str
    file_name: str
    content_type: str
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class Form:
    """The body of a form with a file, which is its last part.

    The boundary is a hash of the content, so a retry sends the same bytes.

    :param content_type: the value of the header, with the boundary.
    :param head: the bytes before the content of the file.
    :param tail: the bytes after it.
    """

    content_type: str
    head: bytes
    file: FilePart
    tail: bytes

    @property
    def data(self) -> bytes:
        """The whole body, for a file that fits into memory."""
        with self.open() as body:
            return body.read()

    def open(self) -> BinaryIO:
        """Open the body for reading, for ``Request.open`` or ``Upload.open``: the file is streamed."""
        file = self.file.open()
        file.seek(0, io.SEEK_END)
        size = len(self.head) + file.tell() + len(self.tail)
        file.seek(0)
        return cast("BinaryIO", _Joined([io.BytesIO(self.head), file, io.BytesIO(self.tail)], size))


def multipart(fields: Mapping[str, str], file: FilePart) -> Form:
    """Return a form with these fields in their order, and then the file.

    :param fields: the values by name; neither may contain a quote or a line break in a name.
    """
    digest = hashlib.blake2b("".join(fields.values()).encode(), digest_size=16)
    with file.open() as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    boundary = digest.hexdigest()  # no part can contain a hash of all of them
    start = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    parts = [f'{start}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    parts += [f'{start}{file.name}"; filename="{file.file_name}"\r\nContent-Type: {file.content_type}\r\n\r\n']
    tail = f"\r\n--{boundary}--\r\n".encode()
    return Form(f"multipart/form-data; boundary={boundary}", "".join(parts).encode(), file, tail)


def zipped(name: str, data: bytes) -> bytes:
    """Return a zip archive of one file; the same content gives the same bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def csv_pieces(payload: Payload, max_bytes: int, *, repeat_header: bool, skip: int = 0) -> Iterator[bytes]:
    """Yield a CSV file in pieces, which end at the end of a row. The same payload gives the same pieces.

    :param max_bytes: the maximum size of a piece.
    :param repeat_header: each piece begins with the header; otherwise only the first one does.
    :param skip: the number of pieces that were sent before.
    :raises BadArgumentError: a row is larger than a piece.
    """
    with payload.open() as file:
        rows = _rows(file)
        header = next(rows, b"")
        piece, number = bytearray(header), 0
        is_empty = True
        for row in rows:
            if len(piece) + len(row) > max_bytes:
                if is_empty:
                    raise BadArgumentError(f"a row of {len(row)} bytes is too large for a piece of {max_bytes} bytes")
                if number >= skip:
                    yield bytes(piece)
                piece, number, is_empty = bytearray(header if repeat_header else b""), number + 1, True
                if len(piece) + len(row) > max_bytes:
                    raise BadArgumentError(f"a row of {len(row)} bytes is too large for a piece of {max_bytes} bytes")
            piece += row
            is_empty = False
        if not is_empty and number >= skip:
            yield bytes(piece)


def _rows(file: BinaryIO) -> Iterator[bytes]:
    """Yield the rows of a CSV file; a quoted cell may contain line breaks."""
    row = bytearray()
    is_quoted = False
    for line in file:
        row += line
        is_quoted ^= line.count(QUOTE) % 2 == 1
        if not is_quoted and line.endswith(ROW_END):
            yield bytes(row)
            row.clear()
    if row:
        yield bytes(row)


class _Joined(io.RawIOBase):
    """Several files, one after the other. ``requests`` takes its length for ``Content-Length``."""

    def __init__(self, files: list[BinaryIO], size: int) -> None:
        self._files = files
        self._size = size
        self._position = 0
        self._current = 0

    def __len__(self) -> int:
        return self._size

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while self._current < len(self._files):
            if data := self._files[self._current].read(len(buffer)):
                buffer[: len(data)] = data
                self._position += len(data)
                return len(data)
            self._current += 1
        return 0

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()
