# SPDX-License-Identifier: Apache-2.0
"""Temporary files with data of people: they have no name, so that a killed process leaves nothing behind."""

from __future__ import annotations

import tempfile
from typing import IO

from airflow_provider_bulkjobs.exceptions import OutputWriteError
from airflow_provider_bulkjobs.protocol.redact import redact


def temporary_file() -> IO[bytes]:
    """Return a temporary file that has no name, so that a killed process leaves nothing behind.

    :raises OutputWriteError: there is no place for it.
    """
    try:
        return tempfile.TemporaryFile(prefix="bulkjobs-")
    except OSError as error:
        raise temporary_file_error(error) from error


def temporary_file_error(error: OSError, before: str = "") -> OutputWriteError:
    """Return the error for a temporary file that cannot be written.

    :param before: the beginning of the message: what could not be done because of it.
    """
    where = f"in {tempfile.tempdir}" if tempfile.tempdir else "anywhere"
    return OutputWriteError(
        f"{before}no temporary file can be written {where}: {os_reason(error)}. Set TMPDIR to a folder with enough "
        "free space."
    )


def os_reason(error: Exception) -> str:
    """Return why a file could not be read or written."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return ": ".join(filter(None, (type(error).__name__, redact(str(error)))))
