# SPDX-License-Identifier: Apache-2.0
"""The code blocks of a page of the docs."""

import re
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parent.parent.parent / "docs"
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A code block: its language, its title (the path of a file) and its text."""

    language: str
    title: str
    text: str


class Command(NamedTuple):
    """A command of a console block, with the lines of its output that are shown."""

    line: str
    output: tuple[str, ...]


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page.read_text())]


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    return [Command(lines[0], tuple(lines[1:])) for lines in (part.splitlines() for part in parts)]


def pattern(shown: str) -> re.Pattern[str]:
    """Return what a text matches in which an ellipsis stands for anything."""
    return re.compile(".*?".join(map(re.escape, shown.split("…"))), re.DOTALL)
