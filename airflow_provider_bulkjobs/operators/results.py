# SPDX-License-Identifier: Apache-2.0
"""Fetch the result of each item of a job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_bulkjobs._airflow import AirflowSkipException, BaseOperator
from airflow_provider_bulkjobs.arguments import check_literal, read_conn_id, read_job_ids
from airflow_provider_bulkjobs.exceptions import BadArgumentError, NoJobsError, VendorAPIError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook
    from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind

DEFAULT_MAX_BYTES = 1024**3


class BulkJobResultsOperator(BaseOperator):
    """Write the item results of finished jobs to a file: ``job_id``, ``status``, ``error``, ``item``.

    ``item`` is the vendor's record of the item; see docs/submitting.md. Returns the path and the numbers of rows and
    bytes. Skips if there is no job. Fails if a job counts failed items but the vendor lists none. The file is published
    under its name only when it is complete. It may contain personal data, so a new local file is readable by its owner
    only. XCom and the log never contain personal data.

    Example::

        failed_contacts = BulkJobResultsOperator(
            task_id="failed_contacts",
            conn_id="sendgrid_default",
            job_id=["17", "18"],  # or import_contacts.output["job_ids"], of a BulkJobOperator
            path="s3://warehouse/failed-{{ ds }}.jsonl",
            only="failed",
            trigger_rule="all_done",
        )

    :param conn_id: the connection; its type selects the vendor. (templated)
    :param job_id: the vendor's id of the job, or a list of ids. (templated)
    :param path: path or URI of the file, for any storage that ObjectStoragePath supports. Its ending selects the
        format: ``.jsonl``, ``.csv`` or ``.parquet`` (needs ``pyarrow``), each also with ``.gz``, ``.bz2`` or ``.zst``.
        (templated)
    :param only: ``failed``: leave out the items that did not fail.
    :param as_records: write just the failed items, in the form in which they were submitted, ready for the ``records``
        of a :class:`~airflow_provider_bulkjobs.operators.bulk_job.BulkJobOperator`. Fails if the vendor does not return
        them.
    :param job_kind: one of the vendor's job kinds; default: the first one.
    :param max_bytes: maximum size of a file of the vendor, decompressed.
    """

    template_fields: Sequence[str] = ("conn_id", "job_id", "path")

    def __init__(
        self,
        *,
        conn_id: str,
        job_id: Any,
        path: Any,
        job_kind: str | None = None,
        only: Literal["failed"] | None = None,
        as_records: bool = False,
        max_bytes: int = DEFAULT_MAX_BYTES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"multiple_outputs": True, **kwargs})  # so that output["path"] is an XCom
        check_literal(conn_id, read_conn_id)
        check_literal(job_id, read_job_ids)
        self.conn_id = conn_id
        self.job_id = job_id
        self.path = path
        if only is not None and only != "failed":
            raise BadArgumentError(f"only={only!r:.60} is not valid: use 'failed', or leave it out for all items")
        self.job_kind = job_kind
        self.only = only
        self.as_records = as_records
        self.max_bytes = max_bytes

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Fetch the item results and write the file."""
        from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
        from airflow_provider_bulkjobs.results.item_results import iter_item_results
        from airflow_provider_bulkjobs.results.writers import RESULT_COLUMNS, RowsFile, result_row

        try:
            job_ids = read_job_ids(self.job_id)
        except NoJobsError as error:
            raise AirflowSkipException("job_id is empty: nothing was submitted, so there are no results") from error
        hook = hook_for(read_conn_id(self.conn_id))
        kind = hook.job_kind(self.job_kind)
        if self.as_records:
            self._check_records(hook, kind)
        counts: Counter[str] = Counter()
        missing = 0
        columns = () if self.as_records else RESULT_COLUMNS
        with RowsFile(self.path, columns, for_submit=self.as_records) as file:
            for job_id in job_ids:
                for outcome in iter_item_results(hook, kind, job_id, self.max_bytes):
                    if outcome.status != "failed" and (self.only or self.as_records):
                        continue
                    counts[outcome.status] += 1
                    if not self.as_records:
                        file.write(result_row(job_id, outcome))
                    elif outcome.record is None:
                        missing += 1
                    elif outcome.record:
                        file.write(outcome.record)
            if missing:
                raise VendorAPIError(
                    f"{hook.vendor.label} lists {counts.total()} failures without the records of {missing} of them, so "
                    "as_records=True would leave out records. No file was written.",
                    hint="Leave as_records out to see these failures, and take their records from the source.",
                )
        by_status = ", ".join(f"{number} {status}" for status, number in counts.items())
        self.log.info("Wrote %d rows (%s) for %d jobs to %s", file.rows, by_status or "no items", len(job_ids), file)
        return {"path": str(file), "rows": file.rows, "bytes": file.bytes}

    def _check_records(self, hook: BulkJobHook, kind: JobKind) -> None:
        """Check that the vendor returns the records that were submitted, before any request.

        :raises BadArgumentError: it returns none.
        """
        if not kind.returns_records:
            lacking = kind.not_returned or f"{hook.vendor.label} does not return the failed records of a {kind.noun}."
            raise BadArgumentError(
                f"as_records=True: {lacking} Leave as_records out to write what the vendor returns, and take the "
                "records from their source."
            )
        if kind.not_returned:
            self.log.warning(
                "%s Add the other fields from the source before you submit the records.", kind.not_returned
            )
