# SPDX-License-Identifier: Apache-2.0
"""Processes that are all gone at the end, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Self

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 4.0  # seconds to end by themselves; a triggerer alone would take ten, and nothing here is worth that


class ProcessDiedError(Exception):
    """A process ended that was to go on."""


class Processes:
    """Processes, each with a log file, that end with the block; also on Ctrl-C, SIGTERM and SIGHUP.

    Each has a session of its own. Airflow puts its tasks into process groups of their own, and they outlive a
    killed parent, but nothing of it leaves the session; so that is what tells which processes are ours.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._sessions: set[int] = set()
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Let whatever would end this process end the block first."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self._handlers = {number: signal.signal(number, _interrupt) for number in ENDINGS}
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)  # impatience must not leave half of them running
        try:
            self._stop()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

    def log_of(self, name: str) -> Path:
        """Return where the output of a process goes."""
        return self.logs / f"{name}.log"

    def start(self, name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
        """Start a process; its output is added to its log."""
        with self.log_of(name).open("ab") as log:
            process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._running[name] = process
        self._sessions.add(process.pid)

    def session(self, name: str) -> int:
        """Return the session of a process, which all it starts belong to."""
        return self._running[name].pid

    def run(self, name: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
        """Run a process to its end.

        :raises ProcessDiedError: it failed.
        """
        self.start(name, command, env)
        if self._running.pop(name).wait():
            raise ProcessDiedError(f"{name} failed")

    def check(self) -> None:
        """Make sure that all are still there.

        :raises ProcessDiedError: one is not.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ProcessDiedError(f"{name} ended by itself, with exit code {process.returncode}")

    def kill(self, name: str) -> None:
        """Kill a process and all it has started, as a machine that loses power would."""
        process = self._running.pop(name)
        for pid in _members({process.pid}):
            _send(pid, signal.SIGKILL)
        process.wait()

    def _stop(self) -> None:
        for process in self._running.values():
            _send(process.pid, signal.SIGTERM)
        until = time.monotonic() + PATIENCE
        while self._alive() and time.monotonic() < until:
            time.sleep(0.1)
        while pids := self._alive():  # also what a process forks while this goes on
            for pid in pids:
                _send(pid, signal.SIGKILL)
            time.sleep(0.05)
        for process in self._running.values():
            process.wait()  # what has ended last was not looked at since

    def _alive(self) -> list[int]:
        for process in self._running.values():
            process.poll()  # or it stays there as a zombie
        return _members(self._sessions)


@contextmanager
def tail_on_failure(processes: Processes, lines: int = 15) -> Iterator[None]:
    """Print the ends of all logs if the block fails."""
    try:
        yield
    except Exception:
        for log in sorted(processes.logs.glob("*.log")):
            last = log.read_text(errors="replace").splitlines()[-lines:]
            print(f"--- the end of {log}", *last, sep="\n")
        raise


def _members(sessions: set[int]) -> list[int]:
    """Return the processes of some sessions. What has ended and only waits to be noticed does not count."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            # After the name, in brackets, which may have any characters: state, parent, group, session.
            state, _, _, session = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[:4]
            if state != "Z" and int(session) in sessions:
                found.append(int(process.name))
    return found


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)
