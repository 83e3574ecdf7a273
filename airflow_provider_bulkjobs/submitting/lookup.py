# SPDX-License-Identifier: Apache-2.0
"""Look up a request of unknown outcome at the vendor: only what it returns of the request itself proves anything.

A request that is not found may still be executed: its worker may be suspended, and continue later.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_bulkjobs.exceptions import BulkJobError, TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow
from airflow_provider_bulkjobs.vendors.spec.operation import Operation

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_bulkjobs.http.client import Client
    from airflow_provider_bulkjobs.submitting.batches import Batch
    from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint

ATTEMPTS = 5


def marker_of(batch: Batch, checkpoint: Checkpoint) -> str:
    """Return a text that no other request has; empty if the checkpoint is of an earlier version."""
    return f"{checkpoint.submit_id}-{batch.number}" if checkpoint.submit_id else ""


def find_job(
    client: Client, kind: str, operation: Operation, *, batch: Batch, checkpoint: Checkpoint, log: Logger
) -> str | None:
    """Return the job that proves that the request in flight was executed, or ``None`` if nothing does."""
    if operation.supports_append and checkpoint.open_items:
        return _open_job(client, kind, batch, checkpoint, log)
    if operation.find and (marker := marker_of(batch, checkpoint)):
        return _listed_job(client, partial(operation.find, client.account, marker), log)
    return None


def _open_job(client: Client, kind_name: str, batch: Batch, checkpoint: Checkpoint, log: Logger) -> str | None:
    """Return the open job if it has the records of the request, too."""
    from airflow_provider_bulkjobs.http.retry import RetryPolicy

    job_id = checkpoint.job_ids[-1]
    [kind] = (kind for kind in client.vendor.kinds if kind.name == kind_name)
    policy = RetryPolicy(max_attempts=ATTEMPTS, on_retry=log.warning)
    try:
        job = client.transport.run(lambda: kind.status(client.account, job_id), policy)
    except BulkJobError as error:
        log.warning("The outcome of the request in flight could not be read from job %s. %s", job_id, error)
        return None
    known, expected = checkpoint.open_items, checkpoint.open_items + batch.items
    log.info("Job %s has %s items: %s without the request in flight, %s with it", job_id, job.total, known, expected)
    return job_id if job.total == expected else None


def _listed_job(client: Client, find: Callable[[], Flow[str | None]], log: Logger) -> str | None:
    """Return the job that the vendor lists with the marker of the request; it may take some seconds to list it."""
    from airflow_provider_bulkjobs.http.retry import RetryPolicy

    def find_listed() -> Flow[str]:
        job_id = yield from find()
        if job_id is None:
            raise TransientError(f"{client.vendor.label} does not list the request in flight")
        return job_id

    try:
        job_id: str = client.transport.run(find_listed, RetryPolicy(max_attempts=ATTEMPTS, on_retry=log.warning))
    except BulkJobError as error:
        log.warning("The outcome of the request in flight could not be read. %s", error)
        return None
    log.info("%s lists the request in flight as job %s", client.vendor.label, job_id)
    return job_id
