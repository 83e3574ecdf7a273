# SPDX-License-Identifier: Apache-2.0
"""Retry connection lookups that failed in Airflow: like a failed poll, a failed lookup does not end a wait."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_bulkjobs._airflow import AirflowNotFoundException, BaseHook, lookup_failure
from airflow_provider_bulkjobs.exceptions import BadConnectionError, BulkJobError, ConnectionLookupError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

log = logging.getLogger(__name__)
T = TypeVar("T")
INITIAL_DELAY = 1.0  # seconds before the second attempt, doubled before each further one
MAX_DELAY = 60.0
WORKER_LIMIT = 60.0  # seconds until a worker gives up, which occupies a slot while it retries


def lookup_error(conn_id: str, error: Exception) -> BulkJobError:
    """Return the error for a failed lookup.

    The original message is left out: it may contain the connection's URI.
    """
    if isinstance(error, AirflowNotFoundException):
        cause = lookup_failure(conn_id)
        if cause is None:
            return BadConnectionError(f"{error}. Create it, or correct conn_id.")
        error = cause
    if isinstance(error, PermissionError):
        return BadConnectionError(f"Airflow denies access to connection {conn_id!r}. Grant it to this DAG or team.")
    return ConnectionLookupError(
        f"Connection {conn_id!r} could not be read ({type(error).__name__}). Check Airflow's API server, its database "
        "and the secrets backend."
    )


def read_connection(conn_id: str) -> Connection:
    """Read a connection on a worker; retry with backoff for up to a minute.

    :raises ConnectionLookupError: no attempt succeeded.
    :raises BadConnectionError: the connection does not exist, or access is denied.
    """
    attempts = _Attempts(WORKER_LIMIT, log.warning)
    while True:
        try:
            return BaseHook.get_connection(conn_id)
        except Exception as error:  # noqa: BLE001  (it depends on the Airflow version and the secrets backend)
            failure = lookup_error(conn_id, error)
        if not isinstance(failure, ConnectionLookupError):
            raise failure
        time.sleep(attempts.delay_after(failure))


async def retry_lookup_async(lookup: Callable[[], Awaitable[T]], on_retry: Callable[[str], None], limit: float) -> T:
    """Look up a connection without blocking the event loop; retry with backoff.

    :param lookup: one attempt.
    :param limit: seconds after which to give up; the caller may have an earlier deadline.
    """
    attempts = _Attempts(limit, on_retry)
    while True:
        try:
            return await lookup()
        except ConnectionLookupError as error:
            await asyncio.sleep(attempts.delay_after(error))


class _Attempts:
    """The failed attempts of one lookup.

    :param limit: seconds after which to give up.
    """

    def __init__(self, limit: float, on_retry: Callable[[str], None]) -> None:
        self._limit = limit
        self._on_retry = on_retry
        self._started = time.monotonic()
        self._failures = 0

    def delay_after(self, error: ConnectionLookupError) -> float:
        """Return the seconds to wait after a failed attempt; raise its error if the limit would be exceeded."""
        self._failures += 1
        backoff = min(INITIAL_DELAY * 2.0 ** min(self._failures - 1, 16), MAX_DELAY)
        delay = backoff * random.uniform(0.5, 1.0)  # noqa: S311
        if time.monotonic() - self._started + delay > self._limit:
            raise error
        self._on_retry(f"{error} Attempt {self._failures} failed, retrying in {delay:.1f} s.")
        return delay
