# SPDX-License-Identifier: Apache-2.0
"""The operators: submit records as bulk jobs; fetching what became of each, and stopping jobs, are next door."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_bulkjobs import errors
from airflow_provider_bulkjobs._airflow import AirflowSkipException, AirflowTaskTimeout
from airflow_provider_bulkjobs.arguments import (
    is_literal,
    read_allowed_failures,
    read_conn_id,
    read_expected_items,
)
from airflow_provider_bulkjobs.failures import JobFailedError, JobGoneError, SubmitBrokenOffError
from airflow_provider_bulkjobs.links import note_page
from airflow_provider_bulkjobs.operators.cancel import BulkJobCancelOperator
from airflow_provider_bulkjobs.operators.ledger import TaskLedger
from airflow_provider_bulkjobs.operators.results import BulkJobResultsOperator
from airflow_provider_bulkjobs.result import nothing, with_missing
from airflow_provider_bulkjobs.sensors.telling import task_docs
from airflow_provider_bulkjobs.sensors.waiting import DEFERRABLE, JobWaiter

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bulkjobs.submission import Submission

__all__ = ["BulkJobCancelOperator", "BulkJobOperator", "BulkJobResultsOperator"]


class BulkJobOperator(JobWaiter):
    """Submit records as bulk jobs, and wait for their result like
    :class:`~airflow_provider_bulkjobs.sensors.bulk_job.BulkJobSensor`.

    All records are read and checked before the first request. They are cut by the vendor's limits and sent within
    its rate limits; the id of each job is pushed to XCom (``job_ids``) before the next request. On Airflow 3.3 and
    later a retry goes on with the first request that was not accepted. What the vendor would do twice is never sent
    twice: where nobody knows whether a request was obeyed, the task fails, and says so.

    Returns what the sensor returns, with the numbers of records ``submitted`` and ``rejected`` (left out by
    ``skip_invalid``) or, without ``wait_for_completion``, the list of the job ids. Raises what the sensor raises,
    ``BadArgumentError`` for records or options that cannot be submitted (nothing is sent then), and
    :class:`~airflow_provider_bulkjobs.failures.SubmitBrokenOffError` for a submit that must not be retried.

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

    template_fields: Sequence[str] = ("records", "options", "results_path", *JobWaiter.template_fields)
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
        self._repeatable = False
        self._ledger: TaskLedger | None = None

    def _check_mode(self) -> None:
        if self.mode != "poke":
            raise errors.BadArgumentError(
                f"mode={self.mode!r} would submit again at each poke: use deferrable=True, or "
                "wait_for_completion=False with a BulkJobSensor"
            )

    def execute(self, context: Context) -> Any:
        """Submit, and wait if asked to."""
        self._check_mode()
        ledger = self._ledger = TaskLedger(context)
        earlier = ledger.load()  # at once, so that XCom has the jobs there are, whatever goes wrong from here on
        with self._submitting(ledger) as submission:
            self.job_id = submission.send(ledger, earlier).job_ids if submission.requests else []
        self._submitted, self._rejected = submission.spool.items, submission.invalid
        with _forgotten_when_judged(ledger):
            if not self.wait_for_completion:
                if (hook := self._hook) and (page := note_page(context, hook, hook.job_kind(self.job_kind))):
                    self.log.info("%s shows such jobs at %s", hook.vendor.label, page)
                return self.job_id
            if not self.job_id:
                return self._counted(nothing(submission.vendor, self.conn_id, submission.kind))
            with self._not_submitted_again(ledger):
                return super().execute(context)

    def execute_complete(
        self, context: Context, event: Any = None, submitted: int = 0, rejected: int = 0, repeatable: bool = False
    ) -> dict[str, Any]:
        """Judge what the trigger has found out; return the result."""
        self._submitted, self._rejected, self._repeatable = submitted, rejected, repeatable
        ledger = TaskLedger(context)
        with _forgotten_when_judged(ledger), self._not_submitted_again(ledger):
            return super().execute_complete(context, event)

    def on_kill(self) -> None:
        """Stop the jobs, if asked to; then a later run has nothing to go on with."""
        super().on_kill()
        if self.cancel_on_kill and self._ledger:
            self._ledger.forget()

    @contextmanager
    def _not_submitted_again(self, ledger: TaskLedger) -> Iterator[None]:
        """Let an error of the wait end the task for good, where a retry would submit again what must not be."""
        try:
            yield
        except errors.BulkJobError as error:
            if self._repeatable or ledger.is_durable:
                raise
            raise SubmitBrokenOffError(
                f"{error} This is not retried: that would submit again. Wait for the jobs (XCom job_ids) with a "
                "BulkJobSensor."
            ) from error

    @contextmanager
    def _submitting(self, ledger: TaskLedger) -> Iterator[Submission]:
        """Prepare everything that can be wrong without asking the vendor, in the order in which users would mend it."""
        from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
        from airflow_provider_bulkjobs.options import choose_operation, read_options
        from airflow_provider_bulkjobs.submission import Submission

        read_allowed_failures(self.allowed_failures)
        read_expected_items(self.expected_items)
        self._hook = hook = hook_for(read_conn_id(self.conn_id))
        kind = hook.stoppable_kind(self.job_kind) if self.cancel_on_kill else hook.job_kind(self.job_kind)
        operation = choose_operation(hook.vendor, kind, self.operation)
        self._repeatable = operation.repeatable
        self._submission = Submission(hook, kind.name, operation, read_options(operation, self.options), self.log)
        with self._submission as submission:
            if submission.takes_records:
                self._prepare(submission)
            elif self.records is not None:
                raise errors.BadArgumentError(f"records are given, and the operation {operation.name!r} takes none")
            try:
                yield submission
            except errors.AnswerLostError as error:
                raise SubmitBrokenOffError(str(error)) from error
            except (Exception, AirflowTaskTimeout) as error:
                if not submission.has_sent or operation.repeatable or ledger.is_durable:
                    raise
                told = str(error) if isinstance(error, errors.BulkJobError) else f"{error!r}. {submission.account}"
                raise SubmitBrokenOffError(f"{told} It is not retried: that would send records twice.") from error

    def _prepare(self, submission: Submission) -> None:
        from airflow_provider_bulkjobs.output import JsonLinesFile, rejected
        from airflow_provider_bulkjobs.records import read_records

        rows = read_records(self.records)
        if not self.skip_invalid:
            submission.prepare(rows, None)
        else:
            with JsonLinesFile(self.results_path) as file:
                submission.prepare(rows, lambda row: file.write(rejected(row)))
            if submission.invalid:
                self.log.warning("%d records cannot be submitted; they are in %s", submission.invalid, file)
        if not submission.spool.items and not self.allow_empty:
            left_out = f"all {submission.invalid} of them were left out" if submission.invalid else "there are none"
            raise errors.BadArgumentError(f"records: {left_out}. Check what wrote them, or set allow_empty=True.")

    def _remember(self) -> dict[str, Any]:
        return {"submitted": self._submitted, "rejected": self._rejected, "repeatable": self._repeatable}

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
        return super()._open_jobs() if self._wait or not self._submission else self._submission.job_ids


@contextmanager
def _forgotten_when_judged(ledger: TaskLedger) -> Iterator[None]:
    """Forget the submit once its jobs are judged: whoever runs the task after that wants them submitted anew."""
    try:
        yield
    except (JobFailedError, JobGoneError, AirflowSkipException):
        ledger.forget()
        raise
    ledger.forget()
