# SPDX-License-Identifier: Apache-2.0
"""The tests that the docs show: they are collected here as they are written on the page."""

from docs.pages import DOCS, blocks

PAGE = DOCS / "how-to/test-your-dag.md"

for block in blocks(PAGE):
    if block.language == "python":
        exec(compile(block.text, str(PAGE), "exec"), globals())
