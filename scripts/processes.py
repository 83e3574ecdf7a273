# SPDX-License-Identifier: Apache-2.0
"""Child processes that never outlive this process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_PERIOD = 4.0  # seconds between SIGTERM and SIGKILL; a triggerer alone would take ten
RESTART_DELAY = 3.0  # seconds until a process that has ended is restarted


class ProcessDiedError(Exception):
    """A process ended unexpectedly."""


class Processes:
    """Processes, each with a log file, that end with the block; also on Ctrl-C, SIGTERM and SIGHUP.

    Each is started in a new session. Airflow puts its tasks into separate process groups, and they outlive a killed
    parent, but they stay in the session. So the session identifies the processes to end.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._restarts: dict[str, Callable[[], None]] = {}
        self._restart_at: dict[str, float] = {}
        self._sessions: set[int] = set()
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Install handlers, so that a signal ends the block before this process."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self._handlers = {number: signal.signal(number, _interrupt) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave some of them running
        try:
            self._stop()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def log_of(self, name: str) -> Path:
        """Return the path of the log of a process."""
        return self.logs / f"{name}.log"

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        env: Mapping[str, str] | None = None,
        *,
        restart: bool = False,
        **options: Any,
    ) -> None:
        """Start a process; its output is appended to its log.

        :param restart: :meth:`check` starts it again when it has ended, as a service manager does.
        :param options: for :class:`subprocess.Popen`.
        """
        if restart:
            self._restarts[name] = lambda: self.start(name, command, env, restart=True, **options)
        with self.log_of(name).open("ab") as log:
            process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **options
            )
        self._running[name] = process
        self._sessions.add(process.pid)

    def session(self, name: str) -> int:
        """Return the session id of a process, which its children share."""
        return self._running[name].pid

    def run(self, name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
        """Run a process and wait for its end.

        :raises ProcessDiedError: it failed.
        """
        self.start(name, command, env)
        if self._running.pop(name).wait():
            raise ProcessDiedError(f"{name} failed")

    def check(self) -> None:
        """Check that all processes are running, and restart those that are to be restarted.

        :raises ProcessDiedError: another one has ended.
        """
        for name, process in list(self._running.items()):
            if process.poll() is None:
                continue
            if name not in self._restarts:
                raise ProcessDiedError(f"{name} ended unexpectedly with exit code {process.returncode}")
            if time.monotonic() > self._restart_at.setdefault(name, time.monotonic() + RESTART_DELAY):
                del self._restart_at[name]
                self.signal(name, signal.SIGKILL)  # the children that it has left behind
                self._restarts[name]()

    def kill(self, name: str) -> None:
        """Kill a process and its children with SIGKILL, like a power failure; it is not restarted."""
        self.signal(name, signal.SIGKILL)
        self._running.pop(name).wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and its children."""
        for pid in _members({self.session(name)}):
            _send(pid, number)

    def _stop(self) -> None:
        for process in self._running.values():
            _send(process.pid, signal.SIGTERM)
        until = time.monotonic() + GRACE_PERIOD
        while self._alive() and time.monotonic() < until:
            time.sleep(0.1)
        while pids := self._alive():  # including processes that are forked meanwhile
            for pid in pids:
                _send(pid, signal.SIGKILL)
            time.sleep(0.05)
        for process in self._running.values():
            process.wait()  # reap the processes that ended after the last poll

    def _alive(self) -> list[int]:
        for process in self._running.values():
            process.poll()  # reap it, or it stays a zombie
        return _members(self._sessions)


@contextmanager
def tail_on_failure(processes: Processes, lines: int = 15) -> Iterator[None]:
    """Print the last lines of all logs if the block fails."""
    try:
        yield
    except Exception:
        for log in sorted(processes.logs.glob("*.log")):
            last = log.read_text(errors="replace").splitlines()[-lines:]
            print(f"--- last lines of {log}", *last, sep="\n")
        raise


def _members(sessions: set[int]) -> list[int]:
    """Return the ids of the processes of some sessions, without zombies."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            # After the name, which is in parentheses and may have any characters: state, parent, group, session.
            state, _, _, session = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[:4]
            if state != "Z" and int(session) in sessions:
                found.append(int(process.name))
    return found


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)
