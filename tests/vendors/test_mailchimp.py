# SPDX-License-Identifier: Apache-2.0
"""Mailchimp only: the data center, throttling without JSON, batches that finished, and merge fields from columns."""

import json
from pathlib import Path
from typing import Any

import pytest
from vendors.fixture_loader import JOB_ID, SAMPLE_OF, Answer
from vendors.generated import ok
from vendors.in_memory import QUICK, InMemoryTransport, play
from vendors.result_rules import fetch
from vendors.scripted import SECRET, make_account
from vendors.submit_cases import CASE_OF, contexts, prepared
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadConnectionError,
    PermissionDeniedError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.submitting.records import read_records
from airflow_provider_bulkjobs.submitting.refusal import redact_records
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize

SAMPLE = SAMPLE_OF["mailchimp", "contacts"]
KEY = "0123456789abcdef0123456789abcdef-us19"
CHECK_KEY = "Check the credentials in connection 'mine'."
INVALID_KEY = {"title": "API Key Invalid", "status": 401, "detail": "You've attempted to access the wrong datacenter."}


def account_of(password: str, host: str | None = None, **extra: Any) -> Account:
    return read_account(SAMPLE.vendor.fields, conn_id="mine", host=host, password=password, extra=extra)


def batch(total: Any, done: Any, errored: Any, **more: Any) -> dict[str, Any]:
    counts = {"total_operations": total, "finished_operations": done, "errored_operations": errored}
    return {"id": JOB_ID, "status": "finished", **counts, **more}


def test_host_is_that_of_the_data_center_of_the_key() -> None:
    assert SAMPLE.vendor.base_url(account_of(KEY)) == "https://us19.api.mailchimp.com"
    assert SAMPLE.vendor.base_url(account_of("a-b-us2")) == "https://us2.api.mailchimp.com"


@pytest.mark.parametrize("end", ["", "-", "-us", "-eu1", "-us1.example.com/", "-us19x", "us19", "-US19", "-us1\u0661"])
def test_key_without_a_data_center_is_never_sent(end: str) -> None:
    with pytest.raises(
        BadConnectionError, match=r"'password'.* does not end with a data center such as -us19"
    ) as error:
        SAMPLE.vendor.base_url(account_of(f"0123456789abcdef{end}"))
    assert "0123456789abcdef" not in str(error.value)


def test_access_token_needs_the_host() -> None:
    with pytest.raises(BadConnectionError, match=r"'host' .* is missing\. With oauth2, enter the api_endpoint"):
        SAMPLE.vendor.base_url(account_of("token-us19", auth_type="oauth2"))


def test_access_token_is_sent_as_such() -> None:
    account = make_account(SAMPLE.vendor, "https://us19.api.mailchimp.com/3.0", auth_type="oauth2")
    transport = InMemoryTransport(SAMPLE.vendor, account, [ok(batch(1, 1, 0))])
    assert transport.outcome(lambda: SAMPLE.kind.status(account, JOB_ID)).state == "succeeded"
    assert transport.sent[0].headers["authorization"] == f"Bearer {SECRET}"
    assert transport.requests == [("GET", f"/3.0/batches/{JOB_ID}")]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"status": 401, "body": INVALID_KEY}, AuthenticationError, "another data center than the host"),
        ({"status": 403, "body": {"title": "Forbidden"}}, PermissionDeniedError, "Check the permissions"),
        ({"status": 403, "body": ""}, VendorUnavailableError, "responds like this to too many requests"),
        ({"status": 404, "body": ""}, Exception, "host of connection 'mine'"),
    ],
)
def test_connection_test_tells_what_is_wrong(answer: Answer, error: type[Exception], words: str) -> None:
    outcome, _ = check(SAMPLE.of, answer)
    assert isinstance(outcome, error)
    assert words in str(outcome)


def test_forbidden_with_a_message_is_no_throttling() -> None:
    outcome, _ = check(SAMPLE.of, {"status": 403, "body": {"title": "Forbidden"}})
    assert "too many requests" not in str(outcome)


def test_wrong_key_is_not_of_another_data_center_than_its_own() -> None:
    account = account_of(KEY)
    transport = InMemoryTransport(SAMPLE.vendor, account, [{"status": 401, "body": INVALID_KEY}])
    assert transport.outcome(lambda: SAMPLE.vendor.check(account)).hint == CHECK_KEY


def test_connection_passes_without_the_name_of_the_account() -> None:
    outcome, _ = check(SAMPLE.of, ok({"total_items": 0}), {"status": 403, "body": {"title": "Forbidden"}})
    assert outcome == "Connected to Mailchimp. The account's name could not be read."


def test_throttled_status_is_requested_again() -> None:
    transport, account = play(SAMPLE.of, {"status": 403, "body": ""}, ok(batch(1, 1, 0)))
    assert transport.outcome(lambda: SAMPLE.kind.status(account, JOB_ID), policy=QUICK).state == "succeeded"
    assert transport.pauses == [1.0]


@pytest.mark.parametrize(
    ("body", "state", "failed", "reason"),
    [
        (batch(502, 502, 0), "succeeded", 0, "nothing failed"),
        (batch(502, 502, 4), "partially_failed", 4, "4 items failed, 0 allowed"),
        (batch(502, 502, 502), "partially_failed", 502, "502 items failed, 0 allowed"),
        (batch(502, 120, 0), "partially_failed", 382, "382 items failed, 0 allowed"),
        (batch(0, 0, 0), "partially_failed", None, "does not report how many"),
        (batch(None, 502, 0), "partially_failed", None, "does not report how many"),
        (batch(502, None, 0), "partially_failed", None, "does not report how many"),
        (batch(502, 502, None), "partially_failed", None, "does not report how many"),
        (batch(502, None, 4), "partially_failed", None, "does not report how many"),
        (batch(None, 502, 4), "partially_failed", None, "does not report how many"),
    ],
)
def test_finished_is_a_success_only_if_all_operations_are(body: Any, state: str, failed: Any, reason: str) -> None:
    transport, account = play(SAMPLE.of, ok(body))
    job = transport.outcome(lambda: SAMPLE.kind.status(account, JOB_ID))
    assert (job.state, job.failed) == (state, failed)
    verdict = judge(summarize(vendor="mailchimp", conn_id="mine", job_kind="contacts", jobs=[job]))
    assert (verdict.passed, reason in verdict.reason) == (state == "succeeded", True)


@pytest.mark.parametrize("url", [{}, {"response_body_url": ""}, {"response_body_url": None}])
def test_no_archive_is_not_an_empty_one(url: dict[str, Any]) -> None:
    outcome, _ = fetch(SAMPLE, ok(batch(2, 2, 1, **url)))
    assert isinstance(outcome, VendorUnavailableError)


def test_columns_in_capitals_become_merge_fields(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("email_address,FNAME,LNAME\na@example.com,Ada,\n")
    account = make_account(SAMPLE.vendor, "https://vendor.example.com")
    with prepared(CASE_OF["mailchimp", "contacts", "upsert"], account, records=[]) as submission:
        submission.prepare(read_records(tmp_path / "a.csv"), None)
        [context] = contexts(submission, account, {})
        member = json.loads(json.loads(context.payload.data)["body"])
    assert member == {"email_address": "a@example.com", "status_if_new": "subscribed", "merge_fields": {"FNAME": "Ada"}}


def test_values_in_the_body_of_an_operation_are_redacted() -> None:
    case, account = (
        CASE_OF["mailchimp", "contacts", "upsert"],
        make_account(SAMPLE.vendor, "https://vendor.example.com"),
    )
    with prepared(case, account, records=[{"email_address": "a@example.com", "LNAME": "Lovelace"}]) as submission:
        [batch] = submission._batches(0)
        shown = redact_records("'Lovelace' is too long for LNAME", batch, case.operation)
    assert shown == "'<value>' is too long for LNAME"
