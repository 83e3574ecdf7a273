# SPDX-License-Identifier: Apache-2.0
"""What a sensor in reschedule mode knows of its jobs, for its next poke: another process, whose XCom is emptied."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import task_state

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.waiting.tracker import JobTracker

KEY = "bulkjobs_wait"
LONGEST_RETENTION = 10 * 365 * 86400.0  # seconds
log = logging.getLogger(__name__)


class PokeMemory:
    """Keeps what is known in the task's state, which Airflow has from 3.3 on; before that, each poke starts anew.

    It saves requests, and distinguishes an expired job from one that never existed. A failing store ends no wait.

    :param timeout: how long the wait may last, in seconds.
    """

    def __init__(self, context: Context, timeout: float) -> None:
        self._store = task_state(context)
        self._try_number = getattr(context.get("ti"), "try_number", None)  # another try asks about all jobs again
        self._retention = timedelta(days=1, seconds=min(timeout, LONGEST_RETENTION))
        self._stored: dict[str, Any] = {}

    def load(self) -> dict[str, Any]:
        """Return what the earlier pokes of this try have found out, as arguments of a wait."""
        if self._store is None:
            return {}
        try:
            stored = self._store.get(KEY)
        except Exception as error:  # noqa: BLE001  (each store has its own)
            log.warning("The task's state could not be read (%s). All jobs are asked about.", type(error).__name__)
            return {}
        match stored:
            case {"try_number": self._try_number, "known_jobs": list(known_jobs), "missing": list(missing)}:
                self._stored = stored
                return {"known_jobs": known_jobs, "missing": missing}
        return {}

    def save(self, wait: JobTracker) -> None:
        """Keep what is known by now, if that is news."""
        known = {"try_number": self._try_number, "known_jobs": wait.known_jobs, "missing": wait.missing}
        if self._store is None or known == self._stored or not wait.unfinished:
            return
        try:
            self._store.set(KEY, known, retention=self._retention)
        except Exception as error:  # noqa: BLE001  (each store has its own)
            log.warning(
                "The task's state could not be written (%s). The next poke asks about all jobs.", type(error).__name__
            )
        else:
            self._stored = known
