# SPDX-License-Identifier: Apache-2.0
"""What is no usable job id is not taken for one, and what only looks like the vendor fails the connection test."""

import pytest
from requests.structures import CaseInsensitiveDict
from vendors.scripted import make_account
from vendors.submit_rules import NO_ID

from airflow_provider_bulkjobs.exceptions import TransientError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Response
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id

VENDOR = {vendor.conn_type: vendor for vendor in VENDORS}


def test_unusable_id_counts_as_missing() -> None:
    for job_id in (*NO_ID, "None", ".", "a\x00", 1.0):
        with pytest.raises(TransientError, match="has no job id"):
            accepted_job_id("Vendor", {"id": job_id}, "id")
        assert accepted_job_id("Vendor", {"id": job_id, "other": "a"}, "id", "other") == "a"


def test_job_ids_are_taken_as_they_are() -> None:
    for value, job_id in ((17, "17"), ("j-1", "j-1"), ("a/b?c=%20", "a/b?c=%20"), ("a/../b", "a/../b")):
        assert accepted_job_id("Vendor", {"job_id": None, "id": value}, "job_id", "id") == job_id


def test_job_id_is_at_a_path() -> None:
    assert accepted_job_id("Vendor", {"Data": [{"ID": 7}]}, "Data.0.ID") == "7"
    for body in ({}, {"Data": []}, {"Data": None}, {"Data": [7]}, {"Data": {"ID": 7}}):
        with pytest.raises(TransientError, match="has no job id"):
            accepted_job_id("Vendor", body, "Data.0.ID")


@pytest.mark.parametrize(
    ("conn_type", "body"),
    [
        ("acquia_campaign_studio", b'{"id": 7}'),
        ("acquia_campaign_studio", b'{"id": 7, "username": null, "name": "x"}'),
        ("acquia_campaign_studio", b'{"username": {"a": 1}, "id": 7}'),
        ("klaviyo", b'{"data": {"id": "7"}}'),
        ("klaviyo", b'{"data": [{"id": "7", "type": "profile"}]}'),
    ],
)
def test_id_alone_does_not_prove_which_vendor_answered(conn_type: str, body: bytes) -> None:
    vendor = VENDOR[conn_type]
    check = vendor.check(make_account(vendor, "https://shop.example.com"))
    next(check)
    with pytest.raises(VendorAPIError, match=r"not the .* API"):
        check.send(Response(200, CaseInsensitiveDict(), body))
