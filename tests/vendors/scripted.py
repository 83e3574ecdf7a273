# SPDX-License-Identifier: Apache-2.0
"""Conversations by a script: held by hand, and over a real server on loopback that writes down what it was asked."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from requests.structures import CaseInsensitiveDict

from airflow_provider_bulkjobs.exceptions import BulkJobError, TransientError, VendorAPIError, VendorUnavailableError
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.responses import raise_for_status
from airflow_provider_bulkjobs.http.retry import NO_RETRY
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response
from airflow_provider_bulkjobs.protocol.job import BulkJob
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor

SECRET = "s3cret-Value-for-tests"
LOGIN = "api-bot"
FlowOutcome = BulkJob | BulkJobError


@dataclass
class Seen:
    """One request as it came over the wire; the path as raw as it was sent, with its query."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass
class Script:
    """What the server will answer, in order, and what it has been asked."""

    port: int
    answers: deque[dict[str, Any]] = field(default_factory=deque)
    seen: list[Seen] = field(default_factory=list)

    def url(self, prefix: str = "") -> str:
        return f"http://127.0.0.1:{self.port}{prefix}"

    def play(self, answers: Iterable[dict[str, Any]]) -> None:
        """Start over with these answers."""
        self.answers = deque(answers)
        self.seen = []


def raw_body(answer: dict[str, Any]) -> bytes:
    """Return a scripted body as bytes: text stays as it is, anything else becomes JSON."""
    body = answer.get("body", "")
    return (body if isinstance(body, str) else json.dumps(body)).encode()


class ScriptedHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: two would wait for each other
    disable_nagle_algorithm = True
    script: Script

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.script.seen.append(Seen(self.command, self.path, headers, body))
        # A request too many gets an answer that no fixture has, and stands in the list of what was seen.
        scripted = self.script.answers.popleft() if self.script.answers else {"status": 418, "body": {}}
        raw = raw_body(scripted)
        self.send_response(scripted["status"])
        for name, value in {"Content-Type": "application/json", **scripted.get("headers", {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""


@contextmanager
def serving(handler_class: type[ScriptedHandler]) -> Iterator[Script]:
    """Serve a handler on loopback, with an empty script."""
    handler = type("Handler", (handler_class,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        handler.script = Script(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield handler.script
        server.shutdown()
        thread.join(5)


def make_account(vendor: Vendor, host: str, **extra: Any) -> Account:
    """Fill in whatever the vendor asks for; ``extra`` overrides."""
    return read_account(
        vendor.fields,
        conn_id="mine",
        host=host,
        login=LOGIN,
        password=SECRET,
        extra={"requests_per_second": 0, **extra},
    )


def by_hand(
    vendor: Vendor, account: Account, kind: JobKind, job_id: str, answers: Iterable[dict[str, Any]]
) -> tuple[FlowOutcome, list[Request]]:
    """Hold the conversation without any driver; a failure that would be tried again is the end with no patience."""
    script = deque(answers)
    asked: list[Request] = []

    def hold(flow: Flow[Any]) -> Any:
        try:
            request = next(flow)
            while True:
                asked.append(request)
                scripted = script.popleft()
                headers = CaseInsensitiveDict(scripted.get("headers", {}))
                response = Response(scripted["status"], headers, raw_body(scripted))
                try:
                    raise_for_status(vendor, account, request, response)
                except VendorAPIError as error:
                    request = flow.throw(error)
                else:
                    request = flow.send(response)
        except StopIteration as end:
            return end.value

    try:
        token_flow = vendor.token_flow(account)
        if token_flow is not None:
            hold(token_flow)
        outcome: FlowOutcome = hold(kind.status(account, job_id))
    except TransientError as error:
        outcome = VendorUnavailableError(str(error))
    except BulkJobError as error:
        outcome = error
    assert not script, f"{len(script)} answers of the script were not asked for"
    return outcome, asked


def over_requests(vendor: Vendor, account: Account, *starts: Callable[[], Flow[Any]]) -> FlowOutcome:
    """Hold conversations on one synchronous driver; return what the last one came to."""
    transport = RequestsTransport(vendor, account)
    try:
        return [transport.run(start, NO_RETRY) for start in starts][-1]
    except BulkJobError as error:
        return error
    finally:
        transport.close()


def over_aiohttp(vendor: Vendor, account: Account, *starts: Callable[[], Flow[Any]]) -> FlowOutcome:
    """Hold conversations on one shared asynchronous driver; return what the last one came to."""

    async def talk() -> FlowOutcome:
        async with shared_transport(vendor, account) as transport:
            try:
                return [await transport.run(start, NO_RETRY) for start in starts][-1]
            except BulkJobError as error:
                return error

    return asyncio.run(talk())


DRIVERS = {"requests": over_requests, "aiohttp": over_aiohttp}
