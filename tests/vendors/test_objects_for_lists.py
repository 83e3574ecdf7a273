# SPDX-License-Identifier: Apache-2.0
"""Lists that are sent as objects: their failures must not be treated as no failures."""

from typing import Any

import pytest
from vendors.scripted import DRIVERS, Script, make_account

from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.acquia_campaign_studio.vendor import AcquiaCampaignStudio
from airflow_provider_bulkjobs.vendors.activecampaign import ActiveCampaign
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

each_driver = pytest.mark.parametrize("transport", DRIVERS)
FAILED_CONTACT = {"id": 2, "statusCode": 400}


def is_success(script: Script, transport: str, vendor: Vendor, *bodies: Any) -> bool:
    script.play({"status": 200, "body": body} for body in bodies)
    account = make_account(vendor, script.url())
    outcome = DRIVERS[transport](vendor, account, lambda: vendor.kinds[0].status(account, "j-1"))
    return isinstance(outcome, BulkJob) and outcome.state is JobState.SUCCEEDED


@each_driver
def test_activecampaign_failures_as_list(script: Script, transport: str) -> None:
    body = {"status": "completed", "success": ["123"], "failure": ["invalid@example.com"]}
    assert not is_success(script, transport, ActiveCampaign(), body)


@each_driver
def test_activecampaign_failures_as_object(script: Script, transport: str) -> None:
    body = {"status": "completed", "success": ["123"], "failure": {"1": "invalid@example.com"}}
    assert not is_success(script, transport, ActiveCampaign(), body)


@each_driver
def test_acquia_contacts_as_object_on_first_page(script: Script, transport: str) -> None:
    page = {"status": "completed", "details": {"contacts": {"1": FAILED_CONTACT}}}
    assert not is_success(script, transport, AcquiaCampaignStudio(), {"status": "completed"}, page)


@pytest.mark.parametrize(
    "details",
    [{"contacts": {"1": FAILED_CONTACT}}, [{"contacts": [FAILED_CONTACT]}], "nonsense"],
    ids=["contacts an object", "details a list", "details a text"],
)
@each_driver
def test_acquia_contacts_as_object_on_later_page(script: Script, transport: str, details: Any) -> None:
    first = {"contacts": [{"id": 1, "statusCode": 200}], "next-page": "/api/contacts/job/j-1?details=1&page=2"}
    pages = [{"status": "completed", "details": each} for each in (first, details)]
    assert not is_success(script, transport, AcquiaCampaignStudio(), {"status": "completed"}, *pages)
