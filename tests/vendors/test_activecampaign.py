# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign only: rejections with status 200, and lists of personal data."""

from typing import Any

import pytest
from vendors.scripted import DRIVERS, SECRET, FlowOutcome, Script, make_account

from airflow_provider_bulkjobs.exceptions import VendorAPIError, VendorUnavailableError
from airflow_provider_bulkjobs.protocol.job import BulkJob
from airflow_provider_bulkjobs.vendors.activecampaign import ActiveCampaign
from airflow_provider_bulkjobs.vendors.activecampaign.jobs import batch_status

VENDOR = ActiveCampaign()
WORDS = f"no ada@example.com at https://files.example.com/a?sig=XYZ\nwith key {SECRET}"

each_driver = pytest.mark.parametrize("transport", DRIVERS)


def run(script: Script, transport: str, body: Any, status: int = 200) -> FlowOutcome:
    script.play([{"status": status, "body": body}])
    account = make_account(VENDOR, script.url())
    return DRIVERS[transport](VENDOR, account, lambda: batch_status(account, "j-1"))


@each_driver
@pytest.mark.parametrize(
    ("message", "error"), [(WORDS, VendorAPIError), (f"Rate limit exceeded. {WORDS}", VendorUnavailableError)]
)
@pytest.mark.parametrize("flag", ["Success", "success"])
def test_rejection_with_status_200_is_redacted(
    script: Script, transport: str, flag: str, message: str, error: type[Exception]
) -> None:
    outcome = run(script, transport, {flag: 0, "message": message})
    assert type(outcome) is error
    assert "https://files.example.com/a" in str(outcome)
    for forbidden in ("ada@", "sig=", "XYZ", SECRET, "\n"):
        assert forbidden not in str(outcome)


@each_driver
@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_error_response_is_redacted(script: Script, transport: str, status: int) -> None:
    message = str(run(script, transport, {"message": WORDS, "failureReasons": [WORDS]}, status))
    assert "https://files.example.com/a" in message
    for forbidden in ("ada@", "sig=", "XYZ", SECRET, "\n"):
        assert forbidden not in message


@each_driver
def test_job_has_no_personal_data(script: Script, transport: str) -> None:
    body = {"status": "completed", "success": ["4711"], "failure": ["ada@example.com"]}
    job = run(script, transport, body)
    assert isinstance(job, BulkJob)
    assert (job.created, job.failed) == (1, 1)
    assert "ada@" not in repr(job)
    assert "4711" not in repr(job)
