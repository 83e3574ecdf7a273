# SPDX-License-Identifier: Apache-2.0
"""What only Eloqua does: counts from logs, four requests per submit, a discovered host, a refresh token for one use.

https://docs.oracle.com/en/cloud/saas/marketing/eloqua-develop/Developers/BulkAPI/Reference/reference.htm
"""

import io
import json
import time
from typing import Any

import pytest
from vendors.fixture_loader import SAMPLE_OF, Answer
from vendors.generated import ok
from vendors.in_memory import QUICK, InMemoryTransport, play
from vendors.result_rules import fetch
from vendors.scripted import make_account
from vendors.submit_cases import CASE_OF

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadArgumentError,
    BadConnectionError,
    JobNotFoundError,
    PermissionDeniedError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.submitting.steps import SubmitSteps
from airflow_provider_bulkjobs.vendors.eloqua import submits
from airflow_provider_bulkjobs.vendors.spec.operation import Payload, SubmitContext
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize
from airflow_provider_bulkjobs.waiting.tracker import JobTracker

SAMPLE = SAMPLE_OF["eloqua", "contacts"]
CASE = CASE_OF["eloqua", "contacts", "import"]
API = "/api/bulk/2.0"
IMPORTS, SYNCS = f"{API}/contacts/imports", f"{API}/syncs"
DEFINE, SYNC, NEWEST = ("POST", IMPORTS), ("POST", SYNCS), ("GET", f"{SYNCS}?limit=1000&orderBy=createdAt%20DESC")
LOST: Answer = {"breaks": "reset"}
STAGED = {"status": 204, "body": ""}
DELETED = STAGED
REFRESH = {"auth_type": "refresh_token", "refresh_token": "r-1", "redirect_uri": "https://example.com/oauth"}


def defined(number: int = 384) -> Answer:
    return {"status": 201, "body": {"uri": f"/contacts/imports/{number}"}}


def synced(number: int = 6, of: int = 384, status: str = "pending") -> dict[str, Any]:
    return {"syncedInstanceUri": f"/contacts/imports/{of}", "status": status, "uri": f"/syncs/{number}"}


def started(number: int = 6, of: int = 384) -> Answer:
    return {"status": 201, "body": synced(number, of)}


def page(*items: Any) -> Answer:
    return ok({"items": list(items), "count": len(items), "hasMore": False})


def refused(status: int, body: Any = "") -> Answer:
    return {"status": status, "body": body}


def data(number: int = 384) -> tuple[str, str]:
    return "POST", f"{IMPORTS}/{number}/data"


def delete(number: int = 384) -> tuple[str, str]:
    return "DELETE", f"{IMPORTS}/{number}"


def submit(
    *answers: Answer, progress: dict[str, Any] | None = None, payload: Payload | None = None, **options: Any
) -> tuple[Any, InMemoryTransport]:
    """Submit as the operator does, with what an earlier try has saved; return the job id, or the error."""
    transport, account = play(SAMPLE.of, *answers)
    saved = {} if progress is None else progress
    run = SubmitSteps(idempotent=True, save=lambda step: saved.update(step.values)).run

    def start() -> Any:
        return run(
            CASE.operation.submit(SubmitContext(account, payload or CASE.payload, options, progress=dict(saved)))
        )

    outcome = transport.outcome(start, policy=QUICK)
    assert not transport.answers or not transport.sent
    transport.sent = [sent for sent in transport.sent if not sent.path.endswith("/id")]
    return outcome, transport


def test_submit_is_define_stage_sync() -> None:
    outcome, transport = submit(defined(), STAGED, started(), callbackUrl="https://example.com/done")
    assert outcome == "384:6"
    assert transport.requests == [DEFINE, data(), SYNC]
    define, stage, sync = transport.sent
    assert json.loads(define.body) == {
        "name": "Airflow import",
        "identifierFieldName": "C_EmailAddress",
        "updateRule": "ifNewIsNotNull",
        "autoDeleteDuration": "P7D",
        "isSyncTriggeredOnImport": False,
        "fields": {"email": "{{Contact.Field(email)}}", "C_FirstName": "{{Contact.Field(C_FirstName)}}"},
    }
    assert (stage.headers["content-type"], stage.body) == ("text/csv", b"email,C_FirstName\r\nann@example.com,Ann\r\n")
    assert json.loads(sync.body) == {
        "syncedInstanceUri": "/contacts/imports/384",
        "callbackUrl": "https://example.com/done",
    }


def test_each_piece_has_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submits, "MAX_PIECE", 40)
    rows = b"".join(b"person-%d@example.com\r\n" % number for number in range(3))
    payload = Payload(lambda: io.BytesIO(b"C_EmailAddress\r\n" + rows), 100, 3, ("C_EmailAddress",))
    outcome, transport = submit(defined(), STAGED, STAGED, STAGED, started(), payload=payload)
    assert outcome == "384:6"
    assert [sent.body for sent in transport.sent[1:-1]] == [
        b"C_EmailAddress\r\nperson-%d@example.com\r\n" % number for number in range(3)
    ]


def test_too_many_fields_are_refused_before_the_first_request() -> None:
    columns = tuple(f"C_Field{number}" for number in range(101))
    outcome, transport = submit(payload=Payload(io.BytesIO, 0, 1, columns))
    assert type(outcome) is BadArgumentError
    assert "101 different fields" in str(outcome)
    assert not transport.sent


@pytest.mark.parametrize(
    ("record", "options", "problem"),
    [
        ({"C_FirstName": "Ann"}, {}, "lacks field 'C_EmailAddress'"),
        ({"C_EmailAddress": "ann@example.com"}, {"identifierFieldName": "C_Key"}, "lacks field 'C_Key'"),
        ({"C_Key": "k-1"}, {"identifierFieldName": "C_Key"}, None),
    ],
)
def test_record_needs_its_identifier(record: Any, options: Any, problem: str | None) -> None:
    assert CASE.operation.check_for(options)(record) == problem


@pytest.mark.parametrize("lost", [LOST, refused(503), refused(429)], ids=["reset", "503", "429"])
@pytest.mark.parametrize("gone", [DELETED, refused(404)], ids=["deleted", "not found"])
def test_piece_of_unknown_outcome_goes_to_another_import(lost: Answer, gone: Answer) -> None:
    outcome, transport = submit(defined(), lost, gone, defined(385), STAGED, started(of=385))
    assert outcome == "385:6"
    assert transport.requests == [DEFINE, data(), delete(), DEFINE, data(385), SYNC]


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (refused(404), JobNotFoundError, "above Eloqua's limit of 32 MB"),
        (refused(413), VendorAPIError, "space for staged data is used up"),
        (
            refused(400, {"failures": [{"field": "email", "constraint": "Must be text"}]}),
            VendorAPIError,
            "email: Must be",
        ),
    ],
)
def test_refused_piece_is_explained(answer: Answer, error: type[Exception], told: str) -> None:
    outcome, transport = submit(defined(), answer)
    assert type(outcome) is error
    assert told in str(outcome)
    assert transport.requests == [DEFINE, data()]


@pytest.mark.parametrize("lost", [LOST, refused(502), refused(201, {}), refused(201, {"uri": "/exports/9"})])
def test_sync_of_unknown_outcome_is_looked_up(lost: Answer) -> None:
    found = page(synced(8, of=400), synced(7), synced(6))  # the newest first; the first of this import had the data
    outcome, transport = submit(defined(), STAGED, lost, found)
    assert outcome == "384:6"
    assert transport.requests == [DEFINE, data(), SYNC, NEWEST]


def test_sync_that_is_not_found_is_started_again() -> None:
    outcome, transport = submit(defined(), STAGED, LOST, page(synced(8, of=400)), started(), page(synced(6)))
    assert outcome == "384:6"
    assert transport.requests == [DEFINE, data(), SYNC, NEWEST, SYNC, NEWEST]


@pytest.mark.parametrize(
    ("second", "listed"),
    [(started(7), page(synced(7), synced(6))), (refused(409), page(synced(6)))],
    ids=["started", "in progress"],
)
def test_first_sync_is_taken_although_it_is_listed_late(second: Answer, listed: Answer) -> None:
    outcome, transport = submit(defined(), STAGED, LOST, page(), second, listed)
    assert outcome == "384:6"
    assert transport.requests == [DEFINE, data(), SYNC, NEWEST, SYNC, NEWEST]


@pytest.mark.parametrize("late", [page(), page(synced(8, of=400))], ids=["empty", "others"])
def test_second_sync_is_taken_if_the_list_has_none(late: Answer) -> None:
    outcome, _ = submit(defined(), STAGED, LOST, late, started(7), late)
    assert outcome == "384:7"


def test_sync_that_is_not_visible_yet_is_waited_for() -> None:
    transport, account = play(SAMPLE.of, refused(404))
    error = transport.outcome(lambda: SAMPLE.kind.status(account, "384:6"))
    start = time.time()
    tracker = JobTracker(vendor=SAMPLE.vendor, kind=SAMPLE.kind, conn_id="mine", job_ids=["384:6"], started_at=start)
    tracker.record_error("384:6", error)
    assert tracker.unfinished == ["384:6"]


def test_sync_is_not_started_again_without_the_list() -> None:
    outcome, transport = submit(defined(), STAGED, LOST, ok({"count": 0}), ok({"count": 0}))
    assert type(outcome) is VendorUnavailableError
    assert transport.requests.count(SYNC) == 1


def test_refused_sync_leaves_no_import() -> None:
    progress: dict[str, Any] = {}
    error = {"failures": [{"field": "identifierFieldName", "constraint": "Must be one of the fields"}]}
    outcome, transport = submit(defined(), STAGED, refused(400, error), DELETED, progress=progress)
    assert type(outcome) is VendorAPIError
    assert "identifierFieldName: Must be one of the fields" in str(outcome)
    assert transport.requests[-1] == delete()
    assert not any(progress.values())


@pytest.mark.parametrize(
    ("progress", "answers", "requests"),
    [
        ({"import": "384"}, [DELETED, defined(385), STAGED, started(of=385)], [delete(), DEFINE, data(385), SYNC]),
        ({"import": "385", "staged": "385"}, [page(synced(of=385))], [NEWEST]),
        ({"import": "385", "staged": "385"}, [page(), started(of=385), page(synced(of=385))], [NEWEST, SYNC, NEWEST]),
    ],
    ids=["not staged", "synced", "staged"],
)
def test_next_try_continues(progress: dict[str, Any], answers: list[Answer], requests: Any) -> None:
    outcome, transport = submit(*answers, progress=progress)
    assert outcome == "385:6"
    assert transport.requests == requests


def log(code: str, number: Any, severity: str = "information") -> dict[str, Any]:
    return {"syncUri": "/syncs/6", "count": number, "severity": severity, "statusCode": code}


TOTAL, CREATED, UPDATED = "ELQ-00001", "ELQ-00004", "ELQ-00022"
INVALID = log("ELQ-00002", 1, "warning")


@pytest.mark.parametrize(
    ("word", "logs", "state", "numbers", "passes"),
    [
        ("success", [log(TOTAL, 100), log(CREATED, 60), log(UPDATED, 40)], "succeeded", (100, 100, 0), True),
        ("success", [log(TOTAL, 100), log(CREATED, 100)], "succeeded", (100, 100, 0), True),
        ("warning", [log(TOTAL, 100), log(CREATED, 99), INVALID], "partially_failed", (100, 99, 1), True),
        ("success", [log(TOTAL, 100), log(CREATED, 99), INVALID], "partially_failed", (100, 99, 1), True),
        ("success", [log(TOTAL, 100), log(CREATED, 90)], "partially_failed", (100, 90, 10), False),
        ("warning", [log(TOTAL, 2), log(CREATED, 0), log(UPDATED, 0)], "partially_failed", (2, 0, 2), False),
        ("warning", [log(TOTAL, 2), log(CREATED, 2)], "partially_failed", (2, None, None), False),
        ("success", [log(TOTAL, 2)], "partially_failed", (None, None, None), False),
        ("success", [log(TOTAL, "2"), log(CREATED, "many")], "partially_failed", (None, None, None), False),
        ("warning", [], "partially_failed", (None, None, None), False),
        ("error", None, "failed", (None, None, None), False),
        ("errored", None, "failed", (None, None, None), False),
    ],
)
def test_verdict(word: str, logs: list[Any] | None, state: str, numbers: tuple[Any, ...], passes: bool) -> None:
    details = [] if logs is None else [page(*logs)]
    transport, account = play(SAMPLE.of, ok(synced(status=word)), *details)
    job = transport.outcome(lambda: SAMPLE.kind.status(account, "384:6"))
    assert (job.state, job.vendor_state) == (state, word)
    assert (job.total, job.succeeded, job.failed) == numbers
    result = summarize(vendor="eloqua", conn_id="mine", job_kind="contacts", jobs=[job])
    assert judge(result, 0.05).passed is passes


def test_reject_without_its_fields_is_a_missing_record() -> None:
    outcome, _ = fetch(SAMPLE, ok(SAMPLE.body), page({"statusCode": "ELQ-00002", "recordIndex": 2}))
    assert [(each.status, each.record) for each in outcome] == [("failed", None)]


def test_sync_of_another_import_is_an_error() -> None:
    transport, account = play(SAMPLE.of, ok(synced(of=385, status="success")))
    outcome = transport.outcome(lambda: SAMPLE.kind.status(account, "384:6"))
    assert type(outcome) is BadArgumentError
    assert "not one of the import /contacts/imports/384" in str(outcome)


def test_sync_id_alone_is_an_error() -> None:
    transport, account = play(SAMPLE.of)
    outcome = transport.outcome(lambda: SAMPLE.kind.status(account, "6"))
    assert type(outcome) is BadArgumentError
    assert "<import>:<sync>" in str(outcome)


def identity(base: str = "https://secure.p03.eloqua.com") -> Answer:
    return ok({"site": {"id": 42, "name": "Acme"}, "urls": {"base": base}})


@pytest.mark.parametrize("dead", [refused(401), refused(301)], ids=["401", "login required"])
def test_host_is_discovered_and_again_after_a_move(dead: Answer) -> None:
    account = make_account(SAMPLE.vendor, None)
    moved = "https://secure.p06.eloqua.com"
    pending = ok(synced())
    transport = InMemoryTransport(SAMPLE.vendor, account, [identity(), pending, dead, identity(moved), pending])
    status = lambda: SAMPLE.kind.status(account, "384:6")  # noqa: E731
    assert transport.outcome(status).vendor_state == "pending"
    assert transport._engine.base_url == "https://secure.p03.eloqua.com"
    assert transport.outcome(status).vendor_state == "pending"
    assert transport._engine.base_url == moved
    urls = [path for _, path in transport.requests]
    assert [path for path in urls if path.startswith("https")] == ["https://login.eloqua.com/id"] * 2


@pytest.mark.parametrize("base", ["https://eloqua.com.example.com", "http://secure.p01.eloqua.com"])
def test_discovered_host_has_to_be_eloquas(base: str) -> None:
    account = make_account(SAMPLE.vendor, None)
    transport = InMemoryTransport(SAMPLE.vendor, account, [identity(base)])
    assert type(transport.outcome(lambda: SAMPLE.kind.status(account, "384:6"))) is UntrustedResponseError
    assert len(transport.sent) == 1


@pytest.mark.parametrize("answer", [ok('"Not authenticated."'), refused(401), refused(403)])
def test_refused_sign_in_names_what_to_check(answer: Answer) -> None:
    account = make_account(SAMPLE.vendor, None)
    transport = InMemoryTransport(SAMPLE.vendor, account, [answer])
    outcome = transport.outcome(lambda: SAMPLE.vendor.check(account))
    assert type(outcome) is AuthenticationError
    assert all(part in outcome.hint for part in ("Company\\user", "disabled", "IP address", "security group"))
    assert len(transport.sent) == 1


TOKEN = ok({"access_token": "ACCESS", "expires_in": 28800, "refresh_token": "r-2"})


def test_refresh_token_is_sent_with_its_redirect_uri() -> None:
    account = make_account(SAMPLE.vendor, None, **REFRESH)
    transport = InMemoryTransport(SAMPLE.vendor, account, [TOKEN, identity(), ok(synced())])
    assert transport.outcome(lambda: SAMPLE.kind.status(account, "384:6")).vendor_state == "pending"
    flow = SAMPLE.vendor.token_flow(account)
    assert flow is not None
    request = next(flow)
    assert (request.path, request.form) == (
        "https://login.eloqua.com/auth/oauth2/token",
        {
            "grant_type": "refresh_token",
            "refresh_token": "r-1",
            "redirect_uri": "https://example.com/oauth",
            "scope": "full",
        },
    )
    assert [sent.headers["authorization"].partition(" ")[0] for sent in transport.sent] == ["Basic", "Bearer", "Bearer"]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([refused(401, {"error": "invalid_grant", "error_code": 1, "error_description": "is invalid"})], "token once"),
        ([refused(400, {"error": "invalid_grant"})], "token once"),
        ([TOKEN, ok('"Not authenticated."')], "Company\\user"),
    ],
    ids=["401", "400", "id"],
)
def test_used_up_refresh_token_is_said(answers: list[Answer], told: str) -> None:
    account = make_account(SAMPLE.vendor, None, **REFRESH)
    outcome = InMemoryTransport(SAMPLE.vendor, account, answers).outcome(lambda: SAMPLE.kind.status(account, "384:6"))
    assert type(outcome) is AuthenticationError
    assert told in outcome.hint
    assert "r-1" not in str(outcome)


@pytest.mark.parametrize("lost", [LOST, refused(503), refused(429), ok("<html>"), ok({"urls": {}})], ids=str)
def test_refresh_token_is_used_once_although_the_host_is_not_found_at_once(lost: Answer) -> None:
    account = make_account(SAMPLE.vendor, None, **REFRESH)
    transport = InMemoryTransport(SAMPLE.vendor, account, [TOKEN, lost, lost, identity(), ok(synced())])
    assert transport.outcome(lambda: SAMPLE.kind.status(account, "384:6"), policy=QUICK).vendor_state == "pending"
    tokens = [path for method, path in transport.requests if method == "POST"]
    assert tokens == ["https://login.eloqua.com/auth/oauth2/token"]
    assert transport.sent[-1].headers["authorization"] == "Bearer ACCESS"


def test_connection_test_does_not_use_up_the_refresh_token() -> None:
    account = make_account(SAMPLE.vendor, None, **REFRESH)
    transport = InMemoryTransport(SAMPLE.vendor, account)
    outcome = transport.outcome(lambda: SAMPLE.vendor.check(account))
    assert type(outcome) is BadConnectionError
    assert "was not tested" in str(outcome)
    assert not transport.sent


def test_missing_bulk_rights_are_a_missing_permission() -> None:
    transport, account = play(SAMPLE.of, refused(403))
    outcome = transport.outcome(lambda: SAMPLE.vendor.check(account))
    assert type(outcome) is PermissionDeniedError
    assert transport.requests[-1] == ("GET", f"{API}/contacts/fields?limit=1")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"failures": [{"field": "fields", "value": "s3cret", "constraint": "At most 100"}]}, "(fields: At most 100)"),
        (
            [{"type": "ObjectValidationError", "property": "name", "requirement": {"type": "IdRequirement"}}],
            "(ObjectValidationError: name: IdRequirement)",
        ),
        ({"type": "EndpointParameterError", "parameter": "id", "value": "s3cret"}, "(EndpointParameterError: id)"),
        ('"There was a validation error."', "(There was a validation error.)"),
        ("There was a validation error.", "(Bad Request)"),
    ],
)
def test_error_is_told_in_eloquas_words(body: Any, told: str) -> None:
    outcome, _ = submit(refused(400, body))
    assert type(outcome) is VendorAPIError
    assert told in str(outcome)
    assert "s3cret" not in str(outcome)
