# SPDX-License-Identifier: Apache-2.0
"""Both drivers behind one face."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_bulkjobs.http.pool import shared_driver
from airflow_provider_bulkjobs.http.requests_transport import RequestsDriver
from airflow_provider_bulkjobs.http.retry import Patience
from airflow_provider_bulkjobs.protocol.flow import Conversation
from airflow_provider_bulkjobs.simulator.world import VENDORS as SIMULATED
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

T = TypeVar("T")
VENDOR_OF: dict[str, Vendor] = {  # those that the simulator serves
    name: vendor
    for vendor in VENDORS
    if (name := vendor.conn_type.partition("_")[0]) in {simulated.name for simulated in SIMULATED}
}
QUICK = Patience(first_wait=0.001, longest_wait=0.001)


@dataclass(frozen=True)
class Driving:
    """Holds conversations through one of the drivers, one after the other."""

    name: str

    def __call__(
        self, vendor: str, account: Account, *starts: Callable[[], Conversation[T]], patience: Patience = QUICK
    ) -> T:
        """Hold all conversations on one driver; return what the last one returned."""
        if self.name == "requests":
            driver = RequestsDriver(VENDOR_OF[vendor], account)
            try:
                return [driver.run(start, patience) for start in starts][-1]
            finally:
                driver.close()

        async def talk() -> T:
            async with shared_driver(VENDOR_OF[vendor], account) as driver:
                return [await driver.run(start, patience) for start in starts][-1]

        return asyncio.run(talk())
