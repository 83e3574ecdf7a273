# SPDX-License-Identifier: Apache-2.0
"""Responses to submits, and records that the vendor's documentation excludes."""

import json
from typing import Any

import pytest
from vendors.fixture_loader import (
    ACCEPTED,
    LEAK,
    PRIVATE,
    REFUSALS,
    REFUSED,
    UNCHECKED,
    Answer,
    Key,
)
from vendors.scripted import SECRET, Script, make_account
from vendors.submit_cases import (
    CASE_OF,
    CASES,
    JOB,
    Case,
    answer,
    contexts,
    each_case,
    each_driven,
    each_driver,
    prepared,
    send,
)

from airflow_provider_bulkjobs.exceptions import (
    BulkJobError,
    UnknownOutcomeError,
    VendorAPIError,
    VendorUnavailableError,
)


def with_job_id(one: Answer, job_id: Any) -> Answer:
    """Return a response with another job id, at any depth."""

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: replaced(each) for name, each in value.items()}
        return job_id if value == JOB else value

    return {**one, "body": replaced(one["body"])}


NO_ID: tuple[Any, ...] = (None, "", False, [], {}, True, [JOB], {"id": JOB}, 1.5)


@pytest.mark.parametrize("job_id", NO_ID, ids=json.dumps)
@each_case
def test_invalid_job_id_is_rejected(script: Script, case: Case, job_id: Any) -> None:
    [*_, last] = [one for one in case.submit.answers if isinstance(one["body"], dict)]
    script.play([with_job_id(last, job_id)] * 9)
    outcome = send(case, "requests", script.url())
    assert type(outcome) is (VendorUnavailableError if case.limits.idempotent else UnknownOutcomeError), outcome


@each_driven
def test_job_id_may_be_a_number(script: Script, case: Case, transport: str) -> None:
    script.play([with_job_id(one, 20) for one in case.submit.answers])
    assert send(case, transport, script.url()) == "20"


@each_driver
@pytest.mark.parametrize("refusal", [{"success": 0}, {"Success": 0}, {"success": "0"}, {"Success": False}], ids=str)
def test_rejection_with_status_200_is_an_error(script: Script, transport: str, refusal: dict[str, Any]) -> None:
    case = CASE_OF["activecampaign", "contacts", "import"]
    script.play([answer({**refusal, "message": "JSON payload did not pass validation.", "batchId": JOB}, 200)])
    outcome = send(case, transport, script.url())
    assert type(outcome) is VendorAPIError, outcome
    assert "did not pass validation" in str(outcome)
    assert len(script.seen) == 1


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 413, 422, 500])
@each_driven
def test_error_has_redacted_vendor_message(script: Script, case: Case, transport: str, status: int) -> None:
    script.play([answer(REFUSALS[case.vendor.conn_type], status)] * 9)
    outcome = send(case, transport, script.url())
    assert isinstance(outcome, BulkJobError), outcome
    assert status == 200 or "bad row for" in str(outcome)
    for word in PRIVATE:
        assert word not in str(outcome)
        assert word not in repr(outcome)


@each_driven
def test_error_without_vendor_message_has_no_record_data(script: Script, case: Case, transport: str) -> None:
    script.play([answer(f"<html>{LEAK}</html>", 400)])
    outcome = send(case, transport, script.url())
    assert type(outcome) is VendorAPIError, outcome
    assert not any(word in str(outcome) for word in PRIVATE)


@each_case
def test_request_repr_has_no_records(case: Case) -> None:
    account = make_account(case.vendor, "https://vendor.example.com")
    with prepared(case, account) as submission:
        [context] = contexts(submission, account, case.submit.options)
        request = next(case.operation.submit(context))
        assert "ada@example.com" not in repr(request)
        assert SECRET not in repr(context)


VALUE = "s3cret-cell"


@pytest.mark.parametrize(("key", "record", "fields"), REFUSED)
def test_rejected_record_names_field_without_value(key: Key, record: dict[str, Any], fields: list[str]) -> None:
    problem = CASE_OF[key].operation.check(record)
    assert problem
    for name in fields:
        assert f"'{name}'" in problem
    assert VALUE not in problem


def test_check_accepts_non_text_field_name() -> None:
    assert "'7'" in CASE_OF["intercom", "contacts", "update"].operation.check({"id": VALUE, 7: VALUE})


@pytest.mark.parametrize(("key", "record"), ACCEPTED)
def test_valid_record_is_accepted(key: Key, record: dict[str, Any]) -> None:
    assert CASE_OF[key].operation.check(record) is None


def test_every_check_is_tested() -> None:
    refused = {key for key, _, _ in REFUSED}
    wanted = {case.key for case in CASES if case.operation.max_items} - UNCHECKED
    missing = ["/".join((*key[:2], "submit", f"{key[2]}.json")) for key in wanted - refused]
    assert not missing, f"neither 'refused' records nor 'unchecked' in {', '.join(sorted(missing))}"
    assert refused == wanted, "rejected, but marked as unchecked"
