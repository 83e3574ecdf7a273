# SPDX-License-Identifier: Apache-2.0
"""A hook of MkDocs: the page of the changelog, with the changes that are not released yet."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

PROJECT = Path(__file__).parent.parent.parent
TITLE = "# Changelog\n"


def unreleased() -> str:
    """Return the fragments in ``changes`` by kind, as towncrier will write them."""
    kinds = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    lines = ["## Not released yet", ""]
    for kind in kinds:
        fragments = sorted((PROJECT / "changes").glob(f"*.{kind['directory']}.md"))
        if fragments:
            lines += [f"### {kind['name']}", ""]
            lines += [f"- {' '.join(path.read_text().split())}" for path in fragments]
            lines.append("")
    return "\n".join(lines)


def on_files(files: Files, *, config: Any) -> Files:
    """Add the page."""
    released = (PROJECT / "CHANGELOG.md").read_text().removeprefix(TITLE)
    files.append(File.generated(config, "changelog.md", content=f"{TITLE}\n{unreleased()}\n{released}"))
    return files
