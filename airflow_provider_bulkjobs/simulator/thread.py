# SPDX-License-Identifier: Apache-2.0
"""The simulator for tests: a server thread with its own event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self, TypeVar

from airflow_provider_bulkjobs.simulator.jobs import Word
from airflow_provider_bulkjobs.simulator.runner import Running, start
from airflow_provider_bulkjobs.simulator.server import open_traffic
from airflow_provider_bulkjobs.simulator.settings import Settings
from airflow_provider_bulkjobs.simulator.traffic import RecordedRequest
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor
from airflow_provider_bulkjobs.simulator.world import World

T = TypeVar("T")


class Simulator:
    """A context manager that serves all vendors on one port.

    Wherever a method takes a vendor, its name or its connection type will do.

    :param job_seconds: the duration of a job at speed 1.
    :param speed: the factor by which jobs run faster.
    :param port: the port to listen on; 0 selects a free port.
    :param tls: serve https with this context.
    :param enforce_limits: enforce the published rate limits of the vendors.
    :param vendors: vendors of other packages to serve in addition to this package's.
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
        vendors: Sequence[type[SimulatedVendor]] = (),
    ) -> None:
        settings = Settings(speed=speed, job_seconds=job_seconds)
        self._world = World(settings, vendors, enforce_limits=enforce_limits)
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
        """The base URL of the server."""
        if self._running is None:
            raise RuntimeError("the simulator runs only inside its with block")
        return self._running.url

    def url_of(self, vendor: str) -> str:
        """Return the base URL of a vendor.

        :raises ValueError: there is no such vendor.
        """
        return f"{self.url}/{self._world.vendor(vendor).name}"

    def connection(self, conn_type: str) -> dict[str, Any]:
        """Return a connection to the simulated vendor, in the JSON format of ``AIRFLOW_CONN_…``.

        :raises ValueError: there is no such vendor.
        """
        return self._world.vendor(conn_type).connection(self.url)

    def state(self) -> dict[str, Any]:
        """Return statistics by vendor, and the active faults and settings."""
        return self._call(self._world.state)

    def requests(self, vendor: str) -> list[RecordedRequest]:
        """Return the latest requests to a vendor, or to the redirect target ("elsewhere")."""
        return self._call(lambda: list(open_traffic(self._world, vendor).requests))

    def fault(self, vendor: str | None, fault: str, **fields: Any) -> None:
        """Inject a fault into requests; the fields are those of ``POST /control/faults``."""
        self._call(lambda: self._world.add_fault({"vendor": vendor, "fault": fault} | fields))

    def clear_faults(self) -> None:
        """Remove all faults."""
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
        """Create a job with scripted states; return its id."""
        script = None if states is None else list(states)
        data = {
            "vendor": vendor,
            "job_kind": job_kind,
            "states": script,
            "items": items,
            "failed": failed,
            "body": body,
        }
        return str(self._call(lambda: self._world.add_job(data))["job_id"])

    def contacts(
        self, vendor: str, contacts: Sequence[Mapping[str, Any]] = (), *, kind: str | None = None
    ) -> list[dict[str, Any]]:
        """Create contacts, which jobs can then update and delete; return all that exist.

        :param contacts: the contacts, with the vendor's field names; without an ``id`` they get one.
        :param kind: another kind of records, as ``companies``.
        """
        data = {"vendor": vendor, "kind": kind, "contacts": [dict(contact) for contact in contacts]}
        existing: list[dict[str, Any]] = self._call(lambda: self._world.add_contacts(data))["contacts"]
        return existing

    def expire(self, job_id: str) -> None:
        """Expire a job: from now on it is 404."""
        self._call(lambda: self._world.expire(job_id))

    def settings(self, **changes: Any) -> None:
        """Change settings; the keys are those of ``POST /control/settings``."""
        self._call(lambda: self._world.change_settings(changes))

    def revoke_tokens(self) -> None:
        """Revoke all access tokens."""
        self._call(self._world.revoke_tokens)

    def reset(self) -> None:
        """Delete all state, and restore the initial settings."""
        self._call(self._world.reset)

    def _call(self, function: Callable[[], T]) -> T:
        """Run a function in the server's event loop, so that only one thread accesses the state."""

        async def call() -> T:
            return function()

        if self._running is None:
            return function()  # no server thread
        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def _stop(self) -> None:
        self._running = None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
