# SPDX-License-Identifier: Apache-2.0
"""A server that also interrupts connections, with an empty script for each test."""

from collections.abc import Iterator

import pytest
from vendors.scripted import Script, serving
from vendors.submit_cases import RoughHandler


@pytest.fixture(scope="session")
def rough_server() -> Iterator[Script]:
    with serving(RoughHandler) as script:
        yield script


@pytest.fixture
def script(rough_server: Script) -> Script:
    rough_server.play(())
    return rough_server
