# SPDX-License-Identifier: Apache-2.0
"""Zendesk only: what the documented responses mean, who is connected, and what is sent."""

import base64
import json
from typing import Any

import pytest
from vendors.fixture_loader import SAMPLE_OF
from vendors.generated import ok
from vendors.in_memory import QUICK, InMemoryTransport, play
from vendors.scripted import SECRET, make_account
from vendors.submit_cases import CASE_OF
from vendors.submit_rules import send
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import AuthenticationError, PermissionDeniedError
from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize

SAMPLE = SAMPLE_OF["zendesk_bulk", "users"]
NOBODY = {"user": {"id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"}}
JOBS: Any = {"job_statuses": [], "meta": {"has_more": False}, "links": {"next": None}}
DETAILS = "Name: Acme has already been taken"
GOOD, BAD = {"status": "Created", "id": 19000001}, {"index": 1, "error": "UserCreateError", "details": DETAILS}
UPDATED = {"action": "update", "id": 36001, "status": "Updated", "success": True}
NOT_UPDATED = {"index": 1, "error": "OrganizationUpdateFailed", "id": 36002, "details": DETAILS}
DELETED = {"action": "delete", "id": 36001, "status": "Deleted", "success": True}
UPSERTED = {"id": 19000001, "status": "Created", "email": "ada@example.com"}
NOT_UPSERTED = {"id": 2, "error": "UserUpdateError", "details": "Email: is invalid", "status": "Failed"}
TICKET = {"index": 0, "id": 244, "account_id": 2136156}
NO_TICKET = {"index": 0, "error": "TicketCreateFailed", "details": "Description: cannot be blank"}


def status(word: str, total: int | None, results: Any) -> dict[str, Any]:
    return {"job_status": {"id": "j-1", "status": word, "total": total, "progress": total, "results": results}}


@pytest.mark.parametrize(
    ("word", "total", "results", "state", "succeeded", "failed"),
    [
        ("queued", 2, None, "pending", None, None),
        ("working", 2, None, "running", None, None),
        ("completed", 2, [GOOD, GOOD], "succeeded", 2, 0),
        ("completed", 2, [GOOD, BAD], "partially_failed", 1, 1),
        ("completed", 100, [GOOD, *[BAD] * 99], "partially_failed", 1, 99),
        ("completed", 2, [BAD, BAD], "partially_failed", 0, 2),
        ("completed", 2, [UPDATED, UPDATED], "succeeded", 2, 0),
        ("completed", 2, [UPDATED, NOT_UPDATED], "partially_failed", 1, 1),
        ("completed", 2, [UPDATED, {**UPDATED, "success": False}], "partially_failed", 1, 1),
        ("completed", 1, [DELETED], "succeeded", 1, 0),
        ("completed", 3, [UPSERTED, UPSERTED, NOT_UPSERTED], "partially_failed", 2, 1),
        ("completed", 2, [UPSERTED, {"id": 1, "status": "Failed"}], "partially_failed", 1, 1),
        ("completed", 1, [TICKET], "succeeded", 1, 0),
        ("completed", 2, [TICKET, NO_TICKET], "partially_failed", 1, 1),
        ("completed", None, {"success": True}, "succeeded", None, None),
        ("completed", None, {"success": False}, "partially_failed", None, None),
        ("completed", 2, None, "partially_failed", None, None),
        ("completed", 3, [GOOD], "partially_failed", 1, 2),
        ("failed", 1, [NO_TICKET], "failed", 0, 1),
        ("failed", 3, [GOOD], "failed", 1, 2),
        ("failed", 1, None, "failed", None, None),
        ("killed", 1, None, "canceled", None, None),
    ],
)
def test_results_decide_what_a_job_is(
    word: str, total: int | None, results: Any, state: str, succeeded: int | None, failed: int | None
) -> None:
    transport, account = play(SAMPLE.of, ok(status(word, total, results)))
    job = transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"))
    assert (job.state, job.total, job.succeeded, job.failed) == (state, total, succeeded, failed)
    result = summarize(vendor="zendesk_bulk", conn_id="mine", job_kind="users", jobs=[job])
    if job.state.is_finished:
        assert judge(result, 0, None).passed is (state == "succeeded")


def test_results_are_the_total_of_a_job_that_has_none() -> None:
    transport, account = play(SAMPLE.of, ok(status("completed", None, [GOOD, BAD])))
    job = transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"))
    assert (job.total, job.succeeded, job.failed) == (2, 1, 1)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((ok(JOBS), ok(NOBODY)), "took the request for that of an anonymous user"),
        ((ok(JOBS), {"status": 403, "body": {"error": "Forbidden"}}), "The name of the user could not be read"),
        ((ok(NOBODY),), "not the Zendesk API"),
        (({"status": 401, "body": {"error": "Couldn't authenticate you"}},), "Check the credentials"),
        (({"status": 403, "body": {"error": {"title": "Forbidden"}}},), "Check the permissions"),
        (({"status": 404, "body": {"error": {"title": "No help desk here"}}},), "region and host of connection 'mine'"),
    ],
)
def test_connection_test_tells_what_is_wrong(answers: Any, expected: str) -> None:
    outcome, _ = check(SAMPLE.of, *answers)
    assert expected in str(outcome)


def test_nobody_is_an_authentication_error() -> None:
    outcome, _ = check(SAMPLE.of, ok(JOBS), ok(NOBODY))
    assert type(outcome) is AuthenticationError


@pytest.mark.parametrize("login", ["ann@example.com", "ann@example.com/token"])
def test_user_name_marks_the_token_once(login: str) -> None:
    values = {"host": "https://acme.zendesk.com", "login": login, "password": SECRET}
    account = read_account(SAMPLE.vendor.fields, conn_id="mine", **values)
    _, encoded = SAMPLE.vendor.headers(account, None)["Authorization"].split()
    assert base64.b64decode(encoded).decode() == f"ann@example.com/token:{SECRET}"


@pytest.mark.parametrize(
    ("password", "extra"),
    [
        (SECRET, {"use_token": True}),
        (None, {"token": SECRET}),
        ("not this", {"token": SECRET}),
        (SECRET, {}),
    ],
)
def test_connection_of_airflows_own_zendesk_provider_works(
    password: str | None, extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"host": "acme.zendesk.com", "login": "ann@example.com", "password": password, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_THEIRS", json.dumps({"conn_type": "zendesk", **values}))
    hook = hook_for("theirs")
    assert hook.vendor.base_url(hook.account) == "https://acme.zendesk.com"
    assert base64.b64encode(f"ann@example.com/token:{SECRET}".encode()).decode() in str(
        hook.vendor.headers(hook.account, None)
    )


@pytest.mark.parametrize("path", ["", "/", "/api/v2", "/agent"])
def test_host_is_read_with_and_without_a_path(path: str) -> None:
    account = make_account(SAMPLE.vendor, f"acme.zendesk.com{path}")
    assert SAMPLE.vendor.base_url(account) == "https://acme.zendesk.com"


def test_oauth2_requests_a_token_with_a_json_object() -> None:
    account = make_account(SAMPLE.vendor, "https://acme.zendesk.com", auth_type="oauth2")
    answers = [ok({"access_token": "A", "expires_in": 1800}), ok(status("queued", 1, None))]
    transport = InMemoryTransport(SAMPLE.vendor, account, answers)
    assert transport.outcome(lambda: SAMPLE.kind.status(account, "j-1")).state == "pending"
    token, poll = transport.sent
    assert (token.path, json.loads(token.body)["grant_type"]) == ("/oauth/tokens", "client_credentials")
    assert poll.headers["authorization"] == "Bearer A"


def test_only_starts_wait_while_too_many_jobs_are_open() -> None:
    vendor = SAMPLE.vendor
    pauses = {}
    for key, case in CASE_OF.items():
        if key[0] == vendor.conn_type:
            outcome, transport = send(case, {"status": 429, "body": "Too many jobs"}, *case.submit.answers)
            assert outcome == "j-1"
            pauses[key] = transport.pauses
    assert len(pauses) == 13
    assert all(each == [30.0] for each in pauses.values()), pauses
    transport, account = play(SAMPLE.of, {"status": 429, "body": ""}, ok(status("queued", 1, None)))
    transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"), policy=QUICK)
    assert transport.pauses == [1.0]


def test_refused_users_name_the_switch_that_support_has_to_set() -> None:
    refusal = {"status": 403, "body": {"error": {"title": "Forbidden", "message": "You do not have access."}}}
    outcome, _ = send(CASE_OF["zendesk_bulk", "users", "upsert"], refusal)
    assert type(outcome) is PermissionDeniedError
    assert "You do not have access" in str(outcome)
    assert "Zendesk's support has switched them on" in str(outcome)
    outcome, _ = send(CASE_OF["zendesk_bulk", "tickets", "create"], refusal)
    assert "support" not in str(outcome)
