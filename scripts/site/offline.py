# SPDX-License-Identifier: Apache-2.0
"""Check that no page of the built site loads anything from another host."""

from __future__ import annotations

import re
import sys
from pathlib import Path

LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\ssrc=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?=[^>]*\srel=["']?(?:stylesheet|preload|preconnect|icon))[^>]*\shref=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|url\(["']?((?:https?:)?//[^"')\s]+)"""
)


def loaded_from_elsewhere(site: Path) -> list[str]:
    """Return the addresses that pages and style sheets load, each with its file."""
    files = sorted(path for path in site.rglob("*") if path.suffix in {".html", ".css"})
    return [
        f"{path.relative_to(site)}: {next(filter(None, found))}"
        for path in files
        for found in LOADED.findall(path.read_text())
    ]


if __name__ == "__main__":
    if problems := loaded_from_elsewhere(Path(sys.argv[1])):
        sys.exit("loaded from another host:\n" + "\n".join(problems))
