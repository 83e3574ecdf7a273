# SPDX-License-Identifier: Apache-2.0
"""GetResponse only: counts that do not add up, the reset as a text, MAX accounts, rows of text."""

import json
from typing import Any

import pytest
from vendors.fixture_loader import SAMPLE_OF, Answer
from vendors.generated import ok
from vendors.in_memory import HOST, QUICK, InMemoryTransport, play
from vendors.scripted import make_account
from vendors.submit_cases import CASE_OF, contexts, prepared
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import AuthenticationError, BadConnectionError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.submitting.records import read_records
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize

SAMPLE = SAMPLE_OF["getresponse", "contacts"]
IMPORT = CASE_OF["getresponse", "contacts", "import"]
END = "2026-11-20T13:34:02+0000"
LATER = "Fri, 20 Nov 2026 14:00:00 GMT"  # when the counts are final
REASONS = ("syntaxErrors", "alreadyInQueue", "invalidDomains", "blacklist", "policyFailures", "mismatchedCriteria")


def body(status: str, *numbers: Any, errors: tuple[int, ...] = (), finished: str | None = END) -> dict[str, Any]:
    """Return an import: uploaded, invalid, updated, addedToList."""
    names = ("uploaded", "invalid", "updated", "addedToList")
    return {
        "importId": "o6gE",
        "status": status,
        **({"statistics": dict(zip(names, numbers, strict=True))} if numbers else {}),
        **({"errorStatistics": dict(zip(REASONS, errors, strict=True))} if errors else {}),
        "createdOn": "2026-11-20T13:30:42+0000",
        **({"finishedOn": finished} if finished else {}),
    }


def answer(content: Any, date: str | None = LATER) -> Answer:
    return {"status": 200, "body": content, **({"headers": {"Date": date}} if date else {})}


def poll(*answers: Answer, **conn: Any) -> tuple[Any, InMemoryTransport]:
    transport, account = play(SAMPLE.of, *answers, **conn)
    return transport.outcome(lambda: SAMPLE.kind.status(account, "o6gE"), policy=QUICK), transport


def error(status: int, code: int, message: str, context: Any = ()) -> Answer:
    return {"status": status, "body": {"httpStatus": status, "code": code, "message": message, "context": context}}


@pytest.mark.parametrize(
    ("content", "state", "total", "succeeded", "failed"),
    [
        (body("uploaded", 25, 0, 0, 0, finished=None), "pending", 25, None, 0),
        (body("to_review", 25, 2, 0, 0, finished=None), "pending", 25, None, 2),
        (body("review", 25, 2, 0, 0, finished=None), "pending", 25, None, 2),
        (body("approved", 25, 2, 5, 3, finished=None), "running", 25, None, 2),
        (body("finished", 25, 0, 10, 15), "succeeded", 25, 25, 0),
        (body("finished", 25, 5, 10, 10, errors=(2, 0, 1, 1, 1, 0)), "partially_failed", 25, 20, 5),
        (body("finished", 25, 25, 0, 0, errors=(25, 0, 0, 0, 0, 0)), "partially_failed", 25, 0, 25),
        (body("rejected", 25, 25, 0, 0, finished=None), "failed", 25, 0, 25),
        (body("canceled", 25, 0, 0, 0, finished=None), "canceled", 25, 0, 0),
        (body("canceled", finished=None), "canceled", None, None, None),
        (body("approved", 25, 0, 10, 15), "succeeded", 25, 25, 0),
        (body("approved", 25, 0, 10, 5), "partially_failed", 25, None, None),
        (body("to_review", 25, 0, 0, 0), "pending", 25, None, 0),
    ],
)
def test_documented_response_has_state_and_counts(
    content: Any, state: str, total: int | None, succeeded: int | None, failed: int | None
) -> None:
    job, _ = poll(answer(content))
    assert (job.state, job.total, job.succeeded, job.failed) == (state, total, succeeded, failed)
    assert job.vendor_state == content["status"]


@pytest.mark.parametrize(
    "content",
    [
        body("finished", 25, 0, 10, 10),
        body("finished", 25, 2, 10, 10),
        body("finished", 25, 0, 20, 10),
        body("finished", 25, 0, 10, 15, errors=(0, 3, 0, 0, 0, 0)),
        body("finished", 0, 0, 0, 0),
        body("finished"),
        {"importId": "o6gE", "status": "finished", "statistics": {"uploaded": 25}},
    ],
)
def test_counts_that_do_not_add_up_are_unknown_and_no_success(content: Any) -> None:
    job, _ = poll(answer(content))
    result = summarize(vendor="getresponse", conn_id="mine", job_kind="contacts", jobs=[job])
    assert (result["state"], result["succeeded"], result["failed"]) == ("partially_failed", None, None)
    assert not judge(result, 25).passed
    assert not judge(result, 0.99).passed
    assert judge(result, None).passed


@pytest.mark.parametrize(
    ("date", "state"),
    [
        ("Fri, 20 Nov 2026 13:34:03 GMT", "running"),
        ("Fri, 20 Nov 2026 13:44:01 GMT", "running"),
        ("Fri, 20 Nov 2026 13:44:03 GMT", "partially_failed"),
        ("yesterday", "partially_failed"),
        (None, "partially_failed"),
    ],
)
def test_counts_may_be_incomplete_for_ten_minutes_after_the_end(date: str | None, state: str) -> None:
    job, _ = poll(answer(body("finished", 25, 0, 0, 10), date))
    assert job.state == state
    assert (job.vendor_state == "finished") is (state != "running")
    early, _ = poll(answer(body("finished", 25, 5, 10, 10), date))
    assert (early.state, early.failed) == ("partially_failed", 5), "complete counts are final at once"


@pytest.mark.parametrize(
    ("headers", "context", "seconds"),
    [
        ({"X-RateLimit-Reset": "432 seconds", "X-RateLimit-Remaining": "0"}, {}, 432.0),
        ({"Retry-After": "1", "X-RateLimit-Reset": "7 seconds", "X-RateLimit-Remaining": "0"}, {}, 1.0),
        ({}, {"currentLimit": 30000, "timeToReset": "100 seconds"}, 100.0),
    ],
)
def test_time_of_the_reset_is_a_text(headers: dict[str, str], context: Any, seconds: float) -> None:
    limited = {**error(429, 1015, "You have reached your requests limit", context), "headers": headers}
    job, transport = poll(limited, answer(body("review", finished=None)))
    assert job.state == "pending"
    assert transport.pauses == [seconds]


def test_used_up_window_pauses_the_account() -> None:
    headers = {"X-RateLimit-Reset": "60 seconds", "X-RateLimit-Remaining": "0"}
    _, transport = poll({**ok(body("review", finished=None)), "headers": headers})
    assert transport.pauses == [60.0]


def test_second_import_into_a_list_is_sent_again_after_a_minute() -> None:
    transport, account = play(SAMPLE.of, error(409, 1008, "Property value is already taken"), *IMPORT.submit.answers)
    context = IMPORT.context(account)
    assert transport.outcome(lambda: IMPORT.operation.submit(context), policy=QUICK) == "j-1"
    assert [sent.method for sent in transport.sent] == ["POST", "POST"]
    assert transport.pauses == [60.0]


@pytest.mark.parametrize(
    ("answered", "kind", "words"),
    [
        (error(401, 1014, "Unable to authenticate"), AuthenticationError, "90 days without use"),
        (error(403, 1014, "Unable to authenticate"), AuthenticationError, "max_us or max_pl"),
        (error(403, 1018, "Blocked"), VendorAPIError, "blocked the IP address"),
        (error(403, 1023, "No access"), VendorAPIError, "lack a permission"),
        (error(404, 1024, "Not found"), VendorAPIError, "does not know the domain"),
    ],
)
def test_connection_test_tells_what_is_wrong(answered: Answer, kind: type[Exception], words: str) -> None:
    outcome, _ = check(SAMPLE.of, answered)
    assert isinstance(outcome, kind)
    assert words in str(outcome)


@pytest.mark.parametrize("domain", ["", "https://example.com"])
def test_max_account_needs_its_domain(domain: str) -> None:
    account = make_account(SAMPLE.vendor, HOST, region="max_pl", domain=domain)
    with pytest.raises(BadConnectionError, match=r"'domain' \(Domain\) is"):
        SAMPLE.vendor.headers(account, None)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("standard", "https://api.getresponse.com"),
        ("max_us", "https://api3.getresponse360.com"),
        ("max_pl", "https://api3.getresponse360.pl"),
    ],
)
def test_region_has_a_host(region: str, host: str) -> None:
    assert SAMPLE.vendor.base_url(make_account(SAMPLE.vendor, "", region=region)) == host


def test_oauth2_of_a_max_account_sends_the_domain_also_for_the_token() -> None:
    account = make_account(SAMPLE.vendor, HOST, auth_type="oauth2", region="max_us", domain="example.com")
    answers = [
        ok({"access_token": "A", "expires_in": 86400, "token_type": "Bearer", "scope": None}),
        ok(body("review")),
    ]
    transport = InMemoryTransport(SAMPLE.vendor, account, answers)
    assert transport.outcome(lambda: SAMPLE.kind.status(account, "o6gE")).state == "pending"
    token, status = transport.sent
    assert (token.path, token.headers["x-domain"]) == ("/v3/token", "example.com")
    assert (status.headers["authorization"], status.headers["x-domain"]) == ("Bearer A", "example.com")
    assert "x-auth-token" not in status.headers


def test_token_that_the_vendor_repeats_is_not_shown() -> None:
    account = make_account(SAMPLE.vendor, HOST, auth_type="oauth2")
    expired = error(401, 1014, "The access token provided is expired", {"sentToken": "t0ken-1"})
    token = ok({"access_token": "t0ken-1", "expires_in": 86400})
    transport = InMemoryTransport(SAMPLE.vendor, account, [token, expired, token, expired])
    outcome = transport.outcome(lambda: SAMPLE.kind.status(account, "o6gE"))
    assert isinstance(outcome, AuthenticationError)
    assert "t0ken-1" not in f"{outcome} {outcome!r}"


def test_columns_are_those_of_any_contact() -> None:
    account = make_account(SAMPLE.vendor, HOST)
    records = [{"email": "a@example.com", "tag:vip": True}, {"email": "b@example.com", "age": 7, "tag:vip": False}]
    with prepared(IMPORT, account, records=[], options={"campaignId": "z5c"}) as submission:
        submission.prepare(read_records(records), None)
        [context] = contexts(submission, account, {"campaignId": "z5c"})
        request: Any = next(IMPORT.operation.submit(context))
    sent = json.loads(request.body)
    assert sent["fieldMapping"] == ["email", "tag:vip", "age"]
    assert sent["contacts"] == [["a@example.com", "1", ""], ["b@example.com", "0", "7"]]


def test_pause_of_a_submit_does_not_delay_polls() -> None:
    create, poll = Request("POST", "/v3/imports"), Request("GET", "/v3/imports/o6gE")
    assert SAMPLE.vendor.rate_limit_of(create) is not None
    assert SAMPLE.vendor.rate_limit_of(poll) is None
