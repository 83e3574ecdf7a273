# SPDX-License-Identifier: Apache-2.0
"""The scripted server, one for the session, with an empty script for each test."""

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
from vendors.scripted import Script, ScriptedHandler


@pytest.fixture(scope="session")
def scripted_server() -> Iterator[Script]:
    handler = type("Handler", (ScriptedHandler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        handler.script = Script(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield handler.script
        server.shutdown()
        thread.join(5)


@pytest.fixture
def script(scripted_server: Script) -> Script:
    scripted_server.play(())
    return scripted_server
