# SPDX-License-Identifier: Apache-2.0
"""The known job states of a sensor in reschedule mode, stored for the next poke: a new process with an empty XCom."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import task_state

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.waiting.tracker import JobTracker

KEY = "bulkjobs_wait"
MAX_RETENTION = 10 * 365 * 86400.0  # seconds
log = logging.getLogger(__name__)


class PokeMemory:
    """Stores the known job states in the task state (Airflow 3.3 and later). Without it, each poke polls all jobs.

    This saves requests, and distinguishes an expired job from one that never existed. An error of the store does not
    end the wait.

    :param timeout: the sensor's timeout, in seconds.
    """

    def __init__(self, context: Context, timeout: float) -> None:
        self._store = task_state(context)
        self._try_number = getattr(context.get("ti"), "try_number", None)  # another try polls all jobs again
        self._retention = timedelta(days=1, seconds=min(timeout, MAX_RETENTION))
        self._stored: dict[str, Any] = {}

    def load(self) -> dict[str, Any]:
        """Return the job states that earlier pokes of this try stored, as arguments of ``JobTracker``."""
        if self._store is None:
            return {}
        try:
            stored = self._store.get(KEY)
        except Exception as error:  # noqa: BLE001  (the exceptions depend on the store)
            log.warning("The task state could not be read (%s). All jobs are polled.", type(error).__name__)
            return {}
        match stored:
            case {"try_number": self._try_number, "known_jobs": list(known_jobs), "missing": list(missing)}:
                self._stored = stored
                since = stored.get("failing_since")
                failing_since = since if isinstance(since, float) else None
                return {"known_jobs": known_jobs, "missing": missing, "failing_since": failing_since}
        return {}

    def save(self, tracker: JobTracker) -> None:
        """Store the known job states if they have changed."""
        known = {
            "try_number": self._try_number,
            "known_jobs": tracker.known_jobs,
            "missing": tracker.missing,
            "failing_since": tracker.failing_since,
        }
        if self._store is None or known == self._stored or not tracker.unfinished:
            return
        try:
            self._store.set(KEY, known, retention=self._retention)
        except Exception as error:  # noqa: BLE001  (the exceptions depend on the store)
            log.warning("The task state could not be written (%s). The next poke polls all jobs.", type(error).__name__)
        else:
            self._stored = known
