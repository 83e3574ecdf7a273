# SPDX-License-Identifier: Apache-2.0
"""The simulator for tests: a thread with its own event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self, TypeVar

from airflow_provider_bulkjobs.simulator.jobs import Word
from airflow_provider_bulkjobs.simulator.runner import Running, start
from airflow_provider_bulkjobs.simulator.server import open_traffic
from airflow_provider_bulkjobs.simulator.settings import PUBLISHED_LIMITS, Settings
from airflow_provider_bulkjobs.simulator.traffic import RecordedRequest
from airflow_provider_bulkjobs.simulator.world import World

T = TypeVar("T")


class Simulator:
    """The four vendors on a port of their own, from ``with`` to the end of its block.

    :param job_seconds: how long a job takes, at speed 1.
    :param speed: how much faster than that it goes.
    :param port: 0 finds a free one.
    :param tls: serves https with it.
    :param enforce_limits: holds clients to the limits that the vendors publish.
    """

    def __init__(
        self,
        *,
        job_seconds: float = 3.0,
        speed: float = 1.0,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: SSLContext | None = None,
        enforce_limits: bool = False,
    ) -> None:
        limits = dict(PUBLISHED_LIMITS) if enforce_limits else {}
        self._world = World(Settings(speed=speed, job_seconds=job_seconds, limits=limits))
        self._host, self._port, self._tls = host, port, tls
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread
        self._running: Running | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bulkjobs-simulator", daemon=True)
        self._thread.start()
        starting = start(self._world, self._host, self._port, self._tls)
        try:
            self._running = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running:
            asyncio.run_coroutine_threadsafe(self._running.stop(), self._loop).result()
        self._stop()

    @property
    def url(self) -> str:
        """The address of the server."""
        if self._running is None:
            raise RuntimeError("the simulator runs only inside its with block")
        return self._running.url

    def url_of(self, vendor: str) -> str:
        """Return the address of a vendor: intercom, sendgrid, activecampaign or acquia."""
        if vendor not in self._world.vendors:
            raise ValueError(f"no vendor {vendor!r}; choose one of: {', '.join(self._world.vendors)}")
        return f"{self.url}/{vendor}"

    def connection(self, conn_type: str) -> dict[str, Any]:
        """Return a connection of a type that leads here, the way ``AIRFLOW_CONN_…`` has it in JSON."""
        vendor = next((vendor for vendor in self._world.vendors.values() if vendor.conn_type == conn_type), None)
        if vendor is None:
            raise ValueError(f"no vendor of type {conn_type!r}")
        host = self.url_of(vendor.name)
        return {"conn_type": conn_type, "host": host, "login": vendor.login, "password": vendor.password}

    def state(self) -> dict[str, Any]:
        """Return what happened so far, by vendor."""
        return self._call(self._world.state)

    def requests(self, vendor: str) -> list[RecordedRequest]:
        """Return the latest requests to a vendor, or those that followed a redirect ("elsewhere")."""
        return self._call(lambda: list(open_traffic(self._world, vendor).requests))

    def fault(self, vendor: str | None, fault: str, **fields: Any) -> None:
        """Let requests go wrong; the fields are those of ``POST /control/faults``."""
        self._call(lambda: self._world.add_fault({"vendor": vendor, "fault": fault} | fields))

    def clear_faults(self) -> None:
        """Let all be well again."""
        self._call(self._world.clear_faults)

    def job(
        self,
        vendor: str,
        job_kind: str | None = None,
        *,
        states: Sequence[Word] | None = None,
        items: int = 1,
        failed: int = 0,
        body: Any = None,
    ) -> str:
        """Take in a job that answers as it is told to; return its id."""
        words = None if states is None else list(states)
        data = {"vendor": vendor, "job_kind": job_kind, "states": words, "items": items, "failed": failed, "body": body}
        return str(self._call(lambda: self._world.add_job(data))["job_id"])

    def expire(self, job_id: str) -> None:
        """Let a job be gone: 404 from now on."""
        self._call(lambda: self._world.expire(job_id))

    def settings(self, **changes: Any) -> None:
        """Change settings; they are those of ``POST /control/settings``."""
        self._call(lambda: self._world.change_settings(changes))

    def revoke_tokens(self) -> None:
        """Let no access token be good any more."""
        self._call(self._world.revoke_tokens)

    def reset(self) -> None:
        """Forget everything."""
        self._call(self._world.reset)

    def _call(self, function: Callable[[], T]) -> T:
        """Run something where the server runs, so that nothing is touched from two threads."""

        async def call() -> T:
            return function()

        if self._running is None:
            return function()  # nobody else is there
        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def _stop(self) -> None:
        self._running = None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
