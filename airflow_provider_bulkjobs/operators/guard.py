# SPDX-License-Identifier: Apache-2.0
"""Fail a task without a retry if a retry would submit records a second time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from inspect import isgeneratorfunction
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs._airflow import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
    before_skip,
    ended_from_outside,
)
from airflow_provider_bulkjobs.exceptions import BulkJobError, PartialSubmitError, UnknownOutcomeError
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.submitting.submit_report import named

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.submitting.submission import Submission

# Airflow does not retry after these.
NOT_RETRIED = (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

log = logging.getLogger(__name__)


@contextmanager
def fail_without_retry(
    context: Context,
    *,
    trigger_failed: bool = False,
    retry_is_safe: Callable[[], bool],
    describe: Callable[[BaseException], str],
    on_kill: Callable[[], None],
) -> Iterator[None]:
    """Raise :class:`PartialSubmitError` instead of an error that Airflow would retry, unless a retry is safe.

    ``soft_fail`` and ``never_fail`` do not apply to that error, even if the skip has already been raised.

    :param trigger_failed: the trigger failed or timed out. From Airflow 3.0 on, such a timeout has the same type as the
        sensor's, although the state of the jobs is unknown.
    :param describe: returns the message for the error.
    :param on_kill: Airflow calls it at a timeout of the task, but not at this error.
    """
    try:
        yield
    except BaseException as error:
        cause = before_skip(error)
        if isinstance(cause, PartialSubmitError):
            raise cause  # noqa: B904  (it has its own cause)
        if isinstance(cause, UnknownOutcomeError):
            raise PartialSubmitError(str(cause)) from cause
        state_unknown = trigger_failed and isinstance(cause, AirflowSensorTimeout)
        if retry_is_safe() or (isinstance(cause, NOT_RETRIED) and not state_unknown):
            raise
        if not isinstance(cause, Exception) and ended_from_outside(context):
            raise
        if isinstance(cause, AirflowTaskTimeout):
            try:
                on_kill()
            except Exception:
                log.exception("The jobs could not be canceled")
        raise PartialSubmitError(describe(cause)) from cause


def guarded_hook(hook: Callable[..., Any], guard: Callable[[], AbstractContextManager[None]]) -> Callable[..., Any]:
    """Return a ``post_execute`` hook that runs inside a guard; it may be a generator function, as Airflow allows."""

    def call(*args: Any) -> Any:
        with guard():
            return hook(*args)

    def generate(*args: Any) -> Any:
        with guard():
            yield from hook(*args)

    return generate if isgeneratorfunction(hook) else call


def describe_submit_error(error: BaseException, submission: Submission) -> str:
    """Return the message of an error that ended a submit."""
    message = str(error) if isinstance(error, BulkJobError) else f"{_error_text(error)}. {submission.report}"
    return f"{message} Not retried: a retry would submit the records a second time."


def describe_wait_error(error: BaseException, job_ids: list[str]) -> str:
    """Return the message of an error that ended a wait."""
    return (
        f"{_error_text(error)}. All records were submitted ({named(job_ids)}). Not retried: a retry would submit the "
        "records a second time. Use a BulkJobSensor with the job_ids from XCom."
    )


def _error_text(error: BaseException) -> str:
    if isinstance(error, BulkJobError):
        return str(error).rstrip(".")
    return f"{type(error).__name__}: {redact(str(error))}".rstrip(": .")
