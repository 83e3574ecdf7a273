# SPDX-License-Identifier: Apache-2.0
"""What only ActiveCampaign does: it refuses with HTTP 200, and its lists hold people."""

from typing import Any

import pytest
from vendors.scripted import DRIVERS, SECRET, FlowOutcome, Script, make_account

from airflow_provider_bulkjobs.exceptions import VendorAPIError, VendorUnavailableError
from airflow_provider_bulkjobs.protocol.job import BulkJob
from airflow_provider_bulkjobs.vendors.activecampaign import ActiveCampaign, batch_status

VENDOR = ActiveCampaign()
WORDS = f"no ada@example.com at https://files.example.com/a?sig=XYZ\nwith key {SECRET}"

each_driver = pytest.mark.parametrize("transport", DRIVERS)


def hold(script: Script, transport: str, body: Any, status: int = 200) -> FlowOutcome:
    script.play([{"status": status, "body": body}])
    account = make_account(VENDOR, script.url())
    return DRIVERS[transport](VENDOR, account, lambda: batch_status(account, "j-1"))


@each_driver
@pytest.mark.parametrize(
    ("message", "error"), [(WORDS, VendorAPIError), (f"Rate limit exceeded. {WORDS}", VendorUnavailableError)]
)
@pytest.mark.parametrize("flag", ["Success", "success"])
def test_a_refusal_with_status_200_is_told_without_what_must_not_be_logged(
    script: Script, transport: str, flag: str, message: str, error: type[Exception]
) -> None:
    outcome = hold(script, transport, {flag: 0, "message": message})
    assert type(outcome) is error
    assert "https://files.example.com/a" in str(outcome)
    for forbidden in ("ada@", "sig=", "XYZ", SECRET, "\n"):
        assert forbidden not in str(outcome)


@each_driver
@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_any_other_refusal_is_told_without_them_too(script: Script, transport: str, status: int) -> None:
    told = str(hold(script, transport, {"message": WORDS, "failureReasons": [WORDS]}, status))
    assert "https://files.example.com/a" in told
    for forbidden in ("ada@", "sig=", "XYZ", SECRET, "\n"):
        assert forbidden not in told


@each_driver
def test_people_stay_out_of_the_job(script: Script, transport: str) -> None:
    body = {"status": "completed", "success": ["4711"], "failure": ["ada@example.com"]}
    job = hold(script, transport, body)
    assert isinstance(job, BulkJob)
    assert (job.created, job.failed) == (1, 1)
    assert "ada@" not in repr(job)
    assert "4711" not in repr(job)
