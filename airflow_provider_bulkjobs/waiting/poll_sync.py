# SPDX-License-Identifier: Apache-2.0
"""Ask about every unfinished job of a wait once, on a worker."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.failures import JobGoneError
from airflow_provider_bulkjobs.waiting.tracker import NEW_KEY

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook
    from airflow_provider_bulkjobs.http.retry import Patience
    from airflow_provider_bulkjobs.waiting.tracker import Wait

# What may be over by the next poll, though it is no use to wait for that in a worker slot.
MAY_PASS = (
    errors.VendorUnavailableError,
    errors.ConnectionLookupError,
    errors.WaitTooLongError,
    errors.DeadlineReachedError,
)
KEY_PAUSE = 1.0  # seconds before another key is tried in the same process


def ask_about_all(
    hook: BulkJobHook, wait: Wait, patience: Patience, *, silent_fail: bool, is_last_poll: bool = False
) -> None:
    """Ask about each unfinished job, and log what is new.

    :param silent_fail: log the errors that concern one job, and continue with the others.
    :param is_last_poll: of this process. The next one does not know which keys have been refused, so that several are
        tried at once.
    :raises JobGoneError: a job that was seen before is gone.
    :raises BulkJobError: anything else that went wrong.
    """
    try:
        for job_id in wait.unfinished:
            try:
                while not _ask_with_renewed_key(hook, wait, patience, job_id):
                    if silent_fail:
                        break
                    if not is_last_poll:
                        return
                    time.sleep(KEY_PAUSE)
            except errors.JobVanishedError as error:
                raise JobGoneError(str(error)) from error
            except (errors.VendorAnswerError, errors.UnknownStateError, errors.UnsafeAnswerError) as error:
                if not silent_fail:
                    raise
                hook.log.error("%s Continuing, because of silent_fail.", error)  # noqa: TRY400
    finally:
        if news := wait.news():
            hook.log.info("%s", news)


def _ask_with_renewed_key(hook: BulkJobHook, wait: Wait, patience: Patience, job_id: str) -> bool:
    """Ask; return ``False`` where the vendor refused the key, and the connection has another one by now."""
    key = hook.account.fingerprint
    try:
        _ask(hook, wait, patience, job_id)
    except errors.CredentialsError as error:
        if not hook.reread_connection():
            raise
        wait.note_refused_key(key, error)
        hook.log.warning("%s %s", error, NEW_KEY)
        return False
    return True


def _ask(hook: BulkJobHook, wait: Wait, patience: Patience, job_id: str) -> None:
    meter = hook.driver.meter
    try:
        job = hook.driver.run(partial(wait.kind.status, hook.account, job_id), patience)
    except errors.BulkJobError as error:
        wait.note_error(job_id, error)
    else:
        if wait.note(job, time.time()):
            meter.finished(job)
    finally:
        meter.poll()
