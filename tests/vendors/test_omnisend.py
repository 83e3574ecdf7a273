# SPDX-License-Identifier: Apache-2.0
"""Omnisend only: the list of batches, the wait in the body, identifiers of contacts, and welcome messages."""

import json
from typing import Any

import pytest
from vendors.fixture_loader import SAMPLE_OF, Answer
from vendors.generated import ok
from vendors.in_memory import QUICK, InMemoryTransport, play
from vendors.scripted import make_account
from vendors.submit_cases import CASE_OF
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import AuthenticationError, PermissionDeniedError, VendorAPIError
from airflow_provider_bulkjobs.vendors.omnisend import jobs
from airflow_provider_bulkjobs.vendors.omnisend.contacts import to_contact, to_record
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize

SAMPLE = SAMPLE_OF["omnisend", "contacts"]
IMPORT = CASE_OF["omnisend", "contacts", "import"]
WELCOME = CASE_OF["omnisend", "contacts", "import_with_welcome"]
LIST = "/api/batches?endpoint=contacts&limit=100"
OWN = "/api/batches/b-7"


def batch(status: str, *counts: int, batch_id: str = "b-7") -> dict[str, Any]:
    """Return a batch: totalCount, finishedCount, errorsCount."""
    numbers = dict(zip(("totalCount", "finishedCount", "errorsCount"), counts, strict=False))
    return {"batchID": batch_id, "method": "POST", "endpoint": "contacts", "status": status, **numbers}


def page(*batches: dict[str, Any]) -> Answer:
    return ok({"batches": list(batches), "paging": {"offset": 0, "limit": 100}})


def others(number: int, status: str = "pending") -> list[dict[str, Any]]:
    return [batch(status, 100, 0, 0, batch_id=f"other-{each}") for each in range(number)]


def poll(*answers: Answer) -> tuple[Any, list[str], InMemoryTransport]:
    """Return the job, or the error, the requested paths, and the transport."""
    transport, account = play(SAMPLE.of, *answers)
    outcome = transport.outcome(lambda: SAMPLE.kind.status(account, "b-7"), policy=QUICK)
    return outcome, [path for _, path in transport.requests], transport


def problem(status: int, title: str, detail: str, **more: Any) -> Answer:
    return {"status": status, "body": {"title": title, "status": status, "detail": detail, **more}}


@pytest.mark.parametrize(
    ("body", "state", "total", "succeeded", "failed"),
    [
        (batch("pending", 100, 0, 0), "pending", 100, None, 0),
        (batch("inProgress", 100, 40, 1), "running", 100, None, 1),
        (batch("finished", 100, 100, 0), "succeeded", 100, 100, 0),
        (batch("finished", 100, 100, 3), "partially_failed", 100, 97, 3),
        (batch("finished", 100, 100, 100), "partially_failed", 100, 0, 100),
        (batch("finished", 100, 98, 3), "partially_failed", 100, 95, 5),
        (batch("stopped", 100, 31, 31), "failed", 100, 0, 31),
        (batch("stopped", 100, 60, 31), "failed", 100, 29, 31),
        (batch("finished"), "partially_failed", None, None, None),
        (batch("finished", 100), "partially_failed", 100, None, None),
    ],
)
def test_documented_response_has_state_and_counts(
    body: Any, state: str, total: int | None, succeeded: int | None, failed: int | None
) -> None:
    for answers in ([page(), ok(body)], [page(body), ok(body)]):  # requested, or listed
        job, _, _ = poll(*answers)
        assert (job.state, job.total, job.succeeded, job.failed) == (state, total, succeeded, failed)


def test_one_failed_contact_in_the_last_batch_is_within_the_share() -> None:
    bodies = [batch("finished", 100, 100, 0), batch("finished", 1, 1, 1)]
    result = summarize(
        vendor="omnisend", conn_id="mine", job_kind="contacts", jobs=[poll(page(each))[0] for each in bodies]
    )
    assert judge(result, 0.01).passed
    assert not judge(result, 0).passed


def test_batch_without_counts_is_no_success() -> None:
    job, _, _ = poll(page(), ok(batch("finished")))
    result = summarize(vendor="omnisend", conn_id="mine", job_kind="contacts", jobs=[job])
    assert not judge(result, 0.99).passed
    assert judge(result, None).passed


@pytest.mark.parametrize(
    ("answers", "state", "paths"),
    [
        ([page(*others(3), batch("pending", 2, 0, 0))], "pending", [LIST]),
        ([page(batch("inProgress"))], "running", [LIST]),
        ([page(batch("finished", 2, 2, 0))], "succeeded", [LIST]),
        ([page(batch("finished")), ok(batch("finished", 2, 2, 0))], "succeeded", [LIST, OWN]),
        ([page(*others(100)), page(batch("pending"))], "pending", [LIST, f"{LIST}&offset=100"]),
        ([page(*others(100)), page(*others(99)), ok(batch("stopped"))], "failed", [LIST, f"{LIST}&offset=100", OWN]),
    ],
)
def test_list_has_the_state(answers: list[Answer], state: str, paths: list[str]) -> None:
    job, requested, _ = poll(*answers)
    assert job.state == state
    assert requested == paths


def test_long_list_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_PAGES", 2)
    job, paths, _ = poll(*[page(*others(100))] * 2, ok(batch("pending", 2, 0, 0)))
    assert job.state == "pending"
    assert paths == [LIST, f"{LIST}&offset=100", OWN]


def test_waits_share_the_list() -> None:
    transport, account = play(SAMPLE.of, page(*others(99)))
    states = [
        transport.outcome(lambda one=one: SAMPLE.kind.status(account, f"other-{one}")).state  # type: ignore[misc]
        for one in range(99)
    ]
    assert set(states) == {"pending"}
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, {"retryAfter": 12}, 12.0),
        ({"X-Rate-Limit-Limit": "400", "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "7"}, {}, 7.0),
    ],
)
def test_wait_is_in_the_body_or_in_older_headers(headers: dict[str, str], body: Any, seconds: float) -> None:
    limited = {**problem(429, "Rate limit exceeded", "Too many requests.", **body), "headers": headers}
    job, _, transport = poll(limited, page(batch("pending", 2, 0, 0)))
    assert job.state == "pending"
    assert transport.pauses == [seconds]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (problem(401, "Unauthorized", "The API key is not valid."), AuthenticationError, "Check the credentials"),
        (problem(403, "Forbidden", "The key lacks the scope."), PermissionDeniedError, "A wrong key may have the same"),
        (problem(410, "Gone", "Use a supported Omnisend-Version."), VendorAPIError, "'api_version' (API version)"),
        (ok({"data": []}), VendorAPIError, "not the Omnisend API"),
    ],
)
def test_connection_test_tells_what_is_wrong(answer: Answer, kind: type[Exception], words: str) -> None:
    outcome, _ = check(SAMPLE.of, answer)
    assert type(outcome) is kind
    assert words in str(outcome)


def test_token_without_the_brand_passes() -> None:
    outcome, _ = check(SAMPLE.of, page(), problem(403, "Forbidden", "The token lacks the scope."))
    assert outcome == "Connected to Omnisend. The brand's name could not be read (an access token needs brands.read)."


@pytest.mark.parametrize("path", ["", "/api", "/v5", "/v3"])
def test_pasted_path_of_the_api_is_removed(path: str) -> None:
    account = make_account(SAMPLE.vendor, f"https://api.omnisend.com{path}")
    assert SAMPLE.vendor.base_url(account) == "https://api.omnisend.com"


def test_access_token_is_a_bearer_token() -> None:
    account = make_account(SAMPLE.vendor, "", auth_type="oauth2")
    assert SAMPLE.vendor.headers(account, None)["Authorization"] == f"Bearer {account['password']}"


FULL = {
    "email": "ada@example.com",
    "phone": "+447700900123",
    "status": "subscribed",
    "statusChangedAt": "2026-11-20T09:00:00Z",
    "consent": {"source": "form"},
    "firstName": "Ada",
    "tags": ["vip"],
    "customProperties": {"plan": "gold"},
}


@pytest.mark.parametrize("welcome", [False, True])
@pytest.mark.parametrize(
    "record", [FULL, {"email": "ada@example.com"}, {"phone": "1"}, {"email": "a@example.com", "city": "London"}]
)
def test_record_of_a_failed_contact_is_as_it_was_submitted(record: Any, *, welcome: bool) -> None:
    assert to_record(to_contact(record, welcome=welcome)) == record


@pytest.mark.parametrize(
    "contact",
    [
        {},
        {"identifiers": None},
        {"identifiers": "x"},
        {"identifiers": [{"type": ["email"], "channels": 5}, 7]},
        {"identifiers": [{"type": "email", "id": "a@example.com", "channels": {"email": {"status": "subscribed"}}}]},
        {
            "identifiers": [
                {"type": "email", "id": "a@example.com", "sendWelcomeMessage": False, "source": "a"},
                {"type": "phone", "id": "1", "sendWelcomeMessage": False, "source": "b"},
            ]
        },
    ],
)
def test_contact_without_a_shorter_form_is_its_own_record(contact: Any) -> None:
    assert to_record(contact) == contact


def test_custom_properties_may_be_fields() -> None:
    record = {"email": "a@example.com", "customProperties.plan": "free", "customProperties": {"age": 7}}
    assert to_contact(record, welcome=False)["customProperties"] == {"plan": "free", "age": 7}


def test_tags_are_limited() -> None:
    tags = [f"tag-{number}" for number in range(101)]
    assert IMPORT.operation.check({"email": "a@example.com", "tags": tags[:100]}) is None
    assert "more than 100 tags" in str(IMPORT.operation.check({"email": "a@example.com", "tags": tags}))


@pytest.mark.parametrize(("case", "welcome"), [(IMPORT, False), (WELCOME, True)])
@pytest.mark.parametrize(
    "record", [{"email": "a@example.com", "phone": "1"}, {"identifiers": [{"type": "email", "id": "a@example.com"}]}]
)
def test_welcome_message_is_off_unless_asked_for(case: Any, record: Any, *, welcome: bool) -> None:
    sent = json.loads(case.operation.encode(record))
    assert {each["sendWelcomeMessage"] for each in sent["identifiers"]} == {welcome}
    assert case.operation.idempotent is not welcome


def test_identifier_without_a_value_has_not_asked_for_a_welcome_message() -> None:
    record = {"identifiers": [{"type": "email", "id": "ann@example.com", "sendWelcomeMessage": None}]}
    [identifier] = to_contact(record, welcome=False)["identifiers"]
    assert identifier["sendWelcomeMessage"] is False


def test_identifier_may_decline_the_welcome_message() -> None:
    record = {"identifiers": [{"type": "email", "id": "a@example.com", "sendWelcomeMessage": False}]}
    assert to_contact(record, welcome=True) == record


def test_failed_items_that_are_not_listed_are_an_error() -> None:
    transport, account = play(
        SAMPLE.of, ok(batch("finished", 2, 2, 1)), ok({**batch("finished", 2, 2, 1), "errors": []})
    )
    assert SAMPLE.kind.results is not None
    outcome = transport.outcome(lambda: SAMPLE.kind.results(account, "b-7"))  # type: ignore[arg-type, misc, return-value]
    assert "counts 1 failed items, but lists 0" in str(outcome)


@pytest.mark.parametrize("blank", ["", [], [None], [""]])
def test_blank_identifiers_are_left_out(blank: Any) -> None:
    contact = to_contact({"email": "ada@example.com", "identifiers": blank}, welcome=False)
    assert [each["id"] for each in contact["identifiers"]] == ["ada@example.com"]
