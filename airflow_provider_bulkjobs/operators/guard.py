# SPDX-License-Identifier: Apache-2.0
"""End a task for good where a retry would submit again what must not be submitted twice."""

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

# Airflow retries none of these.
NOT_RETRIED = (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

log = logging.getLogger(__name__)


@contextmanager
def ending_for_good(
    context: Context,
    *,
    trigger_failed: bool = False,
    retry_is_safe: Callable[[], bool],
    describe: Callable[[BaseException], str],
    on_kill: Callable[[], None],
) -> Iterator[None]:
    """Raise :class:`PartialSubmitError` instead of an error that Airflow would retry, unless that is safe.

    Neither ``soft_fail`` nor ``never_fail`` skips that error, also where the skip has been raised already.

    :param trigger_failed: the trigger failed or timed out. From Airflow 3.0 on such a timeout looks like the sensor's
        own, although nothing is known of the jobs.
    :param describe: makes the message, from the error.
    :param on_kill: what Airflow would call at a timeout of the task, and does not at this error.
    """
    try:
        yield
    except BaseException as error:
        cause = before_skip(error)
        if isinstance(cause, PartialSubmitError):
            raise cause  # noqa: B904  (it has its own cause)
        if isinstance(cause, UnknownOutcomeError):
            raise PartialSubmitError(str(cause)) from cause
        blind = trigger_failed and isinstance(cause, AirflowSensorTimeout)
        if retry_is_safe() or (isinstance(cause, NOT_RETRIED) and not blind):
            raise
        if not isinstance(cause, Exception) and ended_from_outside(context):
            raise
        if isinstance(cause, AirflowTaskTimeout):
            try:
                on_kill()
            except Exception:
                log.exception("The jobs could not be stopped")
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


def describe_broken_submit(error: BaseException, submission: Submission) -> str:
    """Return the message for a submit that an error has ended."""
    told = str(error) if isinstance(error, BulkJobError) else f"{_words(error)}. {submission.account}"
    return f"{told} It is not retried: a retry would send records twice."


def describe_broken_wait(error: BaseException, job_ids: list[str]) -> str:
    """Return the message for a wait that an error has ended."""
    return (
        f"{_words(error)}. Everything was submitted ({named(job_ids)}). It is not retried: a retry would submit all "
        "again. Wait for the jobs (XCom job_ids) with a BulkJobSensor."
    )


def _words(error: BaseException) -> str:
    if isinstance(error, BulkJobError):
        return str(error).rstrip(".")
    return f"{type(error).__name__}: {redact(str(error))}".rstrip(": .")
