# SPDX-License-Identifier: Apache-2.0
"""A simulator of the vendors in a separate process, and the connections to it."""

from __future__ import annotations

import re
import sys
import time
from typing import Any

import requests
from processes import Processes

from airflow_provider_bulkjobs.simulator.world import simulated_vendors


class LocalSimulator:
    """A simulator of the vendors.

    :param job_seconds: the duration of a job.
    :param name: the name of its process.
    """

    def __init__(self, processes: Processes, job_seconds: float, name: str = "simulator") -> None:
        module = "airflow_provider_bulkjobs.simulator"
        command = [sys.executable, "-m", module, "--port", "0", "--job-seconds", str(job_seconds)]
        log = processes.log_of(name)
        processes.start(name, command)
        until = time.monotonic() + 30
        while not (found := re.search(r"http://\S+(?=\s)", log.read_text())):
            processes.check()
            if time.monotonic() > until:
                raise TimeoutError("the simulator did not start within 30 s")
            time.sleep(0.1)
        self.url = found[0]
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        """The connections to the vendors, by id."""
        connections = {f"{each.conn_type}_default": each.connection(self.url) for each in simulated_vendors()}
        file = f"{self.url}/customer_io-files/contacts.csv"
        connections["contacts_file"] = {"conn_type": "http", "host": file, "password": "X-Amz-Signature=signed"}
        # Rate limited, so that a test can interrupt a submit between two requests.
        for conn_type in ("activecampaign", "intercom"):
            slow = connections[f"{conn_type}_default"] | {"extra": {"requests_per_second": 0.25}}
            connections[f"{conn_type}_slow"] = slow
        return connections

    def job(self, vendor: str, states: list[Any], items: int = 10, failed: int = 0) -> str:
        """Create a job that returns one of these states per poll, then always the last one; return its id."""
        job = {"vendor": vendor, "states": states, "items": items, "failed": failed}
        job_id: str = self.control("jobs", job)["job_id"]
        return job_id

    def control(self, command: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a command to its control API; return the response."""
        response = self._http.post(f"{self.url}/control/{command}", json=body, timeout=10)
        response.raise_for_status()
        result: dict[str, Any] = response.json()
        return result

    def state(self) -> dict[str, Any]:
        """Return the simulator's state."""
        state: dict[str, Any] = self._http.get(f"{self.url}/control/state", timeout=10).json()
        return state

    def polls(self) -> dict[str, int]:
        """Return how often each job was polled."""
        state = self.state()
        vendors = [vendor for vendor in state.values() if isinstance(vendor, dict) and "jobs" in vendor]
        return {job["job_id"]: job["polls"] for vendor in vendors for job in vendor["jobs"]}
