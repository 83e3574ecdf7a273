# SPDX-License-Identifier: Apache-2.0
"""A real Redis, in a temporary folder, on a Unix socket, without a port."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

PROGRAM = shutil.which("redis-server")
REASON = "needs redis-server (apt-get install redis-server)"


class RedisServer:
    """A server that can be stopped and started again.

    :param home: the folder of its socket, whose path has at most 107 bytes.
    :param options: of its command line.
    """

    def __init__(self, home: Path, *options: str) -> None:
        self._options = options
        self._socket = home / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}?db=0"
        self.celery_url = f"redis+socket://{self._socket}?virtual_host=1"
        self.client = redis.Redis(unix_socket_path=str(self._socket))

    def start(self) -> None:
        assert PROGRAM
        command = [PROGRAM, "--port", "0", "--unixsocket", self._socket, "--save", "", "--dir", self._socket.parent]
        command += self._options
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while not self._is_ready():
            assert self._process.poll() is None, "Redis did not start"
            assert time.monotonic() < until, "Redis does not respond"
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None
        self.client.close()


@contextmanager
def redis_server(*options: str) -> Iterator[RedisServer]:
    """Run a server.

    :param options: of its command line.
    """
    home = Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))
    server = RedisServer(home, *options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
