# SPDX-License-Identifier: Apache-2.0
"""A hook of MkDocs: the pages of all vendors in the navigation, so that a new vendor needs no entry there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SECTION = "Vendors"


def on_config(config: Any) -> Any:
    """Add the pages, in the order of their titles."""
    folder = Path(config.docs_dir, "vendors")
    titles = {path.name: path.read_text().partition("\n")[0] for path in folder.glob("*.md") if path.stem != "index"}
    [section] = [entry for entry in config.nav if SECTION in entry]
    section[SECTION].extend(f"vendors/{name}" for name in sorted(titles, key=lambda name: titles[name].lower()))
    return config
