# SPDX-License-Identifier: Apache-2.0
"""The scripts with which the site is built, apart from those that need MkDocs: `make site` runs them all."""

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docs.pages import DOCS

SCRIPTS = DOCS.parent / "scripts" / "site"
LINKS = runpy.run_path(str(SCRIPTS / "links.py"))
OFFLINE = runpy.run_path(str(SCRIPTS / "offline.py"))
WEB = "https://example.com/project"


def rewritten(markdown: str, page: str = "submitting.md") -> str:
    file, config = SimpleNamespace(src_uri=page), SimpleNamespace(extra={"repository": WEB})
    result: Any = LINKS["on_page_markdown"](markdown, page=SimpleNamespace(file=file), config=config)
    return str(result)


@pytest.mark.parametrize(
    ("page", "link", "target"),
    [
        ("submitting.md", "../example_dags/gate_by_branch.py", f"{WEB}/blob/main/example_dags/gate_by_branch.py"),
        ("submitting.md", "../CONTRIBUTING.md#releases", f"{WEB}/blob/main/CONTRIBUTING.md#releases"),
        ("how-to/query.md", "../../example_dags", f"{WEB}/tree/main/example_dags"),
        ("how-to/query.md", "../submitting.md#queries", "../submitting.md#queries"),
        ("submitting.md", "../no_such_file.py", "../no_such_file.py"),
    ],
)
def test_a_link_that_leaves_the_docs_leads_to_the_repository(page: str, link: str, target: str) -> None:
    assert rewritten(f"See [this]({link}).", page) == f"See [this]({target})."


def test_code_is_left_alone() -> None:
    code = "```text\n[this](../CONTRIBUTING.md)\n```"
    assert rewritten(code) == code


@pytest.mark.parametrize(
    "loaded",
    [
        '<script src="https://cdn.example.com/a.js"></script>',
        "<img alt=a src=//cdn.example.com/a.png>",
        '<link rel="stylesheet" href="https://cdn.example.com/a.css">',
        '<link href="https://cdn.example.com" rel="preconnect">',
        "<style>a{background:url(https://cdn.example.com/a.png)}</style>",
    ],
)
def test_what_is_loaded_from_another_host_is_found(loaded: str, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(loaded)
    [problem] = OFFLINE["loaded_from_elsewhere"](tmp_path)
    assert problem.startswith("page.html: ")
    assert "cdn.example.com" in problem


def test_a_link_to_another_host_is_fine(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<a href="https://example.com">there</a><link rel="canonical" href="https://example.com"><img src="a.png">'
    )
    assert OFFLINE["loaded_from_elsewhere"](tmp_path) == []
