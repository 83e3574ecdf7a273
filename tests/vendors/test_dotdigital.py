# SPDX-License-Identifier: Apache-2.0
"""Dotdigital only: what each documented response means, limits of jobs and of calls, regions, and identifiers."""

import json
from typing import Any

import pytest
from vendors.fixture_loader import SAMPLE_OF, Answer
from vendors.generated import ok
from vendors.in_memory import HOST, QUICK, InMemoryTransport, play
from vendors.scripted import make_account
from vendors.submit_cases import CASE_OF, steps
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadConnectionError,
    PermissionDeniedError,
    UnknownOutcomeError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.protocol.flow import MAX_CONTAINERS, Request
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.dotdigital.submits import IMPORT
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize
from airflow_provider_bulkjobs.waiting.tracker import JobTracker

IMPORTS, DELETIONS = SAMPLE_OF["dotdigital", "contacts"], SAMPLE_OF["dotdigital", "deletions"]
SUBMIT = CASE_OF["dotdigital", "contacts", "import"]
PUT = ("PUT", "/contacts/v3/import")
ZERO = {"globallySuppressed": 0, "invalidEntries": 0, "duplicateIdentifiers": 0}
ANN = {"contactId": 12346, "identifiers": {"email": "ann@example.com"}}
INVALID = {
    "matchIdentifier": "email",
    "identifiers": {"email": "bob@@example.com"},
    "failures": [{"failureCode": "invalidEmail", "description": "Invalid value for 'email'"}],
}
NO_CONSENT = {
    **ANN,
    "matchIdentifier": "email",
    "failures": [{"failureCode": "consentRecordsNotApplied", "description": "Consent records were not applied"}],
}
ACCEPTED: Answer = {"status": 202, "body": {"importId": "d7de900d-d337-43f6-b1e1-c8ec73e1a434"}}
TOO_MANY: Answer = {"status": 429, "body": {"errorCode": "contacts:tooManyActiveImports", "description": "Wait"}}
CAPPED: Answer = {"status": 400, "body": {"message": "Temporarily capped. ERROR_APIUSAGE_EXCEEDED"}}
MISSING: Answer = {"status": 404, "body": {"errorCode": "contacts:importNotFound", "description": "Not found"}}


def summary(new: int, updated: int, **lost: int) -> dict[str, int]:
    return {"newContacts": new, "updatedContacts": updated, **ZERO, **lost}


def finished(counts: dict[str, int] | None, *failures: Any) -> dict[str, Any]:
    return {"importId": "j-1", "status": "Finished", "summary": counts, "failures": list(failures)}


def deleted(requested: int, done: int, unknown: int, invalid: int) -> dict[str, Any]:
    names = ("requestedContacts", "deletedContacts", "unknownContacts", "invalidEntries")
    counts = dict(zip(names, (requested, done, unknown, invalid), strict=True))
    return {"deleteId": "j-1", "status": "Finished", "summary": counts, "failures": []}


def test_contact_that_was_not_imported_counts_once_although_it_has_an_id() -> None:
    suppressed = {"contactId": 5, "matchIdentifier": "email", "failureReason": "GloballySuppressed"}
    body = finished(summary(0, 9, globallySuppressed=1), suppressed) | {
        "updated": [{"contactId": n} for n in range(10, 19)]
    }
    transport, account = play(IMPORTS.of, ok(body))
    found = transport.outcome(lambda: IMPORTS.kind.status(account, "j-1"))
    assert (found.total, found.succeeded, found.failed) == (10, 9, 1)


@pytest.mark.parametrize(
    ("body", "state", "total", "failed", "passes", "passes_with_any"),
    [
        (finished(summary(1, 1)), "succeeded", 2, 0, True, True),
        (
            finished(summary(1, 0, invalidEntries=1, duplicateIdentifiers=1), INVALID, NO_CONSENT),
            "partially_failed",
            3,
            3,
            False,
            True,
        ),
        (finished(summary(3, 0, globallySuppressed=1)), "partially_failed", 4, 1, False, True),
        (finished(summary(3, 0, duplicateIdentifiers=1)), "partially_failed", 4, 1, False, True),
        (finished(summary(1, 0), NO_CONSENT), "partially_failed", 1, 1, False, True),
        (finished(summary(1, 0), INVALID), "partially_failed", 2, 1, False, True),
        (finished(summary(0, 0, invalidEntries=2), INVALID, INVALID), "partially_failed", 2, 2, False, True),
        (finished(None), "partially_failed", None, None, False, True),
        (finished(ZERO | {"newContacts": 3}), "partially_failed", None, None, False, True),
        (finished(ZERO | {"updatedContacts": 3}), "partially_failed", None, None, False, True),
        ({"importId": "j-1", "status": "Finished"}, "partially_failed", None, None, False, True),
        (
            {"importId": "j-1", "status": "RejectedByWatchdog", "summary": summary(0, 0)},
            "failed",
            None,
            None,
            False,
            False,
        ),
        ({"importId": "j-1", "status": "Failed"}, "failed", None, None, False, False),
        ({"importId": "j-1", "status": "ExceedsAllowedContactLimit"}, "failed", None, None, False, False),
        (deleted(3, 3, 0, 0), "succeeded", 3, 0, True, True),
        (deleted(3, 2, 1, 0), "partially_failed", 3, 1, False, True),
        (deleted(3, 2, 0, 1), "partially_failed", 3, 1, False, True),
        (deleted(3, 2, 0, 0), "partially_failed", 3, 1, False, True),
        ({"deleteId": "j-1", "status": "Finished"}, "partially_failed", None, None, False, True),
        ({"deleteId": "j-1", "status": "Failed"}, "failed", None, None, False, False),
    ],
)
def test_documented_end_has_a_verdict(
    body: Any, state: str, total: int | None, failed: int | None, passes: bool, passes_with_any: bool
) -> None:
    sample = IMPORTS if "importId" in body else DELETIONS
    transport, account = play(sample.of, ok(body))
    found = transport.outcome(lambda: sample.kind.status(account, "j-1"))
    result = summarize(vendor="dotdigital", conn_id="mine", job_kind=sample.kind.name, jobs=[found])
    assert (result["state"], result["total"], result["failed"]) == (state, total, failed)
    assert judge(result, 0).passed is passes
    assert judge(result, None).passed is passes_with_any


def test_log_says_that_people_review_what_the_watchdog_rejected() -> None:
    tracker = JobTracker(vendor=IMPORTS.vendor, kind=IMPORTS.kind, conn_id="mine", job_ids=["j-1"], started_at=0.0)
    tracker.note(BulkJob("j-1", JobState.FAILED, "RejectedByWatchdog"), 1.0)
    assert "do not send it again" in str(tracker.status_change())


def submit(*answers: Answer) -> tuple[Any, InMemoryTransport]:
    transport, account = play(IMPORTS.of, *answers)
    return transport.outcome(lambda: steps(SUBMIT, SUBMIT.context(account)), policy=QUICK), transport


@pytest.mark.parametrize(
    ("rejection", "pause"),
    [
        (TOO_MANY, 120.0),
        ({**TOO_MANY, "headers": {"X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "20"}}, 120.0),
        ({**TOO_MANY, "headers": {"Retry-After": "30"}}, 30.0),
        ({"status": 429, "headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "20"}, "body": ""}, 20.0),
        ({"status": 429, "body": ""}, 1.0),
        (CAPPED, 400.0),
        ({**CAPPED, "status": 200}, 400.0),
    ],
    ids=["jobs", "jobs, calls left", "jobs, Retry-After", "calls", "nothing", "flat rate", "flat rate, 200"],
)
def test_limit_of_jobs_and_of_calls_have_their_own_pauses(rejection: Answer, pause: float) -> None:
    job_id, transport = submit(rejection, ACCEPTED)
    assert (job_id, transport.requests) == ("d7de900d-d337-43f6-b1e1-c8ec73e1a434", [PUT, PUT])
    assert transport.pauses == [pause]


def test_pause_of_submits_does_not_delay_polls() -> None:
    vendor = IMPORTS.vendor
    put, post, poll = (Request(*PUT), Request("POST", "/contacts/v3/delete"), Request("GET", "/contacts/v3/import/j-1"))
    limits = [vendor.rate_limit_of(request) for request in (put, post, poll)]
    assert None not in limits[:2]
    assert limits[0] != limits[1]
    assert limits[2] is None


@pytest.mark.parametrize(
    "lost", [{"breaks": "reset"}, {"status": 502, "body": ""}, ok({}), ok({"deleteId": "j-1"})], ids=str
)
def test_lost_put_is_not_repeated(lost: Answer) -> None:
    outcome, transport = submit(lost, ACCEPTED)
    assert type(outcome) is UnknownOutcomeError
    assert transport.requests == [PUT]


def test_accepted_import_may_have_a_message() -> None:
    job_id, _ = submit({"status": 202, "body": {"importId": "j-2", "message": "Queued"}})
    assert job_id == "j-2"


def test_status_of_the_largest_import_can_be_read() -> None:
    """In the worst case, each contact is imported and a failure: six objects and lists."""
    contact = {**ANN, "identifiers": {"email": "a" * 100, "mobileNumber": "447123123123", "memberId": "M" * 50}}
    entry = json.dumps([contact, {**NO_CONSENT, **contact}])
    assert IMPORT.max_items * (entry.count("{") + entry.count("[")) < MAX_CONTAINERS
    assert IMPORT.max_items * len(entry) < 16 * 1024 * 1024


def endpoint(url: str) -> Answer:
    properties = [("Name", "Demo"), ("ApiEndpoint", url)]
    return ok({"id": 1, "properties": [{"name": name, "type": "String", "value": value} for name, value in properties]})


def connection_test(*answers: Answer, host: str = "", **conn: Any) -> tuple[Any, InMemoryTransport]:
    account = make_account(IMPORTS.vendor, host, **conn)
    transport = InMemoryTransport(IMPORTS.vendor, account, answers)
    return transport.outcome(lambda: IMPORTS.vendor.check(account)), transport


def test_region_of_the_account_is_known_in_europe() -> None:
    outcome, transport = connection_test(endpoint("https://r3-api.dotdigital.com/"), MISSING, region="r3")
    assert outcome == "Connected to Dotdigital as account 'Demo' (id 1) at https://r3-api.dotdigital.com."
    assert transport.requests[0] == ("GET", "https://r1-api.dotdigital.com/v2/account-info")


@pytest.mark.parametrize(
    ("conn", "url", "remedy"),
    [
        (
            {},
            "https://r2-api.dotdigital.com/",
            "uses https://r1-api.dotdigital.com. Set the field 'region' (Region) to 'r2'.",
        ),
        (
            {"host": "https://r1-api.dotdigital.com", "region": "r2"},
            "https://r2-api.dotdigital.com",
            "Clear the field 'host' (API host) and set the field 'region' (Region) to 'r2'.",
        ),
    ],
)
def test_wrong_region_is_named(conn: dict[str, Any], url: str, remedy: str) -> None:
    outcome, transport = connection_test(endpoint(url), MISSING, **conn)
    assert type(outcome) is BadConnectionError
    assert "Wrong region: the account is at https://r2-api.dotdigital.com, but" in str(outcome)
    assert str(outcome).endswith(remedy)
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        ([{"status": 401, "body": ""}], AuthenticationError, "Check the credentials in connection 'mine'"),
        (
            [{"status": 400, "body": {"message": "Denied. ERROR_INVALID_LOGIN"}}],
            AuthenticationError,
            "Check the credentials in connection 'mine'",
        ),
        (
            [endpoint("https://r1-api.dotdigital.com/"), {"status": 403, "body": {"message": "Access is denied"}}],
            PermissionDeniedError,
            "Check the permissions of the credentials in connection 'mine'",
        ),
        (
            [ok({"id": 1, "properties": []})],
            VendorAPIError,
            "not the Dotdigital API. Check the host of connection 'mine'",
        ),
    ],
    ids=["password", "login", "permission", "host"],
)
def test_connection_test_tells_what_is_wrong(answers: list[Answer], error: type[Exception], words: str) -> None:
    outcome, _ = check(IMPORTS.of, *answers)
    assert type(outcome) is error
    assert words in str(outcome)


def test_behind_a_gateway_the_region_is_not_compared() -> None:
    outcome, _ = connection_test(endpoint("https://r2-api.dotdigital.com/"), MISSING, host=HOST)
    assert outcome == f"Connected to Dotdigital as account 'Demo' (id 1) at {HOST}."


@pytest.mark.parametrize(
    "record",
    [
        {"email": "a@example.com", "firstName": "Ann"},
        {"mobileNumber": "447123123123", "email": "a@example.com"},
        {"matchIdentifier": "mobileNumber", "mobileNumber": "447123123123", "email": "a@example.com"},
        {"matchIdentifier": "memberId", "memberId": "M-1", "identifiers": {"cardId": "C-1"}, "lists": [1]},
        {"contactId": 7, "firstName": None},
    ],
    ids=str,
)
def test_refused_contact_is_returned_as_it_was_given(record: dict[str, Any]) -> None:
    assert IMPORT.decode(IMPORT.encode(record)) == record


def test_failed_contact_is_the_record_of_another_import() -> None:
    failure = {
        **INVALID,
        "matchIdentifier": "memberId",
        "identifiers": {"email": "x", "memberId": "M-1", "cardId": "C-1"},
    }
    transport, account = play(IMPORTS.of, ok(finished(summary(0, 0, invalidEntries=1), failure)))
    flow = IMPORTS.kind.results(account, "j-1")  # type: ignore[misc]
    response = transport.send(next(flow), QUICK)  # type: ignore[arg-type]
    [[result]] = [part for part in (flow.send(response), *flow) if part]
    assert json.loads(IMPORT.encode(result.record)) == {
        name: failure[name] for name in ("matchIdentifier", "identifiers")
    }
