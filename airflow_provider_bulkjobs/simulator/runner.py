# SPDX-License-Identifier: Apache-2.0
"""Starting and stopping the server."""

from __future__ import annotations

from dataclasses import dataclass
from ssl import SSLContext

from aiohttp import web

from airflow_provider_bulkjobs.simulator.server import make_app
from airflow_provider_bulkjobs.simulator.world import World


@dataclass
class Running:
    """A running server.

    :param url: the base URL.
    """

    url: str
    runner: web.AppRunner

    async def stop(self) -> None:
        """Close the port and all connections."""
        await self.runner.cleanup()


async def start(world: World, host: str, port: int, tls: SSLContext | None = None) -> Running:
    """Start the server; port 0 selects a free port."""
    # Handlers are canceled with their connection, so that a client that gave up is not counted as concurrent.
    runner = web.AppRunner(make_app(world), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls, reuse_address=True).start()
    except BaseException:
        await runner.cleanup()
        raise
    bound_host, bound_port, *_ = runner.addresses[0]
    name = f"[{bound_host}]" if ":" in str(bound_host) else bound_host
    return Running(f"{'https' if tls else 'http'}://{name}:{bound_port}", runner)
