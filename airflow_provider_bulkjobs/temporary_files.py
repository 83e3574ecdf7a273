# SPDX-License-Identifier: Apache-2.0
"""Temporary files with data of people: they have no name, so that a killed process leaves nothing behind."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import suppress
from typing import IO, Any, cast

from airflow_provider_bulkjobs.exceptions import OutputWriteError
from airflow_provider_bulkjobs.protocol.redact import redact

BUFFER = 64 * 1024


def temporary_file() -> IO[bytes]:
    """Return a temporary file that has no name, so that a killed process leaves nothing behind.

    Its methods raise :class:`OutputWriteError` where there is no space left.

    :raises OutputWriteError: there is no place for it.
    """
    try:
        with tempfile.TemporaryFile(prefix="bulkjobs-", buffering=0) as file:
            return cast("IO[bytes]", _TemporaryFile(_Unbuffered(os.dup(file.fileno()), "r+b"), BUFFER))
    except OSError as error:
        raise _error(error) from error


class _Unbuffered(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise _error(error) from error


class _TemporaryFile(io.BufferedRandom):
    def close(self) -> None:
        with suppress(OutputWriteError):  # what is buffered is not needed any more
            super().close()


def _error(error: OSError) -> OutputWriteError:
    where = f"in {tempfile.tempdir}" if tempfile.tempdir else "anywhere"
    return OutputWriteError(
        f"no temporary file can be written {where}: {os_reason(error)}. Set TMPDIR to a folder with enough free space."
    )


def os_reason(error: Exception) -> str:
    """Return why a file could not be read or written."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return ": ".join(filter(None, (type(error).__name__, redact(str(error)))))
