# SPDX-License-Identifier: Apache-2.0
"""Checks of the submitting operator before the first request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs.arguments import check_literal, is_literal, read_conn_id
from airflow_provider_bulkjobs.exceptions import BadArgumentError, OutputWriteError

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook
    from airflow_provider_bulkjobs.results.writers import RowsFile
    from airflow_provider_bulkjobs.submitting.submission import Submission
    from airflow_provider_bulkjobs.vendors.spec.operation import Operation
    from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind


def read_operation(
    conn_id: Any, job_kind: str | None, operation: str | None, *, cancelable: bool
) -> tuple[BulkJobHook, JobKind, Operation]:
    """Return the hook, the job kind and the operation that the arguments name.

    :param cancelable: whether the vendor must support cancelling the jobs.
    """
    from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
    from airflow_provider_bulkjobs.submitting.options import choose_operation

    hook = hook_for(read_conn_id(conn_id))
    kind = hook.cancelable_job_kind(job_kind) if cancelable else hook.job_kind(job_kind)
    return hook, kind, choose_operation(hook.vendor, kind, operation)


def is_idempotent(conn_id: Any, job_kind: str | None, operation: str | None) -> bool:
    """Return whether the operation is idempotent; ``False`` if that cannot be determined."""
    try:
        return read_operation(conn_id, job_kind, operation, cancelable=False)[2].idempotent
    except Exception:  # noqa: BLE001  (for example, the connection was deleted)
        return False


@contextmanager
def rejected_file(skip_invalid: bool, results_path: Any, log: Logger) -> Iterator[RowsFile | None]:
    """Open the file for the records that are left out, if some may be.

    It is published after the records were checked, and again at the end with those that the vendor has refused since,
    also if the submit fails.
    """
    from airflow_provider_bulkjobs.results.writers import REJECTED_COLUMNS, RowsFile

    if not skip_invalid:
        yield None
        return
    with RowsFile(results_path, REJECTED_COLUMNS) as file:
        try:
            yield file
        except BaseException:
            if file.is_outdated:
                try:
                    file.publish()
                except OutputWriteError as error:
                    log.warning("%s It lacks the records that the vendor has refused.", error)
            raise


def check_source_arguments(columns: Any, read_options: Any, file_format: Any) -> None:
    """Validate what can be known when the DAG is parsed, so not templates and the output of other tasks.

    :raises BadArgumentError: an argument is invalid.
    """
    if columns is None and read_options is None and file_format is None:
        return
    from airflow_provider_bulkjobs.submitting.columns import read_columns
    from airflow_provider_bulkjobs.submitting.csv_options import read_csv_options
    from airflow_provider_bulkjobs.submitting.formats import read_format

    for value, read in ((columns, read_columns), (read_options, read_csv_options), (file_format, read_format)):
        texts = value.values() if isinstance(value, Mapping) else ()
        if all(map(is_literal, texts)):
            check_literal(value, read)


def prepare_records(
    submission: Submission,
    records: Any,
    *,
    columns: Any,
    read_options: Any,
    file_format: Any,
    rejected: RowsFile | None,
    allow_empty: bool,
    log: Logger,
) -> None:
    """Read and check the records, and split them into batches.

    :raises BadArgumentError: there are no records, or some cannot be submitted.
    """
    from airflow_provider_bulkjobs.results.writers import rejected_row
    from airflow_provider_bulkjobs.submitting.parts import check_is_no_part
    from airflow_provider_bulkjobs.submitting.records import read_records

    if rejected is not None:
        check_is_no_part(records, str(rejected))
    rows = read_records(records, columns=columns, read_options=read_options, file_format=file_format)
    if rejected is None:
        submission.prepare(rows, None)
    else:
        submission.prepare(rows, lambda row: rejected.write(rejected_row(row)))
        rejected.publish()
        if submission.invalid:
            log.warning("%d records cannot be submitted; written to %s", submission.invalid, rejected)
    if not submission.batcher.items and not allow_empty:
        problem = f"all {submission.invalid} records are invalid" if submission.invalid else "there are none"
        raise BadArgumentError(f"records: {problem}. Check the upstream task, or set allow_empty=True.")
