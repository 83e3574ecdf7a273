# SPDX-License-Identifier: Apache-2.0
"""One simulator for all tests, which is reset before each test."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from airflow_provider_bulkjobs.simulator import (
    ACQUIA_PASSWORD,
    ACQUIA_USER,
    ACTIVECAMPAIGN_KEY,
    INTERCOM_TOKEN,
    SENDGRID_KEY,
    Simulator,
)

BASIC = base64.b64encode(f"{ACQUIA_USER}:{ACQUIA_PASSWORD}".encode()).decode()
KEYS = {
    "intercom": {"Authorization": f"Bearer {INTERCOM_TOKEN}", "Intercom-Version": "Preview"},
    "sendgrid": {"Authorization": f"Bearer {SENDGRID_KEY}"},
    "activecampaign": {"Api-Token": ACTIVECAMPAIGN_KEY},
    "acquia": {"Authorization": f"Basic {BASIC}"},
    "hubspot": {"Authorization": "Bearer pat-na1-hubspot"},
    "klaviyo": {"Authorization": "Klaviyo-API-Key pk_klaviyo", "revision": "2026-07-15"},
}

Call = Callable[..., requests.Response]


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with Simulator(job_seconds=0) as simulator:
        yield simulator


@pytest.fixture
def sim(simulator: Simulator) -> Simulator:
    """A simulator without jobs, whose new jobs finish immediately."""
    simulator.reset()
    return simulator


def caller(vendor: str) -> Any:
    """Return a fixture that calls a vendor with valid credentials, or with the given headers."""

    @pytest.fixture
    def call(sim: Simulator) -> Iterator[Call]:
        with requests.Session() as session:

            def ask(method: str, path: str, *, headers: dict[str, str] | None = None, **how: Any) -> requests.Response:
                good = KEYS[vendor] if headers is None or how.pop("authorized", False) else {}
                headers = good | (headers or {})
                return session.request(method, sim.url_of(vendor) + path, headers=headers, timeout=10, **how)

            yield ask

    return call


intercom = caller("intercom")
sendgrid = caller("sendgrid")
activecampaign = caller("activecampaign")
acquia = caller("acquia")
hubspot = caller("hubspot")
klaviyo = caller("klaviyo")


@pytest.fixture
def calls(intercom: Call, sendgrid: Call, activecampaign: Call, acquia: Call) -> dict[str, Call]:
    return {"intercom": intercom, "sendgrid": sendgrid, "activecampaign": activecampaign, "acquia": acquia}
