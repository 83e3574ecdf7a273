# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign only: rejections with status 200, and lists of personal data."""

from typing import Any

import pytest
from vendors.fixture_loader import JOB_ID, SAMPLE_OF
from vendors.generated import ok
from vendors.in_memory import play
from vendors.scripted import SECRET
from vendors.submit_cases import CASE_OF
from vendors.submit_rules import send
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import VendorAPIError, VendorUnavailableError
from airflow_provider_bulkjobs.protocol.job import BulkJob
from airflow_provider_bulkjobs.vendors.activecampaign.submits import IMPORT

BATCH = SAMPLE_OF["activecampaign", "contacts"]
WORDS = f"no ada@example.com at https://files.example.com/a?sig=XYZ\nwith key {SECRET}"


def run(body: Any, status: int = 200) -> Any:
    transport, account = play(BATCH.of, {"status": status, "body": body})
    return transport.outcome(lambda: BATCH.kind.status(account, JOB_ID))


@pytest.mark.parametrize(
    ("message", "error"), [(WORDS, VendorAPIError), (f"Rate limit exceeded. {WORDS}", VendorUnavailableError)]
)
@pytest.mark.parametrize("flag", ["Success", "success"])
def test_rejection_with_status_200_is_redacted(flag: str, message: str, error: type[Exception]) -> None:
    outcome = run({flag: 0, "message": message})
    assert type(outcome) is error
    assert "https://files.example.com/a" in str(outcome)
    for forbidden in ("ada@", "sig=", "XYZ", SECRET, "\n"):
        assert forbidden not in str(outcome)


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_error_response_is_redacted(status: int) -> None:
    message = str(run({"message": WORDS, "failureReasons": [WORDS]}, status))
    assert "https://files.example.com/a" in message
    for forbidden in ("ada@", "sig=", "XYZ", SECRET, "\n"):
        assert forbidden not in message


def test_job_has_no_personal_data() -> None:
    body = {"status": "completed", "success": ["4711"], "failure": ["ada@example.com"]}
    job = run(body)
    assert isinstance(job, BulkJob)
    assert (job.created, job.failed) == (1, 1)
    assert "ada@" not in repr(job)
    assert "4711" not in repr(job)


@pytest.mark.parametrize("flag", ["success", "Success"])
def test_connection_is_rejected_with_status_200(flag: str) -> None:
    error, _ = check(BATCH.of, ok({flag: 0, "message": "No access.", "user": {"username": "ada"}}))
    assert type(error) is VendorAPIError
    assert "rejected the request (status 200): No access." in str(error)


@pytest.mark.parametrize("refusal", [{"success": 0}, {"Success": 0}, {"success": "0"}, {"Success": False}], ids=str)
def test_submit_is_rejected_with_status_200(refusal: dict[str, Any]) -> None:
    answer = ok({**refusal, "message": "JSON payload did not pass validation.", "batchId": JOB_ID})
    outcome, transport = send(CASE_OF["activecampaign", "contacts", "import"], answer)
    assert type(outcome) is VendorAPIError, outcome
    assert "did not pass validation" in str(outcome)
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(["ski", None, "golf"], "ski||golf"), ([1, 2.5], "1||2.5"), ([True, False], "true||false")]
)
def test_list_in_a_custom_field_is_one_text(value: list[Any], text: str) -> None:
    assert IMPORT.custom_fields is not None
    record = IMPORT.custom_fields.with_ids({"email": "ada@example.com"}, {"3": value})
    assert record == {"email": "ada@example.com", "fields": [{"id": "3", "value": text}]}


@pytest.mark.parametrize("value", [float("nan"), {"b": 1}, ["x"]])
def test_value_in_a_list_that_is_no_text_is_refused(value: Any) -> None:
    assert IMPORT.check is not None
    problem = IMPORT.check({"email": "ada@example.com", "Sports": ["ski", value]})
    assert problem is not None
    assert "field 'Sports'" in problem


def test_custom_field_by_name_and_by_id_is_refused() -> None:
    assert IMPORT.custom_fields is not None
    record = {"email": "ada@example.com", "Plan": "X1", "fields": [{"id": 3, "value": "X2"}]}
    problem = IMPORT.custom_fields.with_ids(record, {"3": "X1"})
    assert problem == "has a custom field by its name and in field 'fields': remove one of them"
