# SPDX-License-Identifier: Apache-2.0
"""Canceling a job because its task was killed, on a worker and in the triggerer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_bulkjobs.exceptions import BulkJobError


@contextmanager
def canceling(log: Any, vendor: str, job_id: str) -> Iterator[None]:
    """Log the cancel request that is sent in this block. Its failure is logged, too: the other jobs come next.

    :param log: the task's logger.
    :param vendor: the name of the vendor.
    """
    log.info("Task killed: canceling %s job %s", vendor, job_id)
    try:
        yield
    except BulkJobError as error:
        log.warning("Job %s could not be canceled: %s", job_id, error)
