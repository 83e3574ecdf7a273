# SPDX-License-Identifier: Apache-2.0
"""Compressed files, recognized by their first bytes, then by their name, and decompressed as they are read."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from airflow_provider_bulkjobs.exceptions import BadArgumentError, RecordsReadError

# The ending of the name, and the first bytes: RFC 1952, the bzip2 format, RFC 8878.
SIGNATURES = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".zst": b"\x28\xb5\x2f\xfd"}
PIECE = 1024 * 1024
ZSTANDARD_PIECE = 16 * 1024  # is decompressed at once


def strip_compression(name: str) -> str:
    """Return the name of a file without the ending of its compression."""
    return next((name.removesuffix(ending) for ending in SIGNATURES if name.endswith(ending)), name)


@contextmanager
def decompressed(file: io.BufferedReader, name: str, source: str) -> Iterator[BinaryIO]:
    """Yield the content of a file, whether it is compressed or not.

    :param name: name of the file, in lower case.
    :param source: the file, for messages.
    :raises BadArgumentError: the library for it is missing.
    :raises RecordsReadError: the file is corrupt.
    """
    start = file.peek(4)
    ending = next((each for each, signature in SIGNATURES.items() if start.startswith(signature)), None)
    ending = ending or next((each for each in SIGNATURES if name.endswith(each)), None)
    try:
        if ending is None:
            yield file
        elif ending == ".gz":
            with gzip.GzipFile(fileobj=file) as content:
                yield cast("BinaryIO", content)
        elif ending == ".bz2":
            with bz2.BZ2File(file) as content:
                yield cast("BinaryIO", content)
        else:
            with _zstandard(file, source) as content:
                yield content
    except Exception as error:
        if not _is_corrupt(error, ending):
            raise
        raise RecordsReadError(f"records={source} cannot be read: corrupt {ending or ''} file") from error


def _is_corrupt(error: Exception, ending: str | None) -> bool:
    """Return whether a library could not decompress a file with this ending."""
    if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
        return True
    is_bz2 = ending == ".bz2" and isinstance(error, OSError) and error.errno is None
    return is_bz2 or type(error).__module__.startswith("zstandard")


def _zstandard(file: io.BufferedReader, source: str) -> BinaryIO:
    try:
        import zstandard
    except ImportError:
        raise BadArgumentError(
            f"records={source} is compressed with Zstandard. Install airflow-provider-bulkjobs[zstd] to read it."
        ) from None
    return cast(
        "BinaryIO", io.BufferedReader(_ZstandardFrames(file, zstandard.ZstdDecompressor().decompressobj), PIECE)
    )


class _ZstandardFrames(io.RawIOBase):
    """The content of a file of frames. The library's own reader takes a file that is cut off as complete."""

    def __init__(self, file: io.BufferedReader, new_frame: Callable[[], Any]) -> None:
        self._file = file
        self._new_frame = new_frame
        self._frame: Any = None
        self._compressed = b""
        self._content = memoryview(b"")

    def readable(self) -> bool:
        """Return ``True``."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; return the number of bytes, 0 at the end.

        :raises EOFError: the last frame is incomplete.
        """
        while not self._content:
            self._compressed = self._compressed or self._file.read(ZSTANDARD_PIECE)
            if not self._compressed:
                if self._frame is not None:
                    raise EOFError
                return 0
            self._frame = self._frame or self._new_frame()
            self._content = memoryview(self._frame.decompress(self._compressed))
            self._compressed = b""
            if self._frame.eof:
                self._compressed, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._content))
        buffer[:size], self._content = self._content[:size], self._content[size:]
        return size
