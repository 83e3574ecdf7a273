# SPDX-License-Identifier: Apache-2.0
"""Ask about every unfinished job of a wait once, on a worker."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.exceptions import JobExpiredError
from airflow_provider_bulkjobs.waiting.tracker import NEW_KEY

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.http.client import Client
    from airflow_provider_bulkjobs.http.retry import RetryPolicy
    from airflow_provider_bulkjobs.waiting.tracker import JobTracker

# What may be over by the next poll, though it is no use to wait for that in a worker slot.
MAY_PASS = (
    errors.VendorUnavailableError,
    errors.ConnectionLookupError,
    errors.RateLimitDelayError,
    errors.DeadlineExceededError,
)
KEY_PAUSE = 1.0  # seconds before another key is tried in the same process


def poll_all(
    client: Client, wait: JobTracker, policy: RetryPolicy, *, silent_fail: bool, is_last_poll: bool = False
) -> None:
    """Ask about each unfinished job, and log what is new.

    :param silent_fail: log the errors that concern one job, and continue with the others.
    :param is_last_poll: of this process. The next one does not know which keys have been refused, so that several are
        tried at once.
    :raises JobExpiredError: a job that was seen before is gone.
    :raises BulkJobError: anything else that went wrong.
    """
    try:
        for job_id in wait.unfinished:
            try:
                while not _ask_with_renewed_key(client, wait, policy, job_id):
                    if silent_fail:
                        break
                    if not is_last_poll:
                        return
                    time.sleep(KEY_PAUSE)
            except errors.JobDisappearedError as error:
                raise JobExpiredError(str(error)) from error
            except (errors.VendorAPIError, errors.UnknownStateError, errors.UntrustedResponseError) as error:
                if not silent_fail:
                    raise
                client.log.error("%s Continuing, because of silent_fail.", error)  # noqa: TRY400
    finally:
        if status_change := wait.status_change():
            client.log.info("%s", status_change)


def _ask_with_renewed_key(client: Client, wait: JobTracker, policy: RetryPolicy, job_id: str) -> bool:
    """Ask; return ``False`` where the vendor refused the key, and the connection has another one by now."""
    key = client.account.fingerprint
    try:
        _ask(client, wait, policy, job_id)
    except errors.AuthenticationError as error:
        if not client.reload_connection():
            raise
        wait.note_refused_key(key, error)
        client.log.warning("%s %s", error, NEW_KEY)
        return False
    return True


def _ask(client: Client, wait: JobTracker, policy: RetryPolicy, job_id: str) -> None:
    metrics = client.transport.metrics
    try:
        job = client.transport.run(partial(wait.kind.status, client.account, job_id), policy)
    except errors.BulkJobError as error:
        wait.record_error(job_id, error)
    else:
        if wait.note(job, time.time()):
            metrics.finished(job)
    finally:
        metrics.poll()
