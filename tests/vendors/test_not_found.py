# SPDX-License-Identifier: Apache-2.0
"""404 for a job and 404 for its details: only the first means that the job no longer exists."""

from typing import Any

import pytest
from vendors.scripted import Script, make_account

from airflow_provider_bulkjobs.exceptions import BulkJobError, JobNotFoundError, VendorUnavailableError
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.results.item_results import iter_item_results
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

QUICK = RetryPolicy(max_attempts=3, initial_delay=0.001, max_delay=0.001, on_retry=lambda _: None)
VENDOR_OF = {hook_class.conn_type: hook_class.vendor for hook_class in HOOKS}
HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}


def answer(body: Any, status: int = 200) -> dict[str, Any]:
    return {"status": status, "body": body}


GONE = answer({}, 404)
STATE_OF = {
    "acquia_campaign_studio": answer({"status": "completed"}),
    "hubspot": answer({"state": "DONE"}),
    "klaviyo": answer({"data": {"attributes": {"status": "complete", "total_count": 3}}}),
}
DETAILS_OF = {
    "acquia_campaign_studio": answer({"details": {"contacts": [{"statusCode": 200}]}}),
    "hubspot": answer({"results": []}),
    "klaviyo": answer({"data": []}),
}
each_vendor = pytest.mark.parametrize("vendor", [VENDOR_OF[name] for name in STATE_OF], ids=STATE_OF)
each_driver = pytest.mark.parametrize("transport", ["requests", "aiohttp"])


async def run(script: Script, vendor: Vendor, transport: str, *answers: dict[str, Any]) -> Any:
    script.play(answers)
    account = make_account(vendor, script.url())
    try:
        if transport == "requests":
            return RequestsTransport(vendor, account).run(lambda: vendor.kinds[0].status(account, "7"), QUICK)
        async with shared_transport(vendor, account) as aiohttp_driver:
            return await aiohttp_driver.run(lambda: vendor.kinds[0].status(account, "7"), QUICK)
    except BulkJobError as error:
        return error


@each_driver
@each_vendor
async def test_404_of_details_is_retried(script: Script, vendor: Vendor, transport: str) -> None:
    state, details = STATE_OF[vendor.conn_type], DETAILS_OF[vendor.conn_type]
    job = await run(script, vendor, transport, state, GONE, state, details)
    assert isinstance(job, BulkJob), job
    assert job.state is JobState.SUCCEEDED
    assert not script.answers


@each_driver
@each_vendor
async def test_persistent_404_of_details_is_an_error(script: Script, vendor: Vendor, transport: str) -> None:
    error = await run(script, vendor, transport, *[STATE_OF[vendor.conn_type], GONE] * QUICK.max_attempts)
    assert type(error) is VendorUnavailableError, error
    assert not script.answers


@each_driver
@each_vendor
async def test_job_deleted_between_state_and_details(script: Script, vendor: Vendor, transport: str) -> None:
    error = await run(script, vendor, transport, STATE_OF[vendor.conn_type], GONE, GONE)
    assert type(error) is JobNotFoundError, error


@each_vendor
def test_404_of_results_is_an_error(script: Script, vendor: Vendor) -> None:
    script.play([STATE_OF[vendor.conn_type], GONE])
    hook = HOOK_OF[vendor.conn_type]("mine")
    hook.account = make_account(vendor, script.url())
    with pytest.raises(VendorUnavailableError, match="404"):
        list(iter_item_results(hook, vendor.kinds[0], "7", 10**6))
    hook.transport.close()
