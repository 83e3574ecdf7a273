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

from airflow_provider_bulkjobs.errors import AnswerLostError, BadArgumentError, BulkJobError
from airflow_provider_bulkjobs.progress import Ledger, Progress
from airflow_provider_bulkjobs.record_check import RecordCheck
from airflow_provider_bulkjobs.records import Row
from airflow_provider_bulkjobs.redact import redact
from airflow_provider_bulkjobs.refusal import describe_refusal, redact_records
from airflow_provider_bulkjobs.spool import Portion, Spool
from airflow_provider_bulkjobs.vendors.base import Request
from airflow_provider_bulkjobs.vendors.operation import (
    Chunk,
    Operation,
    Options,
    Order,
    SubmitConversation,
    encode_json,
)

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_bulkjobs.hooks.bulk_job import BulkJobHook

ROOM = 256  # bytes of a request that are neither records nor options
MOST_PROBLEMS = 10  # told in one message
MOST_NAMED = 20  # job ids in a message
REPORT_EVERY = 10.0  # seconds


class Submission:
    """The submit of some records.

    :param options: as the vendor wants them.
    """

    def __init__(self, hook: BulkJobHook, kind: str, operation: Operation, options: Options, log: Logger) -> None:
        self.kind = kind
        self.vendor = hook.vendor.conn_type
        self._hook = hook
        self._operation = operation
        self._check = RecordCheck(operation, options)
        self._options = options
        self._log = log
        self._progress: Progress | None = None
        room = ROOM + len(encode_json(options))
        self.spool = Spool(operation, lambda _columns: room, fixed=bool(options.get(operation.option_on_columns or "")))
        self.invalid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.spool.close()

    @property
    def has_sent(self) -> bool:
        """Whether the vendor has accepted anything, or may have."""
        return self._progress is not None and (self._progress.accepted > 0 or self._progress.committing)

    @property
    def job_ids(self) -> list[str]:
        """The jobs that the vendor has accepted."""
        return list(self._progress.job_ids) if self._progress else []

    @property
    def takes_records(self) -> bool:
        """Whether the operation is about records."""
        return self._operation.most_items > 0 and not self._options.get(self._operation.option_instead or "")

    @property
    def requests(self) -> int:
        """How many requests it takes."""
        return self.spool.requests if self.takes_records else 1

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
        self.spool.cut()
        if problems:
            more = f"; and {self.invalid - len(problems)} more" if self.invalid > len(problems) else ""
            remedy = "Correct them, or set skip_invalid=True to leave them out."
            if not self.spool.items:  # it is not the records that are wrong
                remedy = self._check.remedy
            raise BadArgumentError(
                f"{self.invalid} of {self.invalid + self.spool.items} records cannot be submitted, and nothing was "
                f"sent: {'; '.join(problems)}{more}. {remedy}"
            )

    def send(self, ledger: Ledger, earlier: Progress | None = None) -> Progress:
        """Send what has not been accepted yet; return the ids of all jobs.

        :param earlier: what an earlier try has noted down.
        :raises BulkJobError: the vendor refused or failed; the message says what was accepted and what was not.
        """
        progress = self._progress = self._take_up(earlier)
        reported = turn = time.monotonic()
        gap = 60 / self._operation.requests_per_minute if self._operation.requests_per_minute else 0.0
        for portion in self._portions(progress.accepted):
            if (early := turn - time.monotonic()) > 0:
                time.sleep(early)
            turn = time.monotonic() + gap  # a pause is not made up for: that would be the next one's cause
            self._send(portion, progress, ledger)
            if time.monotonic() > reported + REPORT_EVERY or progress.accepted == self.requests:
                reported = time.monotonic()
                self._log.info(
                    "%d of %d requests sent, up to line %d; %d jobs",
                    *(progress.accepted, self.requests, portion.last, len(progress.job_ids)),
                )
        return progress

    def _take(self, row: Row) -> str | None:
        record = self._check(row)
        return record if isinstance(record, str) else self.spool.add(row.line, record, row.columns)

    def _portions(self, skip: int) -> Iterator[Portion]:
        if self.takes_records:
            yield from self.spool.portions(skip)
        elif not skip:
            yield Portion(1, 0, 0, Chunk(io.BytesIO, size=0, items=0))

    def _take_up(self, progress: Progress | None) -> Progress:
        what = [self.spool.fingerprint, self._hook.conn_id, self.kind, self._operation.name, self._options]
        fingerprint = hashlib.blake2b(encode_json(what), digest_size=16).hexdigest()
        if progress is None:
            return Progress(fingerprint)
        if progress.fingerprint != fingerprint:
            raise BulkJobError(
                f"An earlier try had {progress.accepted} requests accepted ({_named(progress.job_ids)}), but of other "
                "records or options than there are now, so it cannot be gone on with; nothing was sent. To submit "
                "what there is now from the beginning, clear the state of this task instance."
            )
        if progress.committing:
            self._progress = progress
            raise AnswerLostError(f"An earlier try ended in the middle of a request. {self.account}")
        done, of = progress.accepted, self.requests
        self._log.info("Going on where an earlier try has ended: %d of %d requests are accepted already", done, of)
        return progress

    def _send(self, portion: Portion, progress: Progress, ledger: Ledger) -> None:
        from airflow_provider_bulkjobs.http.patience import Patience

        def commit(*, doing: bool) -> None:
            if progress.committing is not doing:
                progress.committing = doing
                ledger.save(progress)

        def bear(told: str) -> None:
            commit(doing=False)  # what is tried again has certainly not been obeyed
            self._log.warning("%s", redact_records(told, portion, operation))

        hook, operation = self._hook, self._operation
        open_job = progress.job_ids[-1] if operation.appends and progress.job_ids else None
        order = Order(hook.account, portion.chunk, self._options, open_job)
        try:
            job_id = hook.driver.run(
                lambda: _marked(operation.submit(order), repeatable=operation.repeatable),
                Patience(report=bear, committing=partial(commit, doing=True)),
            )
        except AnswerLostError as error:
            raise AnswerLostError(f"{redact_records(str(error), portion, operation)}. {self.account}") from error
        except BulkJobError as error:
            commit(doing=False)  # it is certain that nothing came of it
            message = describe_refusal(error, portion, self.spool, operation, hook.account.secrets)
            raise type(error)(f"{message} {self.account}") from error
        progress.committing = False
        progress.accepted += 1
        if job_id not in progress.job_ids:
            progress.job_ids.append(job_id)
        ledger.save(progress)

    @property
    def account(self) -> str:
        """What was accepted and what was not, in words."""
        progress = self._progress or Progress("")
        if not self.takes_records:
            return "The request may have been obeyed." if progress.committing else "Nothing was accepted."
        before, next_one = None, None
        for portion in self.spool.portions(max(progress.accepted - 1, 0)):
            if portion.number > progress.accepted:
                next_one = portion
                break
            before = portion
        told = [f"Of {self.requests} requests {progress.accepted} were accepted"]
        if before:
            told.append(f", up to line {before.last} ({_named(progress.job_ids)})")
        if next_one:
            told.append(f"; request {next_one.number} (lines {next_one.first} to {next_one.last}) ")
            told.append("may or may not have been" if progress.committing else "was not")
            told.append(
                f", and nothing after it was sent: look for it in {self._hook.vendor.label}, and submit the rest"
                if progress.committing
                else ", nor anything after it"
            )
        return f"{''.join(told)}."


def _marked(conversation: SubmitConversation, *, repeatable: bool) -> SubmitConversation:
    """Mark what must not be sent twice; a question may always be asked again."""
    if repeatable:
        return (yield from conversation)
    try:
        request = next(conversation)
        while True:
            if isinstance(request, Request) and request.method != "GET":
                request = replace(request, repeatable=False)
            try:
                response = yield request
            except BulkJobError as error:
                request = conversation.throw(error)
            else:
                request = conversation.send(response)
    except StopIteration as end:
        job_id: str = end.value
        return job_id


def _named(job_ids: list[str]) -> str:
    more = f" and {len(job_ids) - MOST_NAMED} more" if len(job_ids) > MOST_NAMED else ""
    return f"job ids {', '.join(job_ids[-MOST_NAMED:])}{more}" if job_ids else "no job ids"
