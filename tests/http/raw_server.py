# SPDX-License-Identifier: Apache-2.0
"""A server for malformed responses: the test writes the raw bytes."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[["Exchange"], None]


@dataclass
class Exchange:
    """One request, and the means to respond to it."""

    line: str
    headers: dict[str, str]
    send: Callable[[bytes], Any]
    over: threading.Event  # set when the test is over, for responses that wait


@dataclass
class RawServer:
    """Responds with raw bytes, and records the requests."""

    url: str
    over: threading.Event
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        return [exchange.line for exchange in self.exchanges]


def http_answer(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", "")
    return "\r\n".join(lines).encode() + body


@contextmanager
def raw_server(answer: Answer) -> Iterator[RawServer]:
    """Serve one request per connection with ``answer``."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline().decode().strip()
            if not line:
                return
            headers = {}
            while header := self.rfile.readline().decode().strip():
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            exchange = Exchange(line, headers, self.connection.sendall, raw.over)
            raw.exchanges.append(exchange)
            with suppress(OSError):  # the client has closed the connection
                answer(exchange)

        def finish(self) -> None:
            with suppress(OSError):
                super().finish()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        raw = RawServer(f"http://127.0.0.1:{server.server_address[1]}", threading.Event())
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield raw
        finally:
            raw.over.set()
            server.shutdown()
            thread.join()
