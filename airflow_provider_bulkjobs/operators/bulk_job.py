# SPDX-License-Identifier: Apache-2.0
"""The operators: submit records as bulk jobs; fetching what became of each, and stopping jobs, are next door."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs._airflow import is_unplanned_run
from airflow_provider_bulkjobs.arguments import is_literal, read_allowed_failures, read_expected_items
from airflow_provider_bulkjobs.failures import JobExpiredError, JobFailedError, PartialSubmitError, before_skip
from airflow_provider_bulkjobs.links import push_page_link
from airflow_provider_bulkjobs.operators.cancel import BulkJobCancelOperator
from airflow_provider_bulkjobs.operators.checkpoint_store import TaskCheckpointStore
from airflow_provider_bulkjobs.operators.guard import describe_broken_submit, describe_broken_wait, ending_for_good
from airflow_provider_bulkjobs.operators.preparing import is_idempotent, prepare_records, read_operation
from airflow_provider_bulkjobs.operators.results import BulkJobResultsOperator
from airflow_provider_bulkjobs.sensors.base import DEFERRABLE, BulkJobBaseSensor
from airflow_provider_bulkjobs.submitting.submit_report import named
from airflow_provider_bulkjobs.waiting.messages import task_docs
from airflow_provider_bulkjobs.waiting.summary import nothing, with_missing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint
    from airflow_provider_bulkjobs.submitting.submission import Submission

TRIGGER_FAILED = "__fail__"  # what Airflow names as the method to resume with

__all__ = ["BulkJobCancelOperator", "BulkJobOperator", "BulkJobResultsOperator"]


class BulkJobOperator(BulkJobBaseSensor):
    """Submit records as bulk jobs, and wait for their result like
    :class:`~airflow_provider_bulkjobs.sensors.bulk_job.BulkJobSensor`.

    All records are read and checked before the first request. They are cut by the vendor's limits and sent within
    its rate limits; the id of each job is pushed to XCom (``job_ids``) before the next request. On Airflow 3.3 and
    later a retry goes on with the first request that was not accepted. What the vendor would do twice is never sent
    twice: where nobody knows whether a request was obeyed, the task fails, and says so.

    Returns what the sensor returns, with the numbers of records ``submitted`` and ``rejected`` (left out by
    ``skip_invalid``) or, without ``wait_for_completion``, the list of the job ids. Raises what the sensor raises,
    ``BadArgumentError`` for records or options that cannot be submitted (nothing is sent then), and
    :class:`~airflow_provider_bulkjobs.failures.PartialSubmitError` for a submit that must not be retried.

    :param conn_id: the connection; its type says which vendor. (templated)
    :param job_kind: which of the vendor's job kinds; its first one if not given.
    :param operation: what to do with the records (see docs/submitting.md); may be left out where there is only one.
    :param records: a list of dicts, a task's output, or the path or URI of a JSON Lines or CSV file, also gzipped. The
        fields are the vendor's own. In CSV, an empty cell is a field that is not given. (templated)
    :param options: options of the vendor's request, by their names. (templated)
    :param wait_for_completion: wait for the jobs; without, hand ``output`` to a ``BulkJobSensor``.
    :param skip_invalid: leave out records that the vendor's documentation rules out, instead of sending none.
    :param results_path: the file that the records left out are written to, as JSON Lines. (templated)
    :param allow_empty: having no records is no error.
    """

    template_fields: Sequence[str] = ("records", "options", "results_path", *BulkJobBaseSensor.template_fields)
    template_fields_renderers = {"options": "json", "records": "json"}  # noqa: RUF012  (as Airflow declares it)

    def __init__(
        self,
        *,
        conn_id: str,
        job_kind: str | None = None,
        operation: str | None = None,
        records: Any = None,
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
        does = "Submits the records and waits for the" if wait_for_completion else "Submits the records as"
        kwargs.setdefault("doc_md", task_docs(does, conn_id, job_kind, allowed_failures))
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
            raise errors.BadArgumentError("skip_invalid=True needs results_path: the file for the records left out")
        self.operation = operation
        self.records = records
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
                f"mode={self.mode!r} would submit again at each poke: use deferrable=True, or "
                "wait_for_completion=False with a BulkJobSensor"
            )

    def execute(self, context: Context) -> Any:
        """Submit, and wait if asked to."""
        self._check_mode()
        self._submission = None
        checkpoints = TaskCheckpointStore(context)
        earlier = checkpoints.load()  # at once, so that XCom has the jobs there are, whatever goes wrong from here on
        with self._submitted_once(context, checkpoints):
            if earlier and earlier.finished:
                self.job_id = earlier.job_ids
                self._submitted, self._rejected = earlier.finished.submitted, earlier.finished.rejected
                self.log.info(
                    "An earlier try has submitted all records and had its result, which Airflow has not stored. "
                    "Nothing is submitted again. This try continues with the jobs of that one (%s).",
                    named(earlier.job_ids),
                )
            else:
                submission = self._submit(context, checkpoints, earlier)
                if not self.job_id:
                    none = nothing(submission.vendor, self.conn_id, submission.kind)
                    return self._counted(none) if self.wait_for_completion else []
            return self._deliver(context, checkpoints, super().execute if self.wait_for_completion else self._list_jobs)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a deferral; also where the trigger failed, and no method of the task is called."""
        known = (next_kwargs or {}).get("idempotent")
        self._idempotent = is_idempotent(self.conn_id, self.job_kind, self.operation) if known is None else known
        failed = next_method == TRIGGER_FAILED
        with self._submitted_once(context, TaskCheckpointStore(context), resumed=True, trigger_failed=failed):
            return super().resume_execution(next_method, next_kwargs, context)

    def execute_complete(
        self, context: Context, event: Any = None, submitted: int = 0, rejected: int = 0, idempotent: bool = False
    ) -> dict[str, Any]:
        """Judge what the trigger has found out; return the result."""
        self._submitted, self._rejected, self._idempotent = submitted, rejected, idempotent
        checkpoints = TaskCheckpointStore(context)
        judge = super().execute_complete
        with self._submitted_once(context, checkpoints, resumed=True):
            return dict(self._deliver(context, checkpoints, lambda context: judge(context, event)))

    def _deliver(self, context: Context, checkpoints: TaskCheckpointStore, get_result: Callable[[Context], Any]) -> Any:
        """Return the result; note that the submit is finished, also where the jobs are judged to have failed."""
        try:
            result = get_result(context)
            if self.do_xcom_push and not self._idempotent:
                checkpoints.push_result(result)
        except BaseException as error:
            if isinstance(before_skip(error), JobFailedError | JobExpiredError):
                checkpoints.finish(self._submitted, self._rejected)
            raise
        checkpoints.finish(self._submitted, self._rejected)
        return result

    def _list_jobs(self, context: Context) -> list[str]:
        if (hook := self._hook) and (page := push_page_link(context, hook, hook.job_kind(self.job_kind))):
            self.log.info("%s shows such jobs at %s", hook.vendor.label, page)
        return list(self.job_id)

    def _submit(self, context: Context, checkpoints: TaskCheckpointStore, earlier: Checkpoint | None) -> Submission:
        """Prepare everything that can be wrong without asking the vendor, in the order in which users would mend it."""
        from airflow_provider_bulkjobs.submitting.options import read_options
        from airflow_provider_bulkjobs.submitting.submission import Submission

        read_allowed_failures(self.allowed_failures)
        read_expected_items(self.expected_items)
        hook, kind, operation = read_operation(
            self.conn_id, self.job_kind, self.operation, stoppable=self.cancel_on_kill
        )
        self._hook, self._idempotent = hook, operation.idempotent
        if is_unplanned_run(context) and not (operation.idempotent or checkpoints.is_durable):
            raise PartialSubmitError(
                "Airflow started this task again, and neither as a retry nor after a clear: an earlier run was lost, "
                f"and may have submitted records. Nothing was sent in this run. Check {hook.vendor.label} for what the "
                "earlier run submitted. To submit all records, clear the task."
            )
        self._submission = submission = Submission(
            hook, kind.name, operation, read_options(operation, self.options), self.log
        )
        with submission:
            if submission.takes_records:
                prepare_records(
                    submission,
                    self.records,
                    skip_invalid=self.skip_invalid,
                    results_path=self.results_path,
                    allow_empty=self.allow_empty,
                    log=self.log,
                )
            elif self.records is not None:
                raise errors.BadArgumentError(f"records are given, and the operation {operation.name!r} takes none")
            self._submitted, self._rejected = submission.batcher.items, submission.invalid
            with ending_for_good(
                context,
                retry_is_safe=lambda: not submission.has_sent or operation.idempotent or checkpoints.is_durable,
                describe=lambda error: describe_broken_submit(error, submission),
                on_kill=self.on_kill,
            ):
                self.job_id = submission.send(checkpoints, earlier).job_ids if submission.requests else []
        return submission

    def _submitted_once(
        self, context: Context, checkpoints: TaskCheckpointStore, *, resumed: bool = False, trigger_failed: bool = False
    ) -> AbstractContextManager[None]:
        def retry_is_safe() -> bool:
            sent = resumed or (self._submission is not None and self._submission.has_sent)
            return not sent or self._idempotent or checkpoints.is_durable

        return ending_for_good(
            context,
            trigger_failed=trigger_failed,
            retry_is_safe=retry_is_safe,
            describe=lambda error: describe_broken_wait(error, self.job_id or checkpoints.published_ids()),
            on_kill=self.on_kill,
        )

    def _remember(self) -> dict[str, Any]:
        return {"submitted": self._submitted, "rejected": self._rejected, "idempotent": self._idempotent}

    def _pass(self, result: dict[str, Any]) -> dict[str, Any]:
        if self._submitted:
            if self.expected_items is None:
                self.expected_items = self._submitted
            if result["total"] is not None and result["total"] < self._submitted:
                self.log.warning(
                    "%d records were submitted, and the vendor tells of %d: the others count as failed",
                    *(self._submitted, result["total"]),
                )
                result = with_missing(result, self._submitted)
        return self._counted(super()._pass(result))

    def _counted(self, result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "submitted": self._submitted, "rejected": self._rejected}

    def _open_jobs(self) -> list[str]:
        return super()._open_jobs() if self._tracker or not self._submission else self._submission.job_ids
