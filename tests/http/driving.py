# SPDX-License-Identifier: Apache-2.0
"""Both transports behind one interface."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.protocol.flow import Flow
from airflow_provider_bulkjobs.simulator.world import simulated_vendors
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

T = TypeVar("T")
VENDOR_OF: dict[str, Vendor] = {  # those that the simulator serves, by its names
    simulated.name: vendor
    for simulated in simulated_vendors()
    for vendor in VENDORS
    if vendor.conn_type == simulated.conn_type
}
QUICK = RetryPolicy(initial_delay=0.001, max_delay=0.001)


@dataclass(frozen=True)
class Driving:
    """Runs flows with one of the transports, one after the other."""

    name: str

    def __call__(self, vendor: str, account: Account, *starts: Callable[[], Flow[T]], policy: RetryPolicy = QUICK) -> T:
        """Run all flows on one transport; return the result of the last one."""
        if self.name == "requests":
            transport = RequestsTransport(VENDOR_OF[vendor], account)
            try:
                return [transport.run(start, policy) for start in starts][-1]
            finally:
                transport.close()

        async def run_all() -> T:
            async with shared_transport(VENDOR_OF[vendor], account) as transport:
                return [await transport.run(start, policy) for start in starts][-1]

        return asyncio.run(run_all())
