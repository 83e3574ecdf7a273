# SPDX-License-Identifier: Apache-2.0
"""Submits and results of every vendor, from the fixtures."""

import asyncio
import io
import json
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pytest
from vendors.fixture_loader import (
    OPERATIONS,
    SAMPLES,
    SUBMITS,
    Answer,
    Key,
    Limits,
    Sample,
    Submit,
    read_submit,
)
from vendors.scripted import HERE, Script, ScriptedHandler, Seen, make_account, raw_body

from airflow_provider_bulkjobs.exceptions import (
    BulkJobError,
)
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS, BulkJobHook
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.protocol.flow import Response
from airflow_provider_bulkjobs.submitting.records import Row
from airflow_provider_bulkjobs.submitting.steps import SubmitSteps
from airflow_provider_bulkjobs.submitting.submission import Submission
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Payload, SubmitContext
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor

QUICK = RetryPolicy(max_attempts=3, initial_delay=0.001, max_delay=0.001, on_retry=lambda _: None)


JOB = "j-1"


HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}


def answer(body: Any, status: int = 202, **headers: str) -> Answer:
    return {"status": status, "body": body, "headers": headers}


UPLOAD = "/bucket/key?X-Amz-Signature=signed"


OPENED = SUBMITS["sendgrid", "contacts", "import_csv"].answers[0]["body"]


@dataclass(frozen=True)
class Case:
    """An operation, and the content of its file."""

    sample: Sample
    operation: Operation
    content: dict[str, Any]

    @property
    def vendor(self) -> Vendor:
        return self.sample.vendor

    @property
    def kind(self) -> JobKind:
        return self.sample.kind

    @property
    def key(self) -> Key:
        return (*self.sample.key, self.operation.name)

    @property
    def limits(self) -> Limits:
        return Limits(**self.content["limits"])

    @property
    def submit(self) -> Submit:
        return read_submit(self.content)

    @cached_property
    def payload(self) -> Payload:
        """The records as the operator cuts them, in memory."""
        account = make_account(self.vendor, "https://vendor.example.com", **self.sample.of.conn)
        with prepared(self, account) as submission:
            [context] = contexts(submission, account, self.submit.options)
            data = context.payload.data
            return replace(context.payload, open=lambda: io.BytesIO(data))

    def context(self, account: Account, open_job: str | None = None) -> SubmitContext:
        return SubmitContext(account, self.payload, self.submit.options, open_job)

    def __str__(self) -> str:
        return "-".join(self.key)


CASES = [
    Case(sample, operation, OPERATIONS[(*sample.key, operation.name)])
    for sample in SAMPLES
    for operation in sample.kind.operations
]
CASE_OF = {case.key: case for case in CASES}

each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_driver = pytest.mark.parametrize("transport", ["requests", "aiohttp"])
each_kind = pytest.mark.parametrize("sample", SAMPLES, ids=str)


class RoughHandler(ScriptedHandler):
    """Responds as scripted: also with bytes, and with interrupted connections."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="surrogateescape")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.script.seen.append(Seen(self.command, self.path, headers, body))
        scripted = self.script.answers.popleft() if self.script.answers else {"status": 418, "body": {}}
        breaks = scripted.get("breaks")
        self.close_connection = breaks is not None
        if breaks in {"closed", "reset"}:
            if breaks == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
            return
        raw = scripted["body"] if isinstance(scripted.get("body"), bytes) else raw_body(scripted)
        raw = raw.replace(HERE.encode(), self.script.url().encode())
        self.send_response(scripted["status"])
        for name, value in {"Content-Type": "application/json", **scripted.get("headers", {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw) + (10 if breaks == "half a body" else 0)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815


def make_hook(vendor: Vendor, account: Account) -> BulkJobHook:
    hook = HOOK_OF[vendor.conn_type](account.conn_id)
    hook.account = account
    return hook


def response(body: Any) -> Response:
    return Response(200, {}, json.dumps(body).encode())


def prepared(case: Case, account: Account, records: Any = None, options: Any = None) -> Submission:
    submit = case.submit
    options = submit.options if options is None else options
    submission = Submission(make_hook(case.vendor, account), case.kind.name, case.operation, options, None)
    if submission.takes_records:
        rows = submit.records if records is None else records
        submission.prepare((Row(number, record) for number, record in enumerate(rows, 1)), None)
    return submission


def contexts(
    submission: Submission, account: Account, options: Any, open_job: str | None = None
) -> list[SubmitContext]:
    return [SubmitContext(account, batch.payload, options, open_job) for batch in submission._batches(0)]


def run(transport: str, vendor: Vendor, account: Account, *starts: Callable[[], Any]) -> Any:
    """Run flows on one transport with retries; return the result of the last one."""
    if transport == "requests":
        requests_transport = RequestsTransport(vendor, account)
        try:
            return [requests_transport.run(start, QUICK) for start in starts][-1]
        except BulkJobError as error:
            return error
        finally:
            requests_transport.close()

    async def run_flows() -> Any:
        async with shared_transport(vendor, account) as aiohttp_transport:
            try:
                return [await aiohttp_transport.run(start, QUICK) for start in starts][-1]
            except BulkJobError as error:
                return error

    return asyncio.run(run_flows())


def steps(case: Case, context: SubmitContext) -> Any:
    """Return the flow of a submit as the operator runs it."""
    return SubmitSteps(idempotent=case.operation.idempotent, save=lambda _step: None).run(
        case.operation.submit(context)
    )


def send(case: Case, transport: str, host: str, *first: Callable[[Account], Any], open_job: str | None = None) -> Any:
    """Send the submit of a case as the operator would; return the job's id, or the error."""
    account = make_account(case.vendor, host, **case.sample.of.conn)
    with prepared(case, account) as submission:
        [context] = contexts(submission, account, case.submit.options, open_job)
        return run(
            transport,
            case.vendor,
            account,
            *[lambda start=start: start(account) for start in first],
            lambda: steps(case, context),
        )


def sent(script: Script) -> list[tuple[str, str]]:
    return [(seen.method, seen.path) for seen in script.seen]
