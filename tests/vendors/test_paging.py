# SPDX-License-Identifier: Apache-2.0
"""Pagination: the same rule for loops and limits for every vendor."""

from typing import Any

import pytest
from vendors.scripted import DRIVERS, Script, make_account

from airflow_provider_bulkjobs.exceptions import UntrustedResponseError
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.results.item_results import iter_item_results
from airflow_provider_bulkjobs.vendors.acquia_campaign_studio import jobs as acquia_jobs
from airflow_provider_bulkjobs.vendors.hubspot import imports as hubspot_jobs
from airflow_provider_bulkjobs.vendors.klaviyo import jobs as klaviyo
from airflow_provider_bulkjobs.vendors.toolkit.paging import Pages

VENDORS = {hook_class.conn_type: hook_class.vendor for hook_class in HOOKS}
HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
MODULES = {"acquia_campaign_studio": acquia_jobs, "hubspot": hubspot_jobs, "klaviyo": klaviyo}
FIRST = {
    "acquia_campaign_studio": {"status": "completed"},
    "hubspot": {"state": "DONE"},
    "klaviyo": {"data": {"attributes": {"status": "complete", "failed_count": 9}}},
}
each_driver = pytest.mark.parametrize("transport", DRIVERS)
each_pager = pytest.mark.parametrize("conn_type", MODULES)


def page(conn_type: str, number: int) -> dict[str, Any]:
    """Return a page without failures whose next page is ``number``."""
    address = f"/api/contacts/job/7?details=1&page={number}"
    link = f"https://a.klaviyo.com/x?page[cursor]={number}"
    return {
        "acquia_campaign_studio": {"details": {"contacts": [{"statusCode": 200}], "next-page": address}},
        "hubspot": {"results": [], "paging": {"next": {"after": str(number)}}},
        "klaviyo": {"data": [], "links": {"next": link}},
    }[conn_type]


def play(script: Script, conn_type: str, *numbers: int) -> None:
    bodies = [FIRST[conn_type], *(page(conn_type, number) for number in numbers)]
    script.play({"status": 200, "body": body} for body in bodies)


def read_results(script: Script, conn_type: str) -> list[Any]:
    hook = HOOK_OF[conn_type]("mine")
    hook.account = make_account(hook.vendor, script.url())
    try:
        return list(iter_item_results(hook, hook.vendor.kinds[0], "7", 10**6))
    finally:
        hook.transport.close()


@each_driver
@pytest.mark.parametrize("numbers", [(2, 2), (2, 3, 2), (2, 3, 3)], ids=str)
@pytest.mark.parametrize("conn_type", ["acquia_campaign_studio", "hubspot"])
def test_page_loop_is_not_a_success(script: Script, conn_type: str, numbers: tuple[int, ...], transport: str) -> None:
    play(script, conn_type, *numbers)
    vendor = VENDORS[conn_type]
    account = make_account(vendor, script.url())
    job = DRIVERS[transport](vendor, account, lambda: vendor.kinds[0].status(account, "7"))
    assert isinstance(job, BulkJob), job
    assert (job.state, job.total, job.failed) == (JobState.PARTIALLY_FAILED, None, None)
    assert not script.answers


@each_driver
@pytest.mark.parametrize("conn_type", ["acquia_campaign_studio", "hubspot"])
def test_too_many_pages_are_not_a_success(
    script: Script, monkeypatch: pytest.MonkeyPatch, conn_type: str, transport: str
) -> None:
    monkeypatch.setattr(MODULES[conn_type], "MAX_PAGES", 3)
    play(script, conn_type, *range(2, 9))
    vendor = VENDORS[conn_type]
    account = make_account(vendor, script.url())
    job = DRIVERS[transport](vendor, account, lambda: vendor.kinds[0].status(account, "7"))
    assert isinstance(job, BulkJob), job
    assert (job.state, job.total, job.failed) == (JobState.PARTIALLY_FAILED, None, None)
    assert len(script.seen) == 1 + 3


@each_pager
def test_page_loop_of_results_is_an_error(script: Script, conn_type: str) -> None:
    play(script, conn_type, 2, 3, 2)
    with pytest.raises(UntrustedResponseError, match="did not end after 3 pages"):
        read_results(script, conn_type)
    assert not script.answers


@each_pager
def test_too_many_pages_of_results_are_an_error(
    script: Script, monkeypatch: pytest.MonkeyPatch, conn_type: str
) -> None:
    monkeypatch.setattr(MODULES[conn_type], "MAX_PAGES", 3)
    play(script, conn_type, *range(2, 9))
    with pytest.raises(UntrustedResponseError, match="did not end after 3 pages"):
        read_results(script, conn_type)
    assert len(script.seen) == 1 + 3


def test_last_page_within_the_limit_completes_the_list() -> None:
    def request(cursor: str) -> Any:
        yield from ()
        return [cursor], None if cursor == "b" else "b"

    pages = Pages("list", request, "a", max_pages=2)
    items = []
    while pages.has_next:
        with pytest.raises(StopIteration) as stop:
            next(pages.read_next())
        items += stop.value.value
    assert items == ["a", "b"]
    pages.require_complete()
