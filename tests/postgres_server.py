# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL, in a temporary folder, on a Unix socket, for trusted local users."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INSTALLED = Path("/usr/lib/postgresql")  # where Debian and Ubuntu have the programs of each version
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def programs() -> Path | None:
    """Return the folder of the server's programs, of the newest version."""
    found = [path for path in INSTALLED.glob("*/bin") if (path / "initdb").exists()]
    on_path = shutil.which("initdb")
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    return Path(on_path).resolve().parent if on_path else None


class PostgresServer:
    """A server with its files in a new folder, which can be stopped and started again.

    :param folder: the folder of its programs.
    :param max_connections: of all clients together.
    """

    def __init__(self, folder: Path, max_connections: int = 20) -> None:
        self.folder = folder
        self.home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # the path of a socket has at most 107 bytes
        self.log = self.home / "log"
        self._as_user: dict[str, Any] = {"cwd": self.home}
        if os.geteuid() == 0:  # it does not run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(self.home, nobody.pw_uid, nobody.pw_gid)
            self._as_user |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        settings = [word for setting in (*FAST, f"max_connections={max_connections}") for word in ("-c", setting)]
        self._command = [folder / "postgres", "-D", self.home / "data", "-k", self.home, "-h", "", *settings]
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        """The folder of its socket."""
        return str(self.home)

    def create(self) -> None:
        initdb = [self.folder / "initdb", "-D", self.home / "data", "-U", "postgres"]
        options = ["-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*initdb, *options], check=True, stdout=subprocess.DEVNULL, **self._as_user)

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        with self.log.open("ab") as log:
            # A group of its own: Ctrl-C is for whoever has started it.
            self._server = subprocess.Popen(self._command, stdout=log, stderr=log, process_group=0, **self._as_user)
        wait_until_ready(self._server, self.folder, self.home)

    def stop(self) -> None:
        """Stop it, and end the sessions that are still open."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(timeout=30)
            self._server = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Run a server during the block; yield the folder of its socket.

    :param folder: the folder of its programs.
    """
    server = PostgresServer(folder)
    try:
        server.create()
        server.start()
        yield server.socket
    finally:
        server.remove()


def wait_until_ready(server: subprocess.Popen[bytes], folder: Path, home: Path) -> None:
    until = time.monotonic() + 30
    while subprocess.run([folder / "pg_isready", "-q", "-h", home], check=False).returncode:
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"PostgreSQL did not start: {(home / 'log').read_text()}")
        time.sleep(0.05)
