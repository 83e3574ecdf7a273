# SPDX-License-Identifier: Apache-2.0
"""The tutorial works as it is written: each file, each command, each line of output that it shows."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from docs.pages import DOCS, Command, blocks, commands, pattern

INSTALLATION = ["python3 -m venv tutorial/venv", ". tutorial/venv/bin/activate", "pip install -c constraints.txt ."]
SIMULATOR = "python -m airflow_provider_bulkjobs.simulator"
PAGE_PORT = "8090"  # as the page has it: it may be in use here


class Terminal:
    """Runs commands like a shell that stays open: exported variables are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = str(_free_port())
        bare = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.env = bare | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        self.background: list[subprocess.Popen[str]] = []

    def start(self, command: Command) -> None:
        """Start a command that does not end, and read the output that the page shows."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command.line} --port {self.port}"],
            env=self.env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.background.append(process)
        assert process.stdout
        for shown in command.output:
            assert pattern(self._moved(shown)).search(process.stdout.readline())

    def run(self, command: Command) -> None:
        """Run a command, and check its output."""
        shell = ["bash", "-c", f"{self._moved(command.line)} || echo 'it failed'\nenv -0 > .variables"]
        done = subprocess.run(
            shell,
            env=self.env,
            cwd=self.folder,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        lines = (self.folder / ".variables").read_text().split("\0")
        self.env = dict(line.split("=", 1) for line in lines if line)
        rejected = any("rejected" in shown for shown in command.output)
        assert ("it failed" in done.stdout) == rejected, f"{command.line}\n{done.stdout}"
        plain = re.sub(r"\x1b\[[\d;]*m", "", done.stdout)
        for shown in command.output:
            assert pattern(self._moved(shown)).search(plain), f"{command.line}: no {shown!r} in\n{plain}"

    def _moved(self, text: str) -> str:
        return text.replace(f":{PAGE_PORT}", f":{self.port}")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    for process in terminal.background:
        process.terminate()
        process.communicate(timeout=30)


def test_the_tutorial(terminal: Terminal) -> None:
    ran = []
    for block in blocks(DOCS / "tutorial.md"):
        if block.title:
            (terminal.folder / block.title).write_text(block.text)
        for command in commands(block) if block.language == "console" else ():
            ran.append(command.line)
            if command.line in INSTALLATION:
                assert version("airflow-provider-bulkjobs")  # the environment of this test has it
            elif command.line == SIMULATOR:
                terminal.start(command)
            else:
                terminal.run(command)
    assert ran[: len(INSTALLATION)] == INSTALLATION
    assert SIMULATOR in ran
    assert ran.count("airflow dags test first_import") == 3


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
