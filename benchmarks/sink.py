# SPDX-License-Identifier: Apache-2.0
"""A server that accepts and counts all submitted records, fast enough not to be the bottleneck."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

FIELDS = ("email", "first_name", "last_name", "city")  # of SendGrid, which identifies each by an id
HEAD = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
GZIP = b"\x1f\x8b"


class _Sink(asyncio.Protocol):
    requests = 0
    rows = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._url = "http://{}:{}".format(*transport.get_extra_info("sockname"))
        self._start()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._body is None:
            self._read_head()
        # One request at a time: no contender sends the next one before it has the response.
        if self._body is not None and len(self._buffer) >= self._body + self._length:
            self._respond()
            _Sink.rows += _count(memoryview(self._buffer)[self._body :])  # while the contender continues
            self._start()

    def _start(self) -> None:
        self._buffer, self._body, self._length, self._path = bytearray(), None, 0, b""

    def _read_head(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        first, *headers = bytes(self._buffer[:end]).split(b"\r\n")
        self._path = first.split(b" ")[1]
        sizes = [value for name, _, value in (line.partition(b":") for line in headers) if name == b"Content-Length"]
        self._body, self._length = end + 4, int(sizes[0]) if sizes else 0

    def _respond(self) -> None:
        # One body that each vendor's submit flow reads as accepted. Intercom appends to the open job.
        _Sink.requests += 1
        job_id = "job" if self._path == b"/contacts/bulk" else f"job-{_Sink.requests}"
        response: dict[str, Any] = {"id": job_id, "job_id": job_id, "batchId": job_id, "Success": 1, "rows": _Sink.rows}
        if self._path.startswith(b"/v3/marketing/"):
            fields = [{"id": f"_rf_{name}", "name": name} for name in FIELDS]
            response |= {"upload_uri": f"{self._url}/upload", "upload_headers": [], "reserved_fields": fields}
        body = json.dumps(response).encode()
        self._transport.write(HEAD % (len(body), body))


def _count(body: memoryview) -> int:
    """Count the records of a request: rows of a CSV file, gzipped or not, or objects with an email in JSON."""
    data = bytes(body)
    if data.startswith(GZIP):
        data = zlib.decompress(data, wbits=31)
    return data.count(b'"email":') if data[:1] in {b"{", b"["} else max(data.count(b"\n") - 1, 0)


def _serve(port: Any, ready: Any) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_Sink, "127.0.0.1", 0)
        port.value = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    asyncio.run(main())


@dataclass
class Sink:
    """The running server: its URL, and its counters."""

    url: str
    process: Any

    @classmethod
    def start(cls) -> Sink:
        """Start it in a separate process."""
        context = multiprocessing.get_context("spawn")
        port, ready = context.Value("i"), context.Event()
        process = context.Process(target=_serve, args=(port, ready), daemon=True)
        process.start()
        ready.wait(30)
        return cls(f"http://127.0.0.1:{port.value}", process)

    @property
    def rows(self) -> int:
        """The number of received rows. The server responds after it has counted all earlier requests."""
        with urlopen(f"{self.url}/rows") as response:
            rows: int = json.load(response)["rows"]
        return rows
