# SPDX-License-Identifier: Apache-2.0
"""The checkpoint of a submit: job ids in XCom for other tasks, the rest in the task state for the next try."""

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
PART = 500  # ids in one value of the task state, which limits the size of each write
WRITE_ATTEMPTS = 11  # with delays of 1, 2, 4 … 60 s: five minutes
WRITE_SECONDS = 300.0  # no further attempt after that, also if the attempts are slow
MAX_RETRY_DELAY = 60.0
MAX_LISTED = 20  # job ids in a log line

log = logging.getLogger(__name__)


class TaskCheckpointStore:
    """The checkpoint store of one task instance.

    Airflow has a task state from 3.3 on; before that, the checkpoint is lost if the worker is killed. The checkpoint is
    kept after the task has its result: Airflow may still lose the result or the success, and then starts a retry.
    """

    def __init__(self, context: Context) -> None:
        self._task_instance: Any = context.get("ti")
        self._state = task_state(context)
        self._max_tries: int | None = getattr(self._task_instance, "max_tries", None)
        self._stored_ids = 0
        self._stored = _progress(Checkpoint(""))
        self._is_behind = False
        self._published = -1

    @property
    def is_durable(self) -> bool:
        """Whether the next try can resume after all accepted batches and steps."""
        return self._state is not None and not self._is_behind

    def load(self) -> Checkpoint | None:
        """Return the checkpoint of an earlier try, or ``None`` if this run is a new submit.

        :raises CheckpointError: the checkpoint cannot be read.
        """
        checkpoint = self._read() if self._state is not None else None
        if checkpoint and checkpoint.finished and checkpoint.finished.max_tries != self._max_tries:
            checkpoint = None  # the task was cleared after it had its result
        now = checkpoint or Checkpoint("")
        self._stored_ids, self._stored = len(now.job_ids), _progress(now)
        self.publish(now)  # Airflow has cleared the XCom of the earlier try
        return checkpoint

    def save(self, checkpoint: Checkpoint) -> None:
        """Save the checkpoint and publish the job ids.

        :raises CheckpointError: the checkpoint could not be written in five minutes; the ids are published anyway.
        """
        if self._state is not None:
            self._write_with_retries(checkpoint)
        self.publish(checkpoint)

    def finish(self, submitted: int, rejected: int) -> None:
        """Record that the task has its result. An error here does not fail the task."""
        if self._state is None:
            return
        finished = Finished(self._max_tries, submitted, rejected)
        try:
            if values := self._state.get(STATE, False):
                set_task_state(self._state, STATE, {**values, "finished": asdict(finished)})
        except Exception as error:  # noqa: BLE001  (no error here may lose the result)
            log.warning(
                "The end of the submit could not be written to the task state (%s). If the task is cleared, it waits "
                "for the same jobs again. To submit again, delete the task state, then clear the task.",
                _describe(error),
            )

    def publish(self, checkpoint: Checkpoint) -> None:
        """Push the job ids to XCom if they have changed. If that fails, the next call retries."""
        number = len(checkpoint.job_ids)
        if self._published == number or not hasattr(self._task_instance, "xcom_push"):
            return
        try:
            self._task_instance.xcom_push(key=JOB_IDS, value=list(checkpoint.job_ids))
        except Exception as error:  # noqa: BLE001  (the submit does not depend on XCom)
            log.warning(
                "The job ids could not be pushed to XCom (%s). The last of %d job ids: %s.",
                *(_describe(error), number, checkpoint.job_ids[-MAX_LISTED:]),
            )
        else:
            self._published = number

    def push_result(self, result: Any) -> None:
        """Push the result before Airflow does, if the next try could not resume.

        An error is then raised while the task can still fail without a retry.
        """
        if not self.is_durable and hasattr(self._task_instance, "xcom_push"):
            self._task_instance.xcom_push(key="return_value", value=result)

    def published_ids(self) -> list[str]:
        """Return the job ids that this try pushed to XCom before its deferral; empty if they cannot be read."""
        ti = self._task_instance
        try:
            return list(ti.xcom_pull(task_ids=ti.task_id, key=JOB_IDS, map_indexes=ti.map_index) or [])
        except Exception:  # noqa: BLE001  (only used in a message)
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
                f"The checkpoint of an earlier try is incomplete ({_describe(error)}), so the accepted batches are "
                "unknown; nothing was sent. Check the vendor's web UI for jobs. To submit all records, delete the task "
                "state of this task instance, then clear the task."
            ) from error

    def _write_with_retries(self, checkpoint: Checkpoint) -> None:
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
            log.warning("The checkpoint could not be written (%s); retrying", _describe(error))
            self.publish(checkpoint)  # now: the ids must reach XCom also if the state is never written

        attempts = Retrying(
            retry=retry_if_exception(_is_transient),
            wait=wait_exponential(max=MAX_RETRY_DELAY),
            stop=stop_after_attempt(WRITE_ATTEMPTS) | stop_after_delay(WRITE_SECONDS),
            sleep=time.sleep,
            before_sleep=on_retry,
            reraise=True,
        )
        try:
            attempts(self._write, checkpoint)
        except Exception as error:
            self._is_behind = _progress(checkpoint) != self._stored
            self.publish(checkpoint)
            raise CheckpointError(
                f"The checkpoint could not be written to Airflow's task state ({_describe(error)})."
            ) from error

    def _write(self, checkpoint: Checkpoint) -> None:
        number = len(checkpoint.job_ids)
        if number > self._stored_ids:
            part = (number - 1) // PART
            set_task_state(self._state, f"{STATE}_{part}", checkpoint.job_ids[part * PART :])
        set_task_state(self._state, STATE, {**checkpoint.to_json(), JOB_IDS: number})
        self._stored_ids, self._stored, self._is_behind = number, _progress(checkpoint), False


def _progress(checkpoint: Checkpoint) -> tuple[int, dict[str, str | int]]:
    """Return what must not be forgotten: a request that is in flight is either known to the store, or was not sent."""
    return checkpoint.accepted, dict(checkpoint.progress)


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, Exception) and not isinstance(error, TypeError | ValueError) and not is_disowned(error)


def _describe(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {redact(str(error))[:200]}"
