# SPDX-License-Identifier: Apache-2.0
"""A TCP relay between Airflow and a simulated vendor, which can refuse, hang, cut and delay."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

Mode = Literal["pass", "refuse", "hang", "cut", "delay"]
CHUNK = 65536
DELAY = 1.0  # seconds before each part of a response


class Relay:
    """A relay to one server, in a thread of its own.

    - ``pass``: forward everything.
    - ``delay``: each part of a response is a second late.
    - ``cut``: requests reach the server; the connection is reset in place of the response.
    - ``hang``: connections are accepted, and nothing is forwarded until the mode changes.
    - ``refuse``: open connections are reset, new ones are refused.

    :param url: the server.
    """

    def __init__(self, url: str) -> None:
        self._host, self._port = urlsplit(url).hostname or "", urlsplit(url).port
        self.port = 0
        self._mode: Mode = "pass"
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        self._do(self._listen())

    def stop(self) -> None:
        self._do(self._reset())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set_mode(self, mode: Mode) -> None:
        """Return when the mode holds."""
        self._do(self._change(mode))

    def _do(self, coroutine) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=30)

    async def _change(self, mode: Mode) -> None:
        self._mode = mode
        if mode == "hang":
            self._flows.clear()
        else:
            self._flows.set()
        if mode == "refuse":
            await self._reset()
        elif self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _reset(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            _reset(writer)
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._open(writer), suppress(OSError):
            upstream, to_server = await asyncio.open_connection(self._host, self._port)
            with self._open(to_server):
                up = asyncio.create_task(self._pump(reader, to_server))
                await self._pump(upstream, writer, is_response=True)
                up.cancel()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_response: bool = False
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flows.wait()
                if is_response and self._mode == "cut":
                    _reset(writer)
                    return
                if is_response and self._mode == "delay":
                    await asyncio.sleep(DELAY)
                writer.write(data)
                await writer.drain()

    @contextmanager
    def _open(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a reset instead of an end of the stream."""
    if not writer.is_closing():
        linger = struct.pack("ii", 1, 0)  # drop what has not been sent
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()


@contextmanager
def relay_to(url: str) -> Iterator[Relay]:
    """Run a relay during the block."""
    relay = Relay(url)
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()
