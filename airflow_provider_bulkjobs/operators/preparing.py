# SPDX-License-Identifier: Apache-2.0
"""What the submitting operator finds out before the first request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs.arguments import read_conn_id
from airflow_provider_bulkjobs.exceptions import BadArgumentError

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook
    from airflow_provider_bulkjobs.submitting.submission import Submission
    from airflow_provider_bulkjobs.vendors.spec.operation import Operation
    from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind


def read_operation(
    conn_id: Any, job_kind: str | None, operation: str | None, *, stoppable: bool
) -> tuple[BulkJobHook, JobKind, Operation]:
    """Return the hook, the job kind and the operation that the arguments name.

    :param stoppable: whether the vendor must be able to stop the jobs.
    """
    from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
    from airflow_provider_bulkjobs.submitting.options import choose_operation

    hook = hook_for(read_conn_id(conn_id))
    kind = hook.cancelable_job_kind(job_kind) if stoppable else hook.job_kind(job_kind)
    return hook, kind, choose_operation(hook.vendor, kind, operation)


def is_idempotent(conn_id: Any, job_kind: str | None, operation: str | None) -> bool:
    """Return whether the operation may be repeated; not if that cannot be found out now."""
    try:
        return read_operation(conn_id, job_kind, operation, stoppable=False)[2].idempotent
    except Exception:  # noqa: BLE001  (the connection is gone, for example)
        return False


def prepare_records(
    submission: Submission, records: Any, *, skip_invalid: bool, results_path: Any, allow_empty: bool, log: Logger
) -> None:
    """Read, check and cut the records.

    :raises BadArgumentError: there are none, or some that cannot be submitted.
    """
    from airflow_provider_bulkjobs.results.writers import JsonLinesFile, rejected
    from airflow_provider_bulkjobs.submitting.records import read_records

    rows = read_records(records)
    if not skip_invalid:
        submission.prepare(rows, None)
    else:
        with JsonLinesFile(results_path) as file:
            submission.prepare(rows, lambda row: file.write(rejected(row)))
        if submission.invalid:
            log.warning("%d records cannot be submitted; they are in %s", submission.invalid, file)
    if not submission.batcher.items and not allow_empty:
        left_out = f"all {submission.invalid} of them were left out" if submission.invalid else "there are none"
        raise BadArgumentError(f"records: {left_out}. Check what wrote them, or set allow_empty=True.")
