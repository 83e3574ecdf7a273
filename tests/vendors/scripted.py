# SPDX-License-Identifier: Apache-2.0
"""Flows with scripted responses, over a real loopback server that records requests."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import NO_RETRY
from airflow_provider_bulkjobs.protocol.flow import Flow
from airflow_provider_bulkjobs.protocol.job import BulkJob
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

SECRET = "s3cret-Value-for-tests"
LOGIN = "api-bot"
HERE = "{here}"  # the URL of the scripted server, in a response
FlowOutcome = BulkJob | BulkJobError


@dataclass
class Seen:
    """A recorded request; the path is raw, and includes the query."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass
class Script:
    """The scripted responses in order, and the recorded requests."""

    port: int
    answers: deque[dict[str, Any]] = field(default_factory=deque)
    seen: list[Seen] = field(default_factory=list)

    def url(self, prefix: str = "") -> str:
        return f"http://127.0.0.1:{self.port}{prefix}"

    def play(self, answers: Iterable[dict[str, Any]]) -> None:
        """Replace the script, and delete the recorded requests."""
        self.answers = deque(answers)
        self.seen = []


def raw_body(answer: dict[str, Any]) -> bytes:
    """Return a scripted body as bytes: text unchanged, other values as JSON."""
    body = answer.get("body", "")
    return (body if isinstance(body, str) else json.dumps(body)).encode()


class ScriptedHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet, to avoid a delayed ACK
    disable_nagle_algorithm = True
    script: Script

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.script.seen.append(Seen(self.command, self.path, headers, body))
        # An unexpected request gets a status that no fixture has, and is recorded.
        scripted = self.script.answers.popleft() if self.script.answers else {"status": 418, "body": {}}
        raw = raw_body(scripted).replace(HERE.encode(), self.script.url().encode())
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


def required_extra(vendor: Vendor) -> dict[str, str]:
    """Return values for the extra fields that the vendor requires."""
    return {field.name: "r-7f3a" for field in vendor.fields if field.required and not field.is_standard}


def make_account(vendor: Vendor, host: str, **extra: Any) -> Account:
    """Return an account with values for all fields; ``extra`` overrides the extra fields."""
    return read_account(
        vendor.fields,
        conn_id="mine",
        host=host,
        login=LOGIN,
        password=SECRET,
        extra={"requests_per_second": 0, **required_extra(vendor), **extra},
    )


def over_requests(vendor: Vendor, account: Account, *starts: Callable[[], Flow[Any]]) -> FlowOutcome:
    """Run flows on one synchronous transport; return the result of the last one."""
    transport = RequestsTransport(vendor, account)
    try:
        return [transport.run(start, NO_RETRY) for start in starts][-1]
    except BulkJobError as error:
        return error
    finally:
        transport.close()


def over_aiohttp(vendor: Vendor, account: Account, *starts: Callable[[], Flow[Any]]) -> FlowOutcome:
    """Run flows on one shared asynchronous transport; return the result of the last one."""

    async def run_flows() -> FlowOutcome:
        async with shared_transport(vendor, account) as transport:
            try:
                return [await transport.run(start, NO_RETRY) for start in starts][-1]
            except BulkJobError as error:
                return error

    return asyncio.run(run_flows())


DRIVERS = {"requests": over_requests, "aiohttp": over_aiohttp}
