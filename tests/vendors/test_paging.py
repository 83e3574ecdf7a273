# SPDX-License-Identifier: Apache-2.0
"""Pagination: the same limit for every vendor. Lists that loop are part of the contract."""

from typing import Any

import pytest
from vendors.fixture_loader import JOB_ID, SAMPLE_OF, Sample
from vendors.generated import ok
from vendors.in_memory import play
from vendors.result_rules import fetch

from airflow_provider_bulkjobs.exceptions import UntrustedResponseError
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.acquia_campaign_studio import jobs as acquia_jobs
from airflow_provider_bulkjobs.vendors.hubspot import imports as hubspot_jobs
from airflow_provider_bulkjobs.vendors.klaviyo import jobs as klaviyo_jobs
from airflow_provider_bulkjobs.vendors.toolkit.paging import Pages

MODULES = {
    ("acquia_campaign_studio", "contacts"): acquia_jobs,
    ("hubspot", "import"): hubspot_jobs,
    ("klaviyo", "profiles"): klaviyo_jobs,
}
ERROR = {"sourceData": {"fileId": 1, "lineNumber": 2}}


def endless(sample: Sample, items: list[Any] | None = None) -> list[Any]:
    assert sample.pages
    pages = [sample.pages.page(number) for number in range(2, 9)]
    return [ok(sample.pages.after), *(ok(page if items is None else {**page, "results": items}) for page in pages)]


@pytest.mark.parametrize("items", [None, [ERROR]], ids=["no errors", "errors"])
@pytest.mark.parametrize("key", [key for key in MODULES if key[0] != "klaviyo"], ids="-".join)
def test_too_many_pages_are_not_a_success(monkeypatch: pytest.MonkeyPatch, key: Any, items: list[Any] | None) -> None:
    monkeypatch.setattr(MODULES[key], "MAX_PAGES", 3)
    sample = SAMPLE_OF[key]
    transport, account = play(sample.of, *endless(sample, items))
    job = transport.outcome(lambda: sample.kind.status(account, JOB_ID))
    assert isinstance(job, BulkJob), job
    assert (job.state, job.total, job.failed) == (JobState.PARTIALLY_FAILED, None, None)
    assert len(transport.sent) == 1 + 3


@pytest.mark.parametrize("key", MODULES, ids="-".join)
def test_too_many_pages_of_results_are_an_error(monkeypatch: pytest.MonkeyPatch, key: Any) -> None:
    monkeypatch.setattr(MODULES[key], "MAX_PAGES", 3)
    outcome, transport = fetch(SAMPLE_OF[key], *endless(SAMPLE_OF[key]))
    assert isinstance(outcome, UntrustedResponseError), outcome
    assert "did not end after 3 pages" in str(outcome)
    assert len(transport.sent) == 1 + 3


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
