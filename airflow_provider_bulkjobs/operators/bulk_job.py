# SPDX-License-Identifier: Apache-2.0
"""The operator that submits records as bulk jobs. It also exports the operators for results and for cancelling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import before_skip, is_unplanned_run
from airflow_provider_bulkjobs.arguments import is_literal, read_allowed_failures, read_expected_items
from airflow_provider_bulkjobs.exceptions import JobExpiredError, JobFailedError, PartialSubmitError
from airflow_provider_bulkjobs.links import push_page_link
from airflow_provider_bulkjobs.operators.cancel import BulkJobCancelOperator
from airflow_provider_bulkjobs.operators.checkpoint_store import TaskCheckpointStore
from airflow_provider_bulkjobs.operators.guard import (
    describe_submit_error,
    describe_wait_error,
    fail_without_retry,
    guarded_hook,
)
from airflow_provider_bulkjobs.operators.preparing import (
    check_source_arguments,
    is_idempotent,
    prepare_records,
    read_operation,
    rejected_file,
)
from airflow_provider_bulkjobs.operators.results import BulkJobResultsOperator
from airflow_provider_bulkjobs.sensors.base import DEFERRABLE, TRIGGER_FAILED, BulkJobBaseSensor
from airflow_provider_bulkjobs.submitting.submit_report import named
from airflow_provider_bulkjobs.waiting.messages import NEXT_STEPS_OF_SUBMIT, task_docs
from airflow_provider_bulkjobs.waiting.summary import empty_result

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint
    from airflow_provider_bulkjobs.submitting.submission import Submission

__all__ = ["BulkJobCancelOperator", "BulkJobOperator", "BulkJobResultsOperator"]


class BulkJobOperator(BulkJobBaseSensor):
    """Submit records as bulk jobs, and wait for their result like
    :class:`~airflow_provider_bulkjobs.sensors.bulk_job.BulkJobSensor`.

    All records are read and checked before the first request. They are split into batches by the vendor's limits and
    sent within its rate limits; the id of each job is pushed to XCom (``job_ids``) before the next request. On Airflow
    3.3 and later a retry resumes with the first batch that was not accepted. A request that is not idempotent is never
    sent twice: if its outcome is unknown, the task fails with a message that says so.

    Returns the sensor's result, with the numbers of records ``submitted`` and ``rejected`` (left out by
    ``skip_invalid``) or, without ``wait_for_completion``, the list of the job ids. Raises the sensor's exceptions,
    ``BadArgumentError`` for records or options that cannot be submitted (nothing is sent then), and
    :class:`~airflow_provider_bulkjobs.exceptions.PartialSubmitError` for a submit that must not be retried.

    Example::

        import_contacts = BulkJobOperator(
            task_id="import_contacts",
            conn_id="sendgrid_default",
            operation="upsert",
            records="s3://warehouse/contacts-{{ ds }}.csv",
            columns={"EMAIL": "email", "FIRST_NAME": "first_name"},
            allowed_failures=0.01,
            deferrable=True,
        )

    :param conn_id: the connection; its type selects the vendor. (templated)
    :param job_kind: one of the vendor's job kinds; default: the first one.
    :param operation: what to do with the records (see docs/submitting.md); optional if the job kind has only one.
    :param records: a list of dicts, a task's output, a data frame, a query
        (:class:`~airflow_provider_bulkjobs.records.SqlRecords`), or the path or URI of a CSV, JSON Lines, Parquet or
        Arrow file, also compressed; for part files, their folder, a pattern, the common start of their names, or a list
        of paths. In a table, an empty cell or a null is an omitted field. (templated)
    :param columns: a dict of the vendor's field for each column that is submitted; the others are left out. Or a list
        of the columns that are submitted; for rows without names, it names them in order. Default: all columns, under
        the vendor's names. (templated)
    :param read_options: how CSV files are written: delimiter, quote, escape, encoding, header, column_names,
        null_values (see docs/submitting.md). (templated)
    :param format: csv, jsonl, parquet or arrow, for files whose name does not end so. (templated)
    :param options: options of the vendor's request, by name. (templated)
    :param wait_for_completion: wait for the jobs; if false, pass ``output`` to a ``BulkJobSensor``.
    :param skip_invalid: leave out invalid records instead of failing; valid means as the vendor documents it.
    :param results_path: the file for the records left out; its ending selects the format, like that of the results
        operator. (templated)
    :param allow_empty: succeed if there are no records.
    """

    template_fields: Sequence[str] = (
        *("records", "columns", "read_options", "format", "options", "results_path"),
        *BulkJobBaseSensor.template_fields,
    )
    template_ext: Sequence[str] = (".sql",)  # of a query in records
    template_fields_renderers = dict.fromkeys(("options", "records", "columns", "read_options"), "json")
    _next_steps = NEXT_STEPS_OF_SUBMIT

    def __init__(
        self,
        *,
        conn_id: str,
        job_kind: str | None = None,
        operation: str | None = None,
        records: Any = None,
        columns: Any = None,
        read_options: Any = None,
        format: Any = None,  # noqa: A002  (the name that users know from other operators)
        options: Any = None,
        wait_for_completion: bool = True,
        skip_invalid: bool = False,
        results_path: Any = None,
        allow_empty: bool = False,
        allowed_failures: Any = 0,
        expected_items: Any = None,
        cancel_on_kill: bool = False,
        deferrable: bool = DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        action = "Submits the records and waits for the" if wait_for_completion else "Submits the records as"
        kwargs.setdefault("doc_md", task_docs(action, conn_id, job_kind, allowed_failures))
        super().__init__(
            conn_id=conn_id,
            job_kind=job_kind,
            allowed_failures=allowed_failures,
            expected_items=expected_items,
            cancel_on_kill=cancel_on_kill,
            deferrable=deferrable,
            **kwargs,
        )
        self._check_mode()  # it may also come from default_args
        if skip_invalid and is_literal(results_path) and not results_path:
            raise errors.BadArgumentError("skip_invalid=True requires results_path, the file for the records left out")
        check_source_arguments(columns, read_options, format)
        self.operation = operation
        self.records = records
        self.columns = columns
        self.read_options = read_options
        self.format = format
        self.options = options
        self.wait_for_completion = wait_for_completion
        self.skip_invalid = skip_invalid
        self.results_path = results_path
        self.allow_empty = allow_empty
        self.job_id = None
        self._submission: Submission | None = None
        self._submitted = self._rejected = 0
        self._idempotent = False

    def _check_mode(self) -> None:
        if self.mode != "poke":
            raise errors.BadArgumentError(
                f"mode={self.mode!r} would submit the records again at each poke. Use deferrable=True, or "
                "wait_for_completion=False with a BulkJobSensor"
            )

    def execute(self, context: Context) -> Any:
        """Submit the records; wait for the jobs if ``wait_for_completion`` is set."""
        self._check_mode()
        self._submission = None
        self.vendor_page = ""
        checkpoints = TaskCheckpointStore(context)
        earlier = checkpoints.load()  # first, so that XCom has the earlier job ids even if this try fails
        with self._prevent_resubmit(context, checkpoints):
            if earlier and earlier.finished:
                self.job_id = earlier.job_ids
                self._submitted, self._rejected = earlier.finished.submitted, earlier.finished.rejected
                self.log.info(
                    "An earlier try submitted all records and finished, but Airflow did not store its result. No "
                    "records are submitted. Continuing with the jobs of the earlier try (%s).",
                    named(earlier.job_ids),
                )
            else:
                submission = self._submit(context, checkpoints, earlier)
                if not self.job_id:
                    none = empty_result(submission.vendor, self.conn_id, submission.kind)
                    return self._counted(none) if self.wait_for_completion else []
            return self._deliver(context, checkpoints, super().execute if self.wait_for_completion else self._list_jobs)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a deferral, also if the trigger failed: Airflow calls no other method then."""
        known = (next_kwargs or {}).get("idempotent")
        self._idempotent = is_idempotent(self.conn_id, self.job_kind, self.operation) if known is None else known
        failed = next_method == TRIGGER_FAILED
        with self._prevent_resubmit(context, TaskCheckpointStore(context), resumed=True, trigger_failed=failed):
            return super().resume_execution(next_method, next_kwargs, context)

    def execute_complete(self, context: Context, event: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Evaluate the trigger's event; return the result."""
        from airflow_provider_bulkjobs.triggers.event import read_resume_kwargs

        kwargs = kwargs or read_resume_kwargs(event)  # dag.test() of Airflow 3 passes the event only
        self._submitted, self._rejected = kwargs.get("submitted", 0), kwargs.get("rejected", 0)
        self._idempotent = kwargs.get("idempotent", False)
        checkpoints = TaskCheckpointStore(context)
        judge = super().execute_complete
        with self._prevent_resubmit(context, checkpoints, resumed=True):
            return dict(self._deliver(context, checkpoints, lambda context: judge(context, event)))

    def _deliver(self, context: Context, checkpoints: TaskCheckpointStore, get_result: Callable[[Context], Any]) -> Any:
        """Return the result; record that the submit has finished, also if the jobs have failed."""
        try:
            result = get_result(context)
            if self.do_xcom_push and not self._idempotent:
                checkpoints.push_result(result)
        except BaseException as error:
            if isinstance(before_skip(error), JobFailedError | JobExpiredError):
                checkpoints.finish(self._submitted, self._rejected)
            raise
        checkpoints.finish(self._submitted, self._rejected)
        hook: Callable[..., Any] | None = self.__dict__.get("_post_execute_hook")
        if hook:  # Airflow calls it next, and retries the task where it fails
            self._post_execute_hook = guarded_hook(
                hook, lambda: self._prevent_resubmit(context, checkpoints, resumed=self._submission is None)
            )
        return result

    def _list_jobs(self, context: Context) -> list[str]:
        if hook := self._hook:
            self.vendor_page = push_page_link(context, hook, hook.job_kind(self.job_kind))
            if self.vendor_page:
                self.log.info("%s shows such jobs at %s", hook.vendor.label, self.vendor_page)
        return list(self.job_id)

    def _submit(self, context: Context, checkpoints: TaskCheckpointStore, earlier: Checkpoint | None) -> Submission:
        """Check everything that needs no request, in the order in which users would correct it; then submit."""
        from airflow_provider_bulkjobs.submitting.options import read_options
        from airflow_provider_bulkjobs.submitting.staged_files import require_folder
        from airflow_provider_bulkjobs.submitting.submission import Submission

        read_allowed_failures(self.allowed_failures)
        read_expected_items(self.expected_items)
        hook, kind, operation = read_operation(
            self.conn_id, self.job_kind, self.operation, cancelable=self.cancel_on_kill
        )
        self._hook, self._idempotent = hook, operation.idempotent
        if is_unplanned_run(context) and not (operation.idempotent or checkpoints.is_durable):
            raise PartialSubmitError(
                "Airflow has started this task again, and not as a retry: an earlier run was lost, or the task was "
                "cleared while it ran. That run may have submitted records, so nothing was sent in this one. Check "
                f"{hook.vendor.label} for jobs of the earlier run. To submit all records, clear the task."
            )
        options = read_options(operation, self.options)
        require_folder(operation, options)
        self._submission = submission = Submission(hook, kind.name, operation, options, self.log)
        with submission, rejected_file(self.skip_invalid, self.results_path, self.log) as rejected:
            if submission.takes_records:
                prepare_records(
                    submission,
                    self.records,
                    columns=self.columns,
                    read_options=self.read_options,
                    file_format=self.format,
                    rejected=rejected,
                    allow_empty=self.allow_empty,
                    log=self.log,
                )
            elif self.records is not None:
                raise errors.BadArgumentError(
                    f"records: the operation {operation.name!r} takes none. Remove the argument."
                )
            with fail_without_retry(
                context,
                retry_is_safe=lambda: not submission.has_sent or operation.idempotent or checkpoints.is_durable,
                describe=lambda error: describe_submit_error(error, submission),
                on_kill=self.on_kill,
            ):
                self.job_id = submission.send(checkpoints, earlier).job_ids if submission.requests or earlier else []
                self._submitted, self._rejected = submission.submitted, submission.rejected
                if not self._submitted and self._rejected > submission.invalid and not self.allow_empty:
                    raise errors.BadArgumentError(
                        f"records: all {self._rejected} records are invalid or were refused by {hook.vendor.label}. "
                        "Check the upstream task, or set allow_empty=True."
                    )
        return submission

    def _prevent_resubmit(
        self, context: Context, checkpoints: TaskCheckpointStore, *, resumed: bool = False, trigger_failed: bool = False
    ) -> AbstractContextManager[None]:
        def retry_is_safe() -> bool:
            sent = resumed or (self._submission is not None and self._submission.has_sent)
            return not sent or self._idempotent or checkpoints.is_durable

        return fail_without_retry(
            context,
            trigger_failed=trigger_failed,
            retry_is_safe=retry_is_safe,
            describe=lambda error: describe_wait_error(error, self.job_id or checkpoints.published_ids()),
            on_kill=self.on_kill,
        )

    def _resume_kwargs(self) -> dict[str, Any]:
        return {"submitted": self._submitted, "rejected": self._rejected, "idempotent": self._idempotent}

    def _evaluate(self, result: dict[str, Any]) -> dict[str, Any]:
        if self._submitted and self.expected_items is None:
            self.expected_items = self._submitted
        return self._counted(super()._evaluate(result))

    def _submitted_items(self, result: dict[str, Any]) -> int | None:
        return self._submitted or super()._submitted_items(result)

    def _counted(self, result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "submitted": self._submitted, "rejected": self._rejected}

    def on_kill(self) -> None:
        """Stop the submit after the request in flight; cancel the unfinished jobs if ``cancel_on_kill`` is set."""
        if self._submission:
            self._submission.stop()
        super().on_kill()

    def _open_jobs(self) -> list[str]:
        return super()._open_jobs() if self._tracker or not self._submission else self._submission.job_ids
