# SPDX-License-Identifier: Apache-2.0
"""Read a connection again where Airflow could not: one lost lookup ends no wait, as one lost poll ends none."""

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
FIRST_WAIT = 1.0  # seconds before the second attempt, doubled before each further one
LONGEST_WAIT = 60.0
WORKER_LIMIT = 60.0  # seconds without a successful lookup: a worker slot is held meanwhile


def lookup_error(conn_id: str, error: Exception) -> BulkJobError:
    """Return what a failed lookup means.

    The words of the original error are left out: they may have the connection's URI in them.
    """
    if isinstance(error, AirflowNotFoundException):
        failure = lookup_failure(conn_id)
        if failure is None:
            return BadConnectionError(f"{error}: create it, or correct conn_id")
        error = failure
    if isinstance(error, PermissionError):
        return BadConnectionError(f"Airflow denies access to connection {conn_id!r}. Grant it to this DAG or team.")
    return ConnectionLookupError(
        f"Connection {conn_id!r} could not be read ({type(error).__name__}). Check Airflow's API server, its database "
        "and the secrets backend."
    )


def read_connection(conn_id: str) -> Connection:
    """Read a connection on a worker, and again while that fails, with backoff, for a minute at most.

    :raises ConnectionLookupError: no attempt has succeeded.
    :raises BadConnectionError: there is no such connection, or it must not be read.
    """
    attempts = _Attempts(WORKER_LIMIT, log.warning)
    while True:
        try:
            return BaseHook.get_connection(conn_id)
        except Exception as error:  # noqa: BLE001  (each Airflow and each secrets backend has its own)
            meaning = lookup_error(conn_id, error)
        if not isinstance(meaning, ConnectionLookupError):
            raise meaning
        time.sleep(attempts.wait_after(meaning))


async def retry_lookup_async(look: Callable[[], Awaitable[T]], on_retry: Callable[[str], None], limit: float) -> T:
    """Look up a connection without holding the event loop, and again while that fails, with backoff.

    :param look: one attempt.
    :param limit: seconds without a successful lookup, where the caller has no closer deadline.
    """
    attempts = _Attempts(limit, on_retry)
    while True:
        try:
            return await look()
        except ConnectionLookupError as error:
            await asyncio.sleep(attempts.wait_after(error))


class _Attempts:
    """The failed attempts of one lookup.

    :param limit: for how many seconds attempts are made.
    """

    def __init__(self, limit: float, on_retry: Callable[[str], None]) -> None:
        self._limit = limit
        self._report = on_retry
        self._started = time.monotonic()
        self._failures = 0

    def wait_after(self, error: ConnectionLookupError) -> float:
        """Return how many seconds to wait after a failed attempt; raise its error where there is no time left."""
        self._failures += 1
        growing = min(FIRST_WAIT * 2.0 ** min(self._failures - 1, 16), LONGEST_WAIT)
        wait = growing * random.uniform(0.5, 1.0)  # noqa: S311
        if time.monotonic() - self._started + wait > self._limit:
            raise error
        self._report(f"{error} Attempt {self._failures} failed; the next one is in {wait:.1f} s.")
        return wait
