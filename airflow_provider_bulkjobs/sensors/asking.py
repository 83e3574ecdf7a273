# SPDX-License-Identifier: Apache-2.0
"""Ask about every unfinished job of a wait once, on a worker."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_bulkjobs import errors
from airflow_provider_bulkjobs.failures import JobGoneError

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook
    from airflow_provider_bulkjobs.http.patience import Patience
    from airflow_provider_bulkjobs.wait import Wait


def ask_about_all(hook: BulkJobHook, wait: Wait, patience: Patience, *, silent_fail: bool) -> None:
    """Ask about each unfinished job, and log what is new.

    :param silent_fail: log the errors that concern one job, and go on with the others.
    :raises JobGoneError: a job that was seen before is gone.
    :raises BulkJobError: anything else that went wrong.
    """
    try:
        for job_id in wait.unfinished:
            try:
                _ask(hook, wait, patience, job_id)
            except errors.JobVanishedError as error:
                raise JobGoneError(str(error)) from error
            except (errors.VendorAnswerError, errors.UnknownStateError, errors.UnsafeAnswerError) as error:
                if isinstance(error, errors.CredentialsError) and hook.reread_connection():
                    hook.log.warning("%s The connection has changed since: going on with it at the next poll.", error)
                    return
                if not silent_fail:
                    raise
                hook.log.error("%s Going on, because of silent_fail.", error)  # noqa: TRY400
    finally:
        if news := wait.news():
            hook.log.info("%s", news)


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
