# SPDX-License-Identifier: Apache-2.0
"""The sensor, trigger and hooks against the simulator, over real HTTP."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from face.bucket import Bucket
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_bulkjobs.sensors import base as waiting
from airflow_provider_bulkjobs.simulator import Simulator

try:
    from airflow.sdk.io import attach
except ImportError:
    from airflow.io.store import attach


@pytest.fixture(autouse=True)
def quick_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow shorter poll intervals than for users."""
    monkeypatch.setattr(waiting, "MIN_INTERVAL", 0.01)


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    with Simulator(job_seconds=0.1) as sim:
        yield sim


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Make a connection from keyword arguments; return its id."""

    def make(conn_id: str, **values: Any) -> str:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(values))
        return conn_id

    return make


@pytest.fixture
def account(sim: Simulator, connection: Callable[..., str]) -> Callable[..., str]:
    """Make the connection of one of the simulator's vendors; return its id."""

    def make(vendor: str, conn_id: str | None = None, **values: Any) -> str:
        good = sim.connection(vendor)
        good["extra"] = {**good.get("extra", {}), "requests_per_second": 0}  # rate limiting has its own tests
        return connection(conn_id or f"{good['conn_type']}_default", **{**good, **values})

    return make


@pytest.fixture
def bucket(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Let ``memory://`` be an object storage that signs URLs."""
    bucket = Bucket()
    bucket.url = sim.url
    monkeypatch.setattr(attach("memory", fs=MemoryFileSystem()), "fs", bucket)
    return bucket


@pytest.fixture
def long_jobs(sim):
    """Let no job end while it is submitted to."""
    sim.settings(job_seconds=60)
