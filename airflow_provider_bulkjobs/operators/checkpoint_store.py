# SPDX-License-Identifier: Apache-2.0
"""Where a submit notes down what the vendor has accepted: XCom for other tasks, the task's state for its next try."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import is_disowned, set_task_state, task_state
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint, CheckpointError, Finished

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

JOB_IDS = "job_ids"  # in XCom
STATE = "bulkjobs"
PART = 500  # ids in one value of the task's state, so that each note is small however many there are
WRITE_ATTEMPTS = 11  # with waits of 1, 2, 4 … 60 s between them: five minutes
WRITE_SECONDS = 300.0  # no further attempt after that, also where each one takes long
LONGEST_WAIT = 60.0
MOST_NAMED = 20  # job ids in a log line

log = logging.getLogger(__name__)


class TaskCheckpointStore:
    """The notes of one task instance.

    Airflow keeps a task's state from 3.3 on; before that, a worker that is killed takes its notes with it. The notes
    stay after the task has its result: Airflow may still lose the result or the success, and then starts a retry.
    """

    def __init__(self, context: Context) -> None:
        self._task_instance: Any = context.get("ti")
        self._state = task_state(context)
        self._max_tries: int | None = getattr(self._task_instance, "max_tries", None)
        self._stored_ids = 0
        self._stored_accepted = 0
        self._is_behind = False
        self._published = -1

    @property
    def is_durable(self) -> bool:
        """Whether the next try can continue with all that was accepted."""
        return self._state is not None and not self._is_behind

    def load(self) -> Checkpoint | None:
        """Return what an earlier try has noted down, or ``None`` where this run is a new submit.

        :raises CheckpointError: there are notes, and they cannot be read.
        """
        progress = self._read() if self._state is not None else None
        if progress and progress.finished and progress.finished.max_tries != self._max_tries:
            progress = None  # the task was cleared after it had its result
        now = progress or Checkpoint("")
        self._stored_ids, self._stored_accepted = len(now.job_ids), now.accepted
        self.publish(now)  # Airflow has emptied the XCom of the earlier try
        return progress

    def save(self, progress: Checkpoint) -> None:
        """Note down the progress, and publish the job ids.

        :raises CheckpointError: the state could not be written in five minutes; the ids are published all the same.
        """
        if self._state is not None:
            self._write_patiently(progress)
        self.publish(progress)

    def finish(self, submitted: int, rejected: int) -> None:
        """Note down that the task has its result. Where that fails, the result still counts."""
        if self._state is None:
            return
        finished = Finished(self._max_tries, submitted, rejected)
        try:
            if values := self._state.get(STATE, False):
                set_task_state(self._state, STATE, {**values, "finished": asdict(finished)})
        except Exception as error:  # noqa: BLE001  (whatever it is, it must not cost the result)
            log.warning(
                "The end of the submit could not be written to the task state (%s). After a clear, this task waits for "
                "the same jobs again. To submit again, delete the task state, then clear the task.",
                _described(error),
            )

    def publish(self, progress: Checkpoint) -> None:
        """Push the job ids to XCom, if they are not there yet. Where that fails, the next call tries again."""
        number = len(progress.job_ids)
        if self._published == number or not hasattr(self._task_instance, "xcom_push"):
            return
        try:
            self._task_instance.xcom_push(key=JOB_IDS, value=list(progress.job_ids))
        except Exception as error:  # noqa: BLE001  (whatever it is, the submit does not depend on it)
            log.warning(
                "The job ids could not be pushed to XCom (%s). The last of %d are %s.",
                *(_described(error), number, progress.job_ids[-MOST_NAMED:]),
            )
        else:
            self._published = number

    def push_result(self, result: Any) -> None:
        """Push the result before Airflow does, where the next try could not continue.

        If that fails, it fails now, while the task can still end for good.
        """
        if not self.is_durable and hasattr(self._task_instance, "xcom_push"):
            self._task_instance.xcom_push(key="return_value", value=result)

    def published_ids(self) -> list[str]:
        """Return the job ids that an earlier part of this try has pushed to XCom, or none if they cannot be read."""
        ti = self._task_instance
        try:
            return list(ti.xcom_pull(task_ids=ti.task_id, key=JOB_IDS, map_indexes=ti.map_index) or [])
        except Exception:  # noqa: BLE001  (they are only for a message)
            return []

    def _read(self) -> Checkpoint | None:
        values = self._state.get(STATE, False)
        if values is False:
            return None
        try:
            number = values[JOB_IDS]
            parts = [self._state.get(f"{STATE}_{part}") for part in range(-(-number // PART))]
            job_ids = [job_id for part in parts for job_id in part][:number]
            if len(job_ids) < number:
                raise ValueError(f"{len(job_ids)} of {number} job ids")  # noqa: TRY301
            return Checkpoint.from_json({**values, JOB_IDS: job_ids})
        except (TypeError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"The checkpoint of an earlier try is incomplete ({_described(error)}), so it is not known what was "
                "accepted; nothing was sent. Check the vendor's pages. To submit all records, delete the task state of "
                "this task instance, then clear the task."
            ) from error

    def _write_patiently(self, progress: Checkpoint) -> None:
        from tenacity import (
            RetryCallState,
            Retrying,
            retry_if_exception,
            stop_after_attempt,
            stop_after_delay,
            wait_exponential,
        )

        def on_retry(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            log.warning("The checkpoint could not be written (%s); trying again", _described(error))
            self.publish(progress)  # now: the ids must not depend on the state

        attempts = Retrying(
            retry=retry_if_exception(_may_pass),
            wait=wait_exponential(max=LONGEST_WAIT),
            stop=stop_after_attempt(WRITE_ATTEMPTS) | stop_after_delay(WRITE_SECONDS),
            sleep=time.sleep,
            before_sleep=on_retry,
            reraise=True,
        )
        try:
            attempts(self._write, progress)
        except Exception as error:
            self._is_behind = progress.accepted > self._stored_accepted
            self.publish(progress)
            raise CheckpointError(
                f"The checkpoint could not be written to Airflow's task state ({_described(error)})."
            ) from error

    def _write(self, progress: Checkpoint) -> None:
        number = len(progress.job_ids)
        if number > self._stored_ids:
            part = (number - 1) // PART
            set_task_state(self._state, f"{STATE}_{part}", progress.job_ids[part * PART :])
        set_task_state(self._state, STATE, {**progress.to_json(), JOB_IDS: number})
        self._stored_ids, self._stored_accepted, self._is_behind = number, progress.accepted, False


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Exception) and not isinstance(error, TypeError | ValueError) and not is_disowned(error)


def _described(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {redact(str(error))[:200]}"
