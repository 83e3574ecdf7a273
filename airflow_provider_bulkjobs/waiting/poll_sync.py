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
KEY_PAUSE = 1.0  # seconds before another key is tried by the same process


def poll_all(
    client: Client, tracker: JobTracker, policy: RetryPolicy, *, silent_fail: bool, is_last_poll: bool = False
) -> None:
    """Poll each unfinished job once, and log what has changed.

    :param silent_fail: log an error of a poll, and continue with the other jobs, as the trigger does; not those of
        ``MAY_PASS``, which the caller handles.
    :param is_last_poll: whether this process ends after it. The next process does not know the rejected keys, so
        several are tried at once.
    :raises JobExpiredError: a job that was seen before no longer exists.
    :raises BulkJobError: any other error.
    """
    try:
        for job_id in tracker.unfinished:
            try:
                while not _poll_with_key_renewal(client, tracker, policy, job_id):
                    if silent_fail:
                        break
                    if not is_last_poll:
                        return
                    time.sleep(KEY_PAUSE)
            except errors.JobDisappearedError as error:
                raise JobExpiredError(str(error)) from error
            except errors.BulkJobError as error:
                if not silent_fail or isinstance(error, MAY_PASS):
                    raise
                client.log.error("%s Continuing, because of silent_fail.", error)  # noqa: TRY400
    finally:
        if status_change := tracker.status_change():
            client.log.info("%s", status_change)


def _poll_with_key_renewal(client: Client, tracker: JobTracker, policy: RetryPolicy, job_id: str) -> bool:
    """Poll a job; return ``False`` if the vendor rejected the key and the connection has a new one."""
    key = client.account.fingerprint
    try:
        _poll_job(client, tracker, policy, job_id)
    except errors.AuthenticationError as error:
        if not client.reload_connection():
            raise
        tracker.note_refused_key(key, error)
        client.log.warning("%s %s", error, NEW_KEY)
        return False
    return True


def _poll_job(client: Client, tracker: JobTracker, policy: RetryPolicy, job_id: str) -> None:
    metrics = client.transport.metrics
    try:
        job = client.transport.run(partial(tracker.kind.status, client.account, job_id), policy)
    except errors.BulkJobError as error:
        tracker.record_error(job_id, error)
    else:
        if tracker.note(job, time.time()):
            metrics.finished(job)
    finally:
        metrics.poll()
