# SPDX-License-Identifier: Apache-2.0
"""The scripted server: one per session, with an empty script for each test."""

from collections.abc import Iterator

import pytest
from vendors.scripted import Script, ScriptedHandler, serving


@pytest.fixture(scope="session")
def scripted_server() -> Iterator[Script]:
    with serving(ScriptedHandler) as script:
        yield script


@pytest.fixture
def script(scripted_server: Script) -> Script:
    scripted_server.play(())
    return scripted_server
