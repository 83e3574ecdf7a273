# SPDX-License-Identifier: Apache-2.0
"""Fixtures for tests of both transports against the simulator."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # "http" is taken, so the helpers in here cannot be a package's

from driving import VENDOR_OF, Driving

from airflow_provider_bulkjobs import simulator
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.http import aiohttp_transport as aiohttp_driver
from airflow_provider_bulkjobs.http import requests_transport as requests_driver
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.vendors.spec.fields import Account


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    with Simulator(job_seconds=0) as sim:
        yield sim


@pytest.fixture
def account(sim: Simulator) -> Callable[..., Account]:
    """Create an account of one of the simulator's vendors; ``values`` override the defaults."""

    def make(vendor: str = "sendgrid", **values: Any) -> Account:
        good = sim.connection(vendor) | {"conn_id": "mine"}
        good["extra"] = {**good.get("extra", {}), "requests_per_second": 0}
        del good["conn_type"]
        return read_account(VENDOR_OF[vendor].fields, **{**good, **values})

    return make


@pytest.fixture
def oauth2(account: Callable[..., Account]) -> Account:
    return account(
        "acquia",
        login=simulator.ACQUIA_CLIENT_ID,
        password=simulator.ACQUIA_CLIENT_SECRET,
        extra={"auth_type": "oauth2"},
    )


@pytest.fixture(params=["requests", "aiohttp"])
def drive(request: pytest.FixtureRequest) -> Driving:
    return Driving(request.param)


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lower a limit of both transports."""

    def change(**limits: float) -> None:
        for name, value in limits.items():
            for module in (requests_driver, aiohttp_driver):
                monkeypatch.setattr(module, name, value)

    return change
