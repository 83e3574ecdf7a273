# SPDX-License-Identifier: Apache-2.0
"""Submitting records: all of them are validated before the first request, and each batch has a checkpoint.

The checkpoint is written before the next request is sent, so that a retry resumes with the first batch that was not
accepted, and within it with the first step whose progress was not saved. A request that is not idempotent is never sent
twice.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_bulkjobs.exceptions import BadArgumentError, BulkJobError, UnknownOutcomeError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import SaveProgress
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.submitting.batches import Batch, Batcher
from airflow_provider_bulkjobs.submitting.blocks import blocks_of
from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint, CheckpointError, CheckpointStore, new_submit_id
from airflow_provider_bulkjobs.submitting.field_names import FieldNames
from airflow_provider_bulkjobs.submitting.held_signals import HeldSignals
from airflow_provider_bulkjobs.submitting.lookup import find_job, marker_of
from airflow_provider_bulkjobs.submitting.overhead import request_overhead
from airflow_provider_bulkjobs.submitting.record_check import RecordCheck
from airflow_provider_bulkjobs.submitting.records import Row
from airflow_provider_bulkjobs.submitting.refusal import describe_refusal, redact_records, refusal_of
from airflow_provider_bulkjobs.submitting.staged_files import with_file_url
from airflow_provider_bulkjobs.submitting.steps import Requests, SubmitSteps
from airflow_provider_bulkjobs.submitting.submit_report import (
    describe_batches,
    describe_progress,
    describe_request,
    named,
    where_of,
)
from airflow_provider_bulkjobs.vendors.spec.custom_fields import CustomField
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Options,
    Payload,
    SubmitContext,
    encode_json,
)

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_bulkjobs.http.client import Client

MAX_PROBLEMS = 10  # in one message
MAX_ROUNDS = 10  # for one batch: a vendor may name only some invalid records at a time
WITHDRAW_ATTEMPTS = 5
MAX_REFUSED = 1000  # records in all batches; with more, something else is wrong


class Submission:
    """The submit of some records.

    :param options: the validated options of the vendor's request.
    """

    def __init__(self, client: Client, kind: str, operation: Operation, options: Options, log: Logger) -> None:
        self.kind = kind
        self.vendor = client.vendor.conn_type
        self._client = client
        self._operation = operation
        fields = operation.custom_fields
        names = FieldNames(fields, self._list_custom_fields, client.vendor.label) if fields else None
        self._check = RecordCheck(operation, options, names)
        self._options = options
        self._log = log
        self._checkpoint: Checkpoint | None = None
        self._reject: Callable[[Row], None] | None = None
        self._signals = HeldSignals()
        self._is_stopped = False
        self.batcher = Batcher(
            operation,
            lambda columns: request_overhead(operation, client.account, options, columns),
            fixed=bool(options.get(operation.columns_option or "")),
        )
        self.invalid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.batcher.close()

    @property
    def has_sent(self) -> bool:
        """Whether the vendor has accepted anything, or may have."""
        return self._checkpoint is not None and self._checkpoint.has_sent

    @property
    def submitted(self) -> int:
        """How many records are submitted: the valid ones that the vendor has not refused."""
        return self.batcher.items - self._refused

    @property
    def rejected(self) -> int:
        """How many records are left out."""
        return self.invalid + self._refused

    @property
    def _refused(self) -> int:
        return len(self._checkpoint.refused) if self._checkpoint else 0

    @property
    def job_ids(self) -> list[str]:
        """The jobs that the vendor has accepted."""
        return list(self._checkpoint.job_ids) if self._checkpoint else []

    @property
    def takes_records(self) -> bool:
        """Whether the operation is about records."""
        return self._operation.max_items > 0 and not self._options.get(self._operation.replaces_records or "")

    @property
    def requests(self) -> int:
        """How many requests it takes."""
        return self.batcher.requests if self.takes_records else 1

    def prepare(self, rows: Iterable[Row], reject: Callable[[Row], None] | None) -> None:
        """Read, check and cut all records.

        :param reject: what to do with a record that cannot be submitted, also if the vendor refuses it later; if not
            given, there must be none.
        :raises BadArgumentError: there is one.
        """
        self._reject = reject
        problems: list[str] = []
        for row in self._not_added(rows):
            if (problem := self._add(row)) is None:
                continue
            self.invalid += 1
            if reject is not None:
                reject(row._replace(problem=problem))
            elif len(problems) < MAX_PROBLEMS:
                problems.append(f"{row.where} {redact(problem)}")
        self.batcher.cut()
        if problems:
            more = f"; and {self.invalid - len(problems)} more" if self.invalid > len(problems) else ""
            remedy = "Correct them, or set skip_invalid=True to leave them out."
            if not self.batcher.items:  # it is not the records that are wrong
                remedy = self._check.remedy
            raise BadArgumentError(
                f"{self.invalid} of {self.invalid + self.batcher.items} records cannot be submitted, and nothing was "
                f"sent: {'; '.join(problems)}{more}. {remedy}"
            )

    def send(self, checkpoints: CheckpointStore, earlier: Checkpoint | None = None) -> Checkpoint:
        """Send the batches that have not been accepted yet; return the checkpoint with the ids of all jobs.

        :param earlier: the checkpoint of an earlier try.
        :raises BulkJobError: a request failed; the message has the accepted and the remaining batches.
        """
        checkpoint = self._checkpoint = self._resume(earlier)
        if checkpoint.refused:
            label = self._client.vendor.label
            problem = f"was refused by {label} in an earlier try of this task"
            self._leave_out(dict.fromkeys(checkpoint.refused, problem))
        try:
            self._send_batches(checkpoint, checkpoints)
        except BaseException as error:
            if checkpoint.progress and not isinstance(error, BulkJobError):  # these have the report in their message
                error.add_note(self.report)
            raise
        return checkpoint

    def stop(self) -> None:
        """Send no further request: :meth:`send` raises an error when the one in flight has ended."""
        self._is_stopped = True

    def _check_stopped(self) -> None:
        if self._is_stopped:
            raise BulkJobError("Airflow has terminated the task during the submit", hint=self.report)

    def _send_batches(self, checkpoint: Checkpoint, checkpoints: CheckpointStore) -> None:
        if checkpoint.in_flight:
            self._settle_interrupted(checkpoint, checkpoints)
        for batch in self._batches(checkpoint.accepted):
            self._check_stopped()
            self._send_valid(batch, checkpoint, checkpoints)
        checkpoints.publish(checkpoint)  # again, in case it failed before

    def _list_custom_fields(self) -> list[CustomField]:
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        client, fields = self._client, self._operation.custom_fields
        if fields is None:
            return []
        found: list[CustomField] = client.transport.run(
            lambda: fields.list_all(client.account), RetryPolicy(on_retry=self._log.warning)
        )
        return found

    def _not_added(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Add the blocks of rows that certainly have no problem; yield the others one by one."""
        for block in blocks_of(rows):
            if isinstance(block, Row):
                yield block
            elif (found := self._check.many(block)) is None or not self.batcher.add_many(found):
                yield from block.rows()

    def _add(self, row: Row) -> str | None:
        record = self._check(row)
        return record if isinstance(record, str) else self.batcher.add(row.line, record, row.columns, row.origin)

    def _batches(self, skip: int) -> Iterator[Batch]:
        if self.takes_records:
            yield from self.batcher.batches(skip)
        elif not skip:
            yield Batch(1, 0, 0, Payload(io.BytesIO, size=0, items=0))

    def _resume(self, checkpoint: Checkpoint | None) -> Checkpoint:
        fingerprint = self._fingerprint(self.batcher.fingerprint)
        unordered_fingerprint = self._fingerprint(self.batcher.unordered_fingerprint)
        is_same = checkpoint is not None and checkpoint.fingerprint == fingerprint
        if checkpoint is None or not (checkpoint.has_sent or (checkpoint.progress and is_same)):
            target = self._hash()
            if checkpoint is not None and checkpoint.target == target:  # another account may have the same ids
                self._withdraw(checkpoint)
            # Nothing was imported, so different records are fine.
            return Checkpoint(
                fingerprint, unordered_fingerprint=unordered_fingerprint, submit_id=new_submit_id(), target=target
            )
        if not is_same:
            order, remedy = "", ""
            if checkpoint.unordered_fingerprint == unordered_fingerprint:
                order = " (the same records in another order)"
                remedy = "To resume, restore the order: a query needs an ORDER BY over a unique key. "
            unknown = " and one of unknown outcome" if checkpoint.in_flight else ""
            unknown += f" and one begun ({describe_progress(checkpoint)})" if checkpoint.progress else ""
            raise (UnknownOutcomeError if checkpoint.in_flight else BulkJobError)(
                f"Cannot resume: an earlier try had {checkpoint.accepted} batches accepted "
                f"({named(checkpoint.job_ids)}){unknown} from different records or options{order}. Nothing was sent. "
                f"{remedy}To submit the current records from the start, delete the task state of this task instance, "
                "then clear the task."
            )
        done, of = checkpoint.accepted, self.requests
        begun = f", and the next one is begun ({describe_progress(checkpoint)})" if checkpoint.progress else ""
        self._log.info("Resuming after an earlier try: %d of %d batches are already accepted%s", done, of, begun)
        return checkpoint

    def _withdraw(self, checkpoint: Checkpoint) -> bool:
        """Withdraw the steps of a request by which nothing was imported; return whether that was possible."""
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        withdraw, client = self._operation.withdraw, self._client
        if withdraw is None or not checkpoint.progress or self._is_stopped:
            return False
        begun, progress = describe_progress(checkpoint), dict(checkpoint.progress)
        policy = RetryPolicy(max_attempts=WITHDRAW_ATTEMPTS, on_retry=self._log.warning)
        try:
            client.transport.run(lambda: withdraw(client.account, progress), policy)
        except BulkJobError as error:
            self._log.warning("What was begun at %s (%s) could not be withdrawn. %s", client.vendor.label, begun, error)
            return False
        self._log.info("Withdrawn at %s: %s", client.vendor.label, begun)
        checkpoint.forget_progress()
        return True

    def _settle_interrupted(self, checkpoint: Checkpoint, checkpoints: CheckpointStore) -> None:
        batch = next(self._batches(checkpoint.accepted))
        if checkpoint.refused:
            batch = self.batcher.batch(batch.number, checkpoint.refused)
        failure = "The previous try was interrupted while a request was in flight"
        self._settle(batch, failure, checkpoint, checkpoints)

    def _settle(self, batch: Batch, failure: str, checkpoint: Checkpoint, checkpoints: CheckpointStore) -> None:
        """Find out whether the request in flight was executed, and accept its batch if it was.

        :param failure: why that is unknown.
        :raises UnknownOutcomeError: it stays unknown.
        """
        job_id = find_job(self._client, self.kind, self._operation, batch=batch, checkpoint=checkpoint, log=self._log)
        if job_id is None:
            # Not with its cause, which may have the values of the records in its message.
            raise UnknownOutcomeError(failure, hint=self.report) from None
        self._log.warning("%s", failure)
        self._accept(batch, job_id, checkpoint, checkpoints)

    def _fingerprint(self, records: str) -> str:
        # With other limits, another version of this package would split the same records into other batches.
        return self._hash(records, self._options, self._operation.max_items, self._operation.max_bytes)

    def _hash(self, *more: Any) -> str:
        what = [self._client.conn_id, self.kind, self._operation.name, *more]
        return hashlib.blake2b(encode_json(what), digest_size=16).hexdigest()

    def _send_valid(self, batch: Batch, checkpoint: Checkpoint, checkpoints: CheckpointStore) -> None:
        """Send a batch; send it again without the records for which the vendor refuses it, if they may be left out."""
        rounds = 0
        while True:
            valid = self.batcher.batch(batch.number, checkpoint.refused) if checkpoint.refused else batch
            if self.takes_records and not valid.items:
                self._accept(valid, None, checkpoint, checkpoints)
                return
            try:
                self._send(valid, checkpoint, checkpoints)
            except VendorAPIError as error:
                refused = self._refused_records(error, valid, checkpoint)
                rounds += 1
                if not refused or rounds > MAX_ROUNDS or len(refused) + len(checkpoint.refused) > MAX_REFUSED:
                    raise
                self._leave_out(refused)
                checkpoint.refused += refused
                self._log.warning(
                    "Batch %d of %d (%s): %s refused it because of %d records. It is sent again without them.",
                    *(*self._place(valid), self._client.vendor.label, len(refused)),
                )
            else:
                return

    def _refused_records(self, error: VendorAPIError, batch: Batch, checkpoint: Checkpoint) -> dict[int, str]:
        """Return the indices of the records that are left out of a refused batch, with their problems.

        Only a request that has the records in its body names them by their position in it. If an earlier step of the
        submit was executed, the refusal does not concern the whole batch.
        """
        if self._reject is None or self._operation.is_csv or checkpoint.progress or checkpoint.in_flight:
            return {}
        refused: dict[int, str] = {}
        for item in error.invalid_items:
            if item.index < batch.items:
                problem = refusal_of(item, self._client.vendor.label, self._client.account.secrets)
                refused.setdefault(batch.index_of(item.index), problem)
        return refused

    def _leave_out(self, problems: Mapping[int, str]) -> None:
        """Pass on the records that the vendor has refused.

        :param problems: by the index of the record.
        """
        if self._reject is None:
            return
        for index, (line, record) in zip(sorted(problems), self.batcher.records(problems), strict=True):
            self._reject(Row(line, record, problems[index], origin=self.batcher.origin(index)))

    def _send(self, batch: Batch, checkpoint: Checkpoint, checkpoints: CheckpointStore) -> None:
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        def on_retry(failure: str) -> None:
            if not steps.is_executed:  # a request that is retried was certainly not executed
                self._release(checkpoint, checkpoints)
                self._signals.release()
            self._log.warning("%s", redact_records(failure, batch, operation))

        client, operation = self._client, self._operation
        open_job = checkpoint.job_ids[-1] if operation.supports_append and checkpoint.job_ids else None
        options, marker = self._options, marker_of(batch, checkpoint)
        steps = SubmitSteps(
            idempotent=operation.idempotent, save=partial(self._save_progress, batch, checkpoint, checkpoints)
        )

        def start() -> Requests:
            progress = dict(checkpoint.progress)  # a flow that is restarted continues after it, too
            context = SubmitContext(client.account, batch.payload, options, open_job, progress, marker)
            return steps.run(operation.submit(context))

        policy = RetryPolicy(on_retry=on_retry, before_send=partial(self._reserve, checkpoint, checkpoints))
        try:
            if operation.upload_folder:
                file_name = f"bulkjobs-{checkpoint.fingerprint}-{batch.number}.csv"
                options = with_file_url(operation, options, batch.payload, file_name)
            job_id = client.transport.run(start, policy)
        except UnknownOutcomeError as error:
            self._signals.release()
            self._settle(batch, redact_records(str(error), batch, operation), checkpoint, checkpoints)
        except BulkJobError as error:
            if steps.is_executed:  # a later step has failed
                raise UnknownOutcomeError(redact_records(str(error), batch, operation), hint=self.report) from None
            if not isinstance(error, CheckpointError):
                self._end_refused(checkpoint, checkpoints)
            raise self._refusal(error, batch) from None
        else:
            self._accept(batch, job_id, checkpoint, checkpoints)
        finally:
            self._signals.release()

    def _refusal(self, error: BulkJobError, batch: Batch) -> BulkJobError:
        """Return the error of a refused batch with the records that it is about, and without their values."""
        operation = self._operation
        message = describe_refusal(error, batch, self.batcher, operation, self._client.account.secrets)
        refusal = error.reworded(message, hint=self.report)
        if isinstance(refusal, VendorAPIError) and refusal.vendor_message:
            refusal.vendor_message = redact_records(refusal.vendor_message, batch, operation)
        return refusal

    def _accept(self, batch: Batch, job_id: str | None, checkpoint: Checkpoint, checkpoints: CheckpointStore) -> None:
        """Save that a batch was accepted, or that none of its records is left to be sent."""
        checkpoint.accept(job_id, batch.items)
        # Before anything that can fail: the id is not stored anywhere yet.
        job = "no record is left" if job_id is None else f"job {job_id}"
        self._log.info("Batch %d of %d accepted (%s): %s", *self._place(batch), job)
        try:
            checkpoints.save(checkpoint)
        except CheckpointError as error:
            raise CheckpointError(f"{error} {self.report}") from error

    def _save_progress(
        self, batch: Batch, checkpoint: Checkpoint, checkpoints: CheckpointStore, step: SaveProgress
    ) -> None:
        checkpoint.add_progress(step)
        # Before anything that can fail: the values are not stored anywhere yet.
        done = describe_progress(checkpoint) or "nothing is begun any more"
        self._log.info("Batch %d of %d (%s): %s", *self._place(batch), done)
        checkpoints.save(checkpoint)
        self._signals.release()

    def _reserve(self, checkpoint: Checkpoint, checkpoints: CheckpointStore) -> None:
        """Store that the request may be executed from now on."""
        self._check_stopped()
        if checkpoint.in_flight:
            return
        self._signals.hold()
        checkpoint.in_flight = True
        try:
            checkpoints.save(checkpoint)
        except BaseException:
            checkpoint.in_flight = False  # it is not sent
            raise
        if self._signals.has_received:  # during the write, which may take minutes
            self._release(checkpoint, checkpoints)
            self._signals.release()
            self._reserve(checkpoint, checkpoints)

    def _end_refused(self, checkpoint: Checkpoint, checkpoints: CheckpointStore) -> None:
        """Store that the last request was certainly not executed, and withdraw earlier ones if nothing came of them."""
        self._release(checkpoint, checkpoints)
        if checkpoint.is_harmless and self._withdraw(checkpoint):
            self._save_release(checkpoint, checkpoints)

    def _release(self, checkpoint: Checkpoint, checkpoints: CheckpointStore) -> None:
        """Store that the request was certainly not executed."""
        if not checkpoint.in_flight:
            return
        checkpoint.in_flight = False
        self._save_release(checkpoint, checkpoints)

    def _save_release(self, checkpoint: Checkpoint, checkpoints: CheckpointStore) -> None:
        try:
            checkpoints.save(checkpoint)
        except CheckpointError as error:  # the request's own error matters more
            self._log.warning("%s If this try ends now, the next one will not resume the submit.", error)

    def _place(self, batch: Batch) -> tuple[int, int, str]:
        where = where_of(batch, self.batcher) if self.takes_records else "no records"
        return batch.number, self.requests, where

    @property
    def report(self) -> str:
        """The accepted batches, the one of unknown outcome, and those that were not sent."""
        checkpoint, label = self._checkpoint or Checkpoint(""), self._client.vendor.label
        if self.takes_records:
            return describe_batches(checkpoint, self.batcher, label)
        return describe_request(checkpoint, label)
