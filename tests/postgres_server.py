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
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=20")


def programs() -> Path | None:
    """Return the folder of the server's programs, of the newest version."""
    found = [path for path in INSTALLED.glob("*/bin") if (path / "initdb").exists()]
    on_path = shutil.which("initdb")
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Run a server; yield the folder of its socket.

    :param folder: the folder of its programs.
    """
    home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # the path of a socket has at most 107 bytes
    as_user: dict[str, Any] = {"cwd": home}
    if os.geteuid() == 0:  # it does not run as root
        nobody = pwd.getpwnam("nobody")
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
        as_user |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    initdb = [folder / "initdb", "-D", home / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **as_user)
    settings = [word for setting in FAST for word in ("-c", setting)]
    command = [folder / "postgres", "-D", home / "data", "-k", home, "-h", "", *settings]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, **as_user)
    try:
        wait_until_ready(server, folder, home)
        yield str(home)
    finally:
        server.send_signal(signal.SIGINT)  # it ends the sessions that are still open
        server.wait(timeout=30)
        shutil.rmtree(home, ignore_errors=True)


def wait_until_ready(server: subprocess.Popen[bytes], folder: Path, home: Path) -> None:
    until = time.monotonic() + 30
    while subprocess.run([folder / "pg_isready", "-q", "-h", home], check=False).returncode:
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"PostgreSQL did not start: {(home / 'log').read_text()}")
        time.sleep(0.05)
