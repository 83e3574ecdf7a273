# SPDX-License-Identifier: Apache-2.0
"""A hook of MkDocs: links from the docs to other files of the repository lead to its pages on the web.

In a checkout, and on the pages of the repository, they are relative links.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent.parent
LINK = re.compile(r"\]\((\.\./[^)\s]+)\)")
CODE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Return a page with the links that leave the docs replaced."""
    folder = posixpath.dirname(f"docs/{page.file.src_uri}")

    def replace(link: re.Match[str]) -> str:
        path, mark, anchor = link[1].partition("#")
        target = posixpath.normpath(posixpath.join(folder, path))
        # A link to a file that does not exist stays as it is, and fails the build.
        if target.startswith("docs/") or not (PROJECT / target).exists():
            return link[0]
        kind = "tree" if (PROJECT / target).is_dir() else "blob"
        return f"]({config.extra['repository']}/{kind}/main/{target}{mark}{anchor})"

    parts = CODE.split(markdown)
    return "".join(part if CODE.match(part) else LINK.sub(replace, part) for part in parts)
