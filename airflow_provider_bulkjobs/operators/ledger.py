# SPDX-License-Identifier: Apache-2.0
"""Where a submit notes down what the vendor has accepted: XCom for other tasks, the task's state for its next try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import task_state
from airflow_provider_bulkjobs.progress import Progress

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

JOB_IDS = "job_ids"  # in XCom
STATE = "bulkjobs"
PART = 500  # ids in one value of the task's state, so that each note is small however many there are


class TaskLedger:
    """The notes of one task instance.

    Airflow keeps a task's state from 3.3 on; before that, a worker that is killed takes its notes with it.
    """

    def __init__(self, context: Context) -> None:
        self._task_instance: Any = context.get("ti")
        self._state = task_state(context)
        self._noted = -1

    @property
    def is_durable(self) -> bool:
        """Whether the notes are there for the next try."""
        return self._state is not None

    def load(self) -> Progress | None:
        """Return what an earlier try has noted down."""
        noted = self._state.get(STATE) if self._state is not None else None
        if noted is None:
            self._tell(Progress(""))
            return None
        number = noted[JOB_IDS]
        job_ids = [job_id for part in range(-(-number // PART)) for job_id in self._state.get(f"{STATE}_{part}")]
        progress = Progress(**{**noted, JOB_IDS: job_ids[:number]})
        self._tell(progress)  # Airflow has emptied the XCom of the earlier try
        return progress

    def save(self, progress: Progress) -> None:
        """Note down the progress."""
        number = len(progress.job_ids)
        if self._state is not None:
            if number > max(self._noted, 0):
                part = (number - 1) // PART
                self._state.set(f"{STATE}_{part}", progress.job_ids[part * PART :])
            self._state.set(STATE, {**progress.to_json(), JOB_IDS: number})
        self._tell(progress)

    def forget(self) -> None:
        """Let the next run of the task be a new submit."""
        if self._state is not None:
            self._state.delete(STATE)

    def _tell(self, progress: Progress) -> None:
        if self._noted == len(progress.job_ids):
            return
        self._noted = len(progress.job_ids)
        if self._task_instance is not None and hasattr(self._task_instance, "xcom_push"):
            self._task_instance.xcom_push(key=JOB_IDS, value=list(progress.job_ids))
