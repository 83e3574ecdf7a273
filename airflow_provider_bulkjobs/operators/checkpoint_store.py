# SPDX-License-Identifier: Apache-2.0
"""The checkpoint of a submit: job ids in XCom for other tasks, the rest in the task state for the next try."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_bulkjobs._airflow import is_disowned, set_task_state, task_state
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint, CheckpointError, Finished

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

JOB_IDS = "job_ids"  # in XCom
STATE = "bulkjobs"
PART = 500  # ids in one value of the task state, which limits the size of each write
PARTS = "parts"  # how many values have PART ids each; the other ids are with the rest of the checkpoint
# Airflow may be away for five minutes, and then takes some time to start.
MAX_ATTEMPTS = 16  # with delays of 1, 2, 4 … 30 s: five and a half minutes
MAX_SECONDS = 330.0  # no further attempt after that, also if the attempts are slow
MAX_RETRY_DELAY = 30.0
MAX_LISTED = 20  # job ids in a log line

T = TypeVar("T")
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
        self._parts = 0
        self._is_request_in_flight = False
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
        checkpoint = None
        if self._state is not None:
            checkpoint = self._read_with_retries()
        if checkpoint and checkpoint.finished and checkpoint.finished.max_tries != self._max_tries:
            checkpoint, self._parts = None, 0  # the task was cleared after it had its result
        now = checkpoint or Checkpoint("")
        self._stored, self._is_request_in_flight = _progress(now), now.in_flight
        self.publish(now)  # Airflow has cleared the XCom of the earlier try
        return checkpoint

    def save(self, checkpoint: Checkpoint) -> None:
        """Save the checkpoint and publish the job ids. While Airflow is away, this takes up to five and a half minutes.

        :raises CheckpointError: the checkpoint could not be written in that time; the ids are published anyway.
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

    def _read_with_retries(self) -> Checkpoint | None:
        try:
            return _retry(self._read, lambda error: log.warning("No checkpoint could be read (%s); retrying", error))
        except CheckpointError:
            raise
        except Exception as error:
            raise CheckpointError(
                f"The checkpoint of an earlier try could not be read from Airflow's task state ({_describe(error)}); "
                "nothing was sent. Check Airflow's API server and database, then retry the task."
            ) from error

    def _read(self) -> Checkpoint | None:
        values = self._state.get(STATE, False)
        if values is False:
            return None
        try:
            checkpoint = Checkpoint.from_json({name: value for name, value in values.items() if name != PARTS})
            parts = [self._state.get(f"{STATE}_{part}") for part in range(values[PARTS])]
            checkpoint.job_ids = [job_id for part in (*parts, checkpoint.job_ids) for job_id in part]
        except (AttributeError, TypeError, KeyError, ValueError) as error:
            raise CheckpointError(
                f"The checkpoint of an earlier try is incomplete ({_describe(error)}), so the accepted batches are "
                "unknown; nothing was sent. Check the vendor's web UI for jobs. To submit all records, delete the task "
                "state of this task instance, then clear the task."
            ) from error
        self._parts = len(parts)
        return checkpoint

    def _write_with_retries(self, checkpoint: Checkpoint) -> None:
        def on_failure(error: str) -> None:
            log.warning("The checkpoint could not be written (%s); retrying", error)
            self.publish(checkpoint)  # now: the ids must reach XCom also if the state is never written

        try:
            _retry(lambda: self._write(checkpoint), on_failure)
        except Exception as error:
            self._is_behind = _progress(checkpoint) != self._stored
            self.publish(checkpoint)
            raise CheckpointError(
                f"The checkpoint could not be written to Airflow's task state ({_describe(error)})."
            ) from error

    def _write(self, checkpoint: Checkpoint) -> None:
        """Write the checkpoint; what follows a request in flight is one write, which ends the doubt about it."""
        begin = self._parts * PART
        if len(checkpoint.job_ids) >= begin + PART and not self._is_request_in_flight:
            set_task_state(self._state, f"{STATE}_{self._parts}", checkpoint.job_ids[begin : begin + PART])
            self._parts += 1
            begin += PART
        values = {**checkpoint.to_json(), JOB_IDS: checkpoint.job_ids[begin:], PARTS: self._parts}
        set_task_state(self._state, STATE, values)
        self._stored, self._is_request_in_flight, self._is_behind = _progress(checkpoint), checkpoint.in_flight, False


def _retry(action: Callable[[], T], on_failure: Callable[[str], None]) -> T:
    """Call an action until Airflow's API server and database execute it, for at most ``MAX_SECONDS``.

    :param on_failure: called with the error before each further attempt.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_exponential

    attempts = Retrying(
        retry=retry_if_exception(_is_transient),
        wait=wait_exponential(max=MAX_RETRY_DELAY),
        stop=stop_after_attempt(MAX_ATTEMPTS) | stop_after_delay(MAX_SECONDS),
        sleep=time.sleep,
        before_sleep=lambda state: on_failure(_describe(state.outcome.exception() if state.outcome else None)),
        reraise=True,
    )
    return attempts(action)


def _progress(checkpoint: Checkpoint) -> tuple[int, dict[str, str | int]]:
    """Return what must not be forgotten: a request that is in flight is either known to the store, or was not sent."""
    return checkpoint.accepted, dict(checkpoint.progress)


def _is_transient(error: BaseException) -> bool:
    if not isinstance(error, Exception) or isinstance(error, TypeError | ValueError | CheckpointError):
        return False
    return not is_disowned(error)


def _describe(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {redact(str(error))[:200]}"
