# SPDX-License-Identifier: Apache-2.0
"""Paths and URIs of users, opened by Airflow's ObjectStoragePath.

https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/objectstorage.html
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError, BulkJobError, RecordsReadError
from airflow_provider_bulkjobs.protocol.redact import redact

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath


def is_path(value: Any) -> bool:
    """Return whether a value is meant as a path or URI."""
    return isinstance(value, str | os.PathLike) or hasattr(value, "fs")


def object_path(path: Any, name: str) -> ObjectStoragePath:
    """Return a path as Airflow's ``ObjectStoragePath``.

    :param name: name of the argument, for messages.
    :raises BadArgumentError: the value is not a path, or no filesystem is installed for it.
    """
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    try:
        found = path if isinstance(path, ObjectStoragePath) else ObjectStoragePath(os.fspath(path))
        found.fs  # noqa: B018  (raises an error if no filesystem is installed for this path)
    except (TypeError, ValueError, ImportError) as error:
        raise BadArgumentError(
            f"{name}={safe_repr(path)} cannot be opened: {redact(str(error))}. For remote storage, install its "
            "provider, such as apache-airflow-providers-amazon[s3fs] for s3."
        ) from None  # the message of the error may contain a signed URL
    return found


def protocols(files: Any) -> set[str]:
    """Return the protocols of an fsspec file system."""
    return {files.protocol} if isinstance(files.protocol, str) else set(files.protocol)


def safe_repr(path: Any) -> str:
    """Return the repr of a path without its query, which may contain a signature."""
    return repr(redact(str(path)))


@contextmanager
def read_errors(path: Any) -> Iterator[None]:
    """Raise what fails while a file of ``records`` is found or read as ``RecordsReadError``."""
    try:
        yield
    except BulkJobError:
        raise
    except Exception as error:  # noqa: BLE001  (the exceptions depend on the file system)
        # Not "from error": its message may contain a signed URL.
        reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
        reason = "No such file or directory" if isinstance(error, FileNotFoundError) else reason
        raise RecordsReadError(f"records={safe_repr(path)} cannot be read: {reason}") from None
