# SPDX-License-Identifier: Apache-2.0
"""An extension of Griffe: what our docstrings write in reStructuredText becomes Markdown."""

from __future__ import annotations

import re
from typing import Any

from griffe import Class, Extension, Object

ROLE = re.compile(r":\w+:`~?([\w.]+)`")
PAGE = re.compile(r"\bdocs/([\w/]+)\.md")
ADDRESS = re.compile(r"^(https?://\S+)$", re.MULTILINE)
EXAMPLE = re.compile(r"^Example::\n\n((?:    .*\n|\n)+)", re.MULTILINE)


def to_markdown(text: str) -> str:
    """Return a docstring with its roles and its example as Markdown."""
    text = ROLE.sub(lambda role: f"`{role[1].rpartition('.')[2]}`", text)
    text = PAGE.sub(lambda page: f"[{page[1]}](../{page[1]}.md)", text)  # the pages of the reference are in a folder
    text = ADDRESS.sub(r"<\1>", text)
    return EXAMPLE.sub(lambda example: f"**Example**\n\n```python\n{_dedent(example[1])}\n```\n\n", f"{text}\n")


def _dedent(block: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in block.rstrip().splitlines())


class MarkdownDocstrings(Extension):
    """Rewrites the docstrings before they are parsed."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = to_markdown(obj.docstring.value)

    def on_class_members(self, *, cls: Class, **_: Any) -> None:
        """Show a tuple with the arguments of its ``__new__``."""
        if "__new__" in cls.members and "__init__" not in cls.members:
            cls.set_member("__init__", cls.members["__new__"])
