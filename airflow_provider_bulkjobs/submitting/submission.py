# SPDX-License-Identifier: Apache-2.0
"""Submitting records: all of them checked before the first request, and each request accounted for.

What has been accepted is noted down before the next request goes out, so that a second try can go on where the
first one ended. It never sends twice what the vendor would do twice.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self

from airflow_provider_bulkjobs.exceptions import BadArgumentError, BulkJobError, UnknownOutcomeError
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.submitting.batches import Batch, Batcher
from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint, CheckpointError, CheckpointStore
from airflow_provider_bulkjobs.submitting.overhead import request_overhead
from airflow_provider_bulkjobs.submitting.record_check import RecordCheck
from airflow_provider_bulkjobs.submitting.records import Row
from airflow_provider_bulkjobs.submitting.refusal import describe_refusal, redact_records
from airflow_provider_bulkjobs.submitting.submit_report import describe_batches, describe_request, lines, named
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Options,
    Payload,
    SubmitContext,
    SubmitFlow,
    encode_json,
)

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_bulkjobs.http.client import Client

MOST_PROBLEMS = 10  # told in one message


class Submission:
    """The submit of some records.

    :param options: as the vendor wants them.
    """

    def __init__(self, client: Client, kind: str, operation: Operation, options: Options, log: Logger) -> None:
        self.kind = kind
        self.vendor = client.vendor.conn_type
        self._client = client
        self._operation = operation
        self._check = RecordCheck(operation, options)
        self._options = options
        self._log = log
        self._checkpoint: Checkpoint | None = None
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
        return self._checkpoint is not None and (self._checkpoint.accepted > 0 or self._checkpoint.in_flight)

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

        :param reject: what to do with a record that cannot be submitted; if not given, there must be none.
        :raises BadArgumentError: there is one.
        """
        problems: list[str] = []
        for row in rows:
            if (problem := self._take(row)) is None:
                continue
            self.invalid += 1
            if reject is not None:
                reject(row._replace(problem=problem))
            elif len(problems) < MOST_PROBLEMS:
                problems.append(f"line {row.line} {redact(problem)}")
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
        """Send what has not been accepted yet; return the ids of all jobs.

        :param earlier: what an earlier try has noted down.
        :raises BulkJobError: the vendor refused or failed; the message says what was accepted and what was not.
        """
        progress = self._checkpoint = self._take_up(earlier)
        turn = time.monotonic()
        gap = 60 / self._operation.requests_per_minute if self._operation.requests_per_minute else 0.0
        for batch in self._portions(progress.accepted):
            if (early := turn - time.monotonic()) > 0:
                time.sleep(early)
            turn = time.monotonic() + gap  # a pause is not made up for: that would be the next one's cause
            self._send(batch, progress, checkpoints)
        checkpoints.publish(progress)  # once more, if that has failed
        return progress

    def _take(self, row: Row) -> str | None:
        record = self._check(row)
        return record if isinstance(record, str) else self.batcher.add(row.line, record, row.columns)

    def _portions(self, skip: int) -> Iterator[Batch]:
        if self.takes_records:
            yield from self.batcher.batches(skip)
        elif not skip:
            yield Batch(1, 0, 0, Payload(io.BytesIO, size=0, items=0))

    def _take_up(self, progress: Checkpoint | None) -> Checkpoint:
        what = [self.batcher.fingerprint, self._client.conn_id, self.kind, self._operation.name, self._options]
        fingerprint = hashlib.blake2b(encode_json(what), digest_size=16).hexdigest()
        if progress is None or not (progress.accepted or progress.in_flight):
            return Checkpoint(fingerprint)  # nothing was sent, so these may be other records
        if progress.fingerprint != fingerprint:
            unknown = " and one of unknown outcome" if progress.in_flight else ""
            raise (UnknownOutcomeError if progress.in_flight else BulkJobError)(
                f"An earlier try had {progress.accepted} batches accepted ({named(progress.job_ids)}){unknown}, but of "
                "other records or options than there are now. This try cannot continue it, and nothing was sent. To "
                "submit all there is now, delete the task state of this task instance, then clear the task."
            )
        if progress.in_flight:
            self._checkpoint = progress
            raise UnknownOutcomeError(f"An earlier try ended in the middle of a request. {self.account}")
        done, of = progress.accepted, self.requests
        self._log.info("Going on where an earlier try has ended: %d of %d requests are accepted already", done, of)
        return progress

    def _send(self, batch: Batch, progress: Checkpoint, checkpoints: CheckpointStore) -> None:
        from airflow_provider_bulkjobs.http.retry import RetryPolicy

        def on_retry(failure: str) -> None:
            self._release(progress, checkpoints)  # what is tried again has certainly not been executed
            self._log.warning("%s", redact_records(failure, batch, operation))

        client, operation = self._client, self._operation
        open_job = progress.job_ids[-1] if operation.supports_append and progress.job_ids else None
        context = SubmitContext(client.account, batch.payload, self._options, open_job)
        try:
            job_id = client.transport.run(
                lambda: _marked(operation.submit(context), idempotent=operation.idempotent),
                RetryPolicy(on_retry=on_retry, in_flight=partial(_reserve, progress, checkpoints)),
            )
        except UnknownOutcomeError as error:
            # Not "from error", which has the values of the records in its message.
            raise UnknownOutcomeError(redact_records(str(error), batch, operation), hint=self.account) from None
        except BulkJobError as error:
            self._release(progress, checkpoints)
            message = describe_refusal(error, batch, self.batcher, operation, client.account.secrets)
            raise error.reworded(message, hint=self.account) from None
        progress.in_flight = False
        progress.accepted += 1
        if job_id not in progress.job_ids:
            progress.job_ids.append(job_id)
        # Before anything that can fail: the id is known nowhere else yet.
        self._log.info("Batch %d of %d accepted (%s): job %s", *self._place(batch), job_id)
        try:
            checkpoints.save(progress)
        except CheckpointError as error:
            raise CheckpointError(f"{error} {self.account}") from error

    def _release(self, progress: Checkpoint, checkpoints: CheckpointStore) -> None:
        """Note that the request was certainly not executed."""
        if not progress.in_flight:
            return
        progress.in_flight = False
        try:
            checkpoints.save(progress)
        except CheckpointError as error:  # the request's own error matters more
            self._log.warning("%s If this try ends now, the next one will not continue the submit.", error)

    def _place(self, batch: Batch) -> tuple[int, int, str]:
        where = lines(batch.first, batch.last) if self.takes_records else "no records"
        return batch.number, self.requests, where

    @property
    def account(self) -> str:
        """What was accepted, what is unknown and what was not sent, in words."""
        progress, label = self._checkpoint or Checkpoint(""), self._client.vendor.label
        if self.takes_records:
            return describe_batches(progress, self.batcher, label)
        return describe_request(progress, label)


def _reserve(progress: Checkpoint, checkpoints: CheckpointStore) -> None:
    """Note that the request may be on its way from now on."""
    if progress.in_flight:
        return
    progress.in_flight = True
    try:
        checkpoints.save(progress)
    except BaseException:
        progress.in_flight = False  # it is not sent
        raise


def _marked(flow: SubmitFlow, *, idempotent: bool) -> SubmitFlow:
    """Mark what must not be sent twice; a question may always be asked again."""
    if idempotent:
        return (yield from flow)
    try:
        request = next(flow)
        while True:
            if isinstance(request, Request) and request.method != "GET":
                request = replace(request, idempotent=False)
            try:
                response = yield request
            except BulkJobError as error:
                request = flow.throw(error)
            else:
                request = flow.send(response)
    except StopIteration as end:
        job_id: str = end.value
        return job_id
