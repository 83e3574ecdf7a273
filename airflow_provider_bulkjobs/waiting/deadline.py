# SPDX-License-Identifier: Apache-2.0
"""Airflow's timeout of a deferred wait, which is a little later than the wait's own deadline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MAX_TIMEOUT = 10 * 365 * 86400.0  # seconds; a larger value overflows a date
TIMEOUT_MARGIN = 300.0  # seconds by which Airflow's timeout is later than the trigger's


def airflow_timeout(remaining: float) -> timedelta:
    """Return Airflow's timeout for a wait that has ``remaining`` seconds left."""
    return timedelta(seconds=min(max(remaining, 0.0), MAX_TIMEOUT) + TIMEOUT_MARGIN)


def started_at(timeout_at: datetime, timeout: float) -> float:
    """Return when a wait started, in epoch seconds: the inverse of :func:`airflow_timeout`.

    :param timeout_at: when Airflow's timeout is due; Airflow stores it when the wait starts.
    :param timeout: the sensor's timeout, in seconds.
    """
    aware = timeout_at if timeout_at.tzinfo else timeout_at.replace(tzinfo=UTC)
    return (aware - airflow_timeout(timeout)).timestamp()
