# SPDX-License-Identifier: Apache-2.0
"""Constant Contact only: what its counts mean, its three kinds of 429, the refresh token, the connection test."""

from typing import Any

import pytest
from vendors.fixture_loader import SAMPLE_OF, VENDOR_SAMPLES, Answer
from vendors.generated import UNAVAILABLE, ok
from vendors.in_memory import InMemoryTransport, play
from vendors.scripted import SECRET, make_account
from vendors.submit_cases import CASE_OF, contexts, prepared
from vendors.submit_rules import send
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadConnectionError,
    PermissionDeniedError,
    UnknownOutcomeError,
    VendorAPIError,
)

OF = VENDOR_SAMPLES["constant_contact"]
SUBMIT = CASE_OF["constant_contact", "contacts", "import"]
OPERATIONS = [case for key, case in CASE_OF.items() if key[0] == "constant_contact"]
KINDS = ("contacts", "activities")
NONE = {"error_count": 0, "correctable_count": 0, "cannot_add_to_list_count": 0}
SAT, SUN = "Sat, 14 Mar 2026 21:00:00 GMT", "Sun, 15 Mar 2026 00:00:00 GMT"
FORBIDDEN: Answer = {"status": 403, "body": {"error_key": "forbidden", "error_message": "No"}}
UNKNOWN = ("partially_failed", None, None)


def poll(kind: str, *answers: Answer) -> tuple[Any, InMemoryTransport]:
    sample = SAMPLE_OF["constant_contact", kind]
    transport, account = play(sample.of, *answers)
    return transport.outcome(lambda: sample.kind.status(account, "j-1")), transport


def read(kind: str, state: str, errors: Any = (), **status: Any) -> Any:
    body = {"activity_id": "j-1", "state": state, "activity_errors": list(errors), "status": status}
    return poll(kind, ok(body))[0]


def limited(key: str | None = None, **headers: str) -> Answer:
    return {"status": 429, "body": {"error_key": key, "error_message": "No"} if key else {}, "headers": headers}


@pytest.mark.parametrize(
    ("status", "errors", "expected"),
    [
        ({"person_count": 5, **NONE}, [], ("succeeded", 5, 0)),
        ({"items_completed_count": 5, "person_count": 4, **NONE}, [], ("succeeded", 5, 0)),  # a duplicate was merged
        ({**NONE, "error_count": 1}, [], ("partially_failed", 4, 1)),
        ({**NONE, "correctable_count": 1}, [], ("partially_failed", 4, 1)),
        ({**NONE, "cannot_add_to_list_count": 1}, [], ("partially_failed", 4, 1)),
        (
            {"items_completed_count": 5, "person_count": 5, **dict.fromkeys(NONE, 1)},
            ["Line 3"],
            ("partially_failed", 2, 3),
        ),
        ({"person_count": 0, **NONE, "error_count": 5}, [], ("partially_failed", 0, 5)),
        ({"items_completed_count": 0, **NONE}, [], ("partially_failed", 0, 5)),
        ({"items_completed_count": None, **NONE}, [], ("succeeded", 5, 0)),
        ({"items_completed_count": 3, **NONE}, [], ("partially_failed", 3, 2)),  # two are counted nowhere
        ({"items_completed_count": 3, **NONE, "error_count": 1}, [], ("partially_failed", 2, 3)),
        ({"person_count": 0, **NONE}, [], UNKNOWN),
        (NONE, ["Line 3: invalid e-mail address"], UNKNOWN),
        (NONE, [{"message": "Line 3: invalid e-mail address"}], UNKNOWN),
        ({}, [], UNKNOWN),
        ({"items_completed_count": 5}, [], UNKNOWN),
        ({"error_count": 1, "correctable_count": 0}, [], UNKNOWN),  # there may be more
    ],
)
def test_result_of_an_import_follows_from_its_three_counts_of_failures(
    status: dict[str, Any], errors: list[Any], expected: tuple[Any, ...]
) -> None:
    job = read("contacts", "completed", errors, items_total_count=5, **status)
    assert (job.state, job.succeeded, job.failed) == expected
    assert (job.vendor_state, job.total) == ("completed", 5)


@pytest.mark.parametrize(
    ("status", "errors", "expected"),
    [
        ({"items_completed_count": 5, "list_count": 3}, [], ("succeeded", 5, None)),
        ({"items_completed_count": 3}, [], ("partially_failed", 3, 2)),
        ({"items_completed_count": 0}, [], ("partially_failed", 0, 5)),
        ({"items_completed_count": 5, **NONE, "cannot_add_to_list_count": 2}, [], ("partially_failed", 3, 2)),
        ({"items_completed_count": 3}, ["A list does not exist"], ("partially_failed", 3, 2)),
        ({"items_completed_count": 5}, ["A list does not exist"], UNKNOWN),
        ({}, [], UNKNOWN),
    ],
)
def test_result_of_another_activity_follows_from_its_completed_items(
    status: dict[str, Any], errors: list[Any], expected: tuple[Any, ...]
) -> None:
    job = read("activities", "completed", errors, items_total_count=5, **status)
    assert (job.state, job.succeeded, job.failed) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_completed_activity_without_total_is_no_success(kind: str) -> None:
    job = read(kind, "completed", items_completed_count=5, **NONE)
    assert (job.state, job.total, job.succeeded, job.failed) == ("partially_failed", None, None, None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("word", "state", "status"),
    [
        ("initialized", "pending", {"items_total_count": 0, **NONE}),
        ("processing", "running", {"items_total_count": 5, "items_completed_count": 2}),
        ("failed", "failed", {"items_total_count": 0, "items_completed_count": 0, "error_count": 0}),
        ("timed_out", "failed", {"items_total_count": 5, "items_completed_count": 3}),
        ("timed_out", "failed", {"items_total_count": 5, "items_completed_count": 5, **NONE}),
        ("cancelled", "canceled", {}),
    ],
)
def test_only_a_completed_activity_has_a_result(kind: str, word: str, state: str, status: dict[str, int]) -> None:
    job = read(kind, word, ["The file could not be read"], **status)
    assert (job.state, job.total, job.succeeded, job.failed) == (state, status.get("items_total_count"), None, None)


def test_times_have_milliseconds_or_not() -> None:
    body = {"state": "processing", "created_at": "2026-03-14T12:00:00.108Z", "started_at": "2026-03-14T12:00:02Z"}
    job, _ = poll("contacts", ok(body))
    assert (job.created_at, job.started_at) == ("2026-03-14T12:00:00.108000+00:00", "2026-03-14T12:00:02+00:00")


@pytest.mark.parametrize(
    ("key", "date", "pause"),
    [("throttled", SAT, 1), ("quota_exceeded", SAT, 3 * 3600 + 60), ("quota_exceeded", SUN, 60), (None, SAT, 1)],
)
def test_poll_pauses_as_the_kind_of_429_needs(key: str | None, date: str, pause: float) -> None:
    outcome, transport = poll("contacts", limited(key, Date=date))
    assert type(outcome).__name__ == UNAVAILABLE
    assert transport.pauses == [pause]


@pytest.mark.parametrize("case", OPERATIONS, ids=str)
@pytest.mark.parametrize(
    ("key", "pause"), [("throttled", 1), ("quota_exceeded", 3 * 3600 + 60), ("queue", 120), (None, 120)]
)
def test_submit_waits_longer_while_too_many_activities_are_queued(case: Any, key: str | None, pause: float) -> None:
    outcome, transport = send(case, limited(key, Date=SAT), *case.submit.answers)
    assert outcome == "j-1"
    assert transport.pauses == [pause]


@pytest.mark.parametrize("case", OPERATIONS, ids=str)
def test_submit_with_unknown_outcome_is_not_repeated(case: Any) -> None:
    outcome, transport = send(case, {"status": 503, "body": {}}, *case.submit.answers)
    assert type(outcome) is UnknownOutcomeError
    assert len(transport.sent) == 1


@pytest.mark.parametrize(("number", "size"), [(40_001, 1), (9_000, 500)])
def test_request_is_smaller_than_what_the_vendor_cuts(number: int, size: int) -> None:
    account = make_account(OF.vendor, "https://vendor.example.com")
    records = [{"email": f"{row}@example.com", "street": "x" * size} for row in range(number)]
    with prepared(SUBMIT, account, records=records) as submission:
        sent = contexts(submission, account, SUBMIT.submit.options)
        bodies = [next(SUBMIT.operation.submit(context)).body or b"" for context in sent]
    assert sum(context.payload.items for context in sent) == number
    assert len(bodies) == 2
    assert max(map(len, bodies)) < 4_000_000


def token_request(*answers: Answer) -> tuple[Any, InMemoryTransport]:
    account = make_account(OF.vendor, "https://vendor.example.com")
    transport = InMemoryTransport(OF.vendor, account, answers)
    return transport.outcome(lambda: SAMPLE_OF["constant_contact", "contacts"].kind.status(account, "j-1")), transport


def test_token_request_has_the_client_in_its_header_and_goes_to_the_vendor() -> None:
    _, transport = token_request(*OF.token)
    [token, poll_request] = transport.sent
    assert (token.method, token.path) == ("POST", "https://authz.constantcontact.com/oauth2/default/v1/token")
    assert token.headers["authorization"].startswith("Basic ")
    assert token.body == b"grant_type=refresh_token&refresh_token=r-7f3a"
    assert SECRET not in str(poll_request)


def test_rotating_refresh_token_is_an_error_before_anything_is_submitted() -> None:
    outcome, transport = token_request(ok({"access_token": "A", "refresh_token": "another", "expires_in": 86400}))
    assert type(outcome) is BadConnectionError
    assert "cannot be stored in the connection" in str(outcome)
    assert "another" not in str(outcome)
    assert len(transport.sent) == 1


def test_refresh_token_that_has_rotated_away_is_explained() -> None:
    body = {"error": "invalid_grant", "error_description": "The refresh token is invalid or expired."}
    outcome, _ = token_request({"status": 400, "body": body})
    assert type(outcome) is AuthenticationError
    assert "invalid_grant: The refresh token is invalid or expired." in str(outcome)
    assert outcome.hint.startswith("Check the credentials in connection 'mine'. A refresh token expires after 180 days")
    assert "Long Lived" in outcome.hint


@pytest.mark.parametrize(
    ("answers", "error", "hint"),
    [
        (
            [{"status": 401, "body": {"error_key": "unauthorized", "error_message": "Unauthorized"}}],
            AuthenticationError,
            "Check the credentials",
        ),
        ([FORBIDDEN, FORBIDDEN], PermissionDeniedError, "may be deactivated"),
        (
            [FORBIDDEN, ok([{"privilege_id": 30, "privilege_name": "campaign:create"}])],
            PermissionDeniedError,
            "lacks the privilege contacts:write",
        ),
        (
            [FORBIDDEN, ok([{"privilege_id": 41, "privilege_name": "contacts:write"}])],
            PermissionDeniedError,
            "The scope contact_data is missing",
        ),
        ([ok({"data": []})], VendorAPIError, ""),
    ],
)
def test_connection_test_tells_what_is_wrong(answers: list[Answer], error: type[Exception], hint: str) -> None:
    outcome, _ = check(OF, *answers)
    assert type(outcome) is error
    assert hint in outcome.hint


def test_connection_test_passes_without_the_name_of_the_account() -> None:
    outcome, _ = check(OF, ok({"activities": []}), FORBIDDEN)
    assert outcome == "Connected to Constant Contact. The account's name could not be read (it needs account_read)."
