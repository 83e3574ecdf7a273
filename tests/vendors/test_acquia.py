# SPDX-License-Identifier: Apache-2.0
"""Acquia Campaign Studio only: OAuth2 tokens, and page URLs that the vendor returns."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from vendors.fixture_loader import JOB_ID, SAMPLE_OF
from vendors.in_memory import InMemoryTransport, play
from vendors.result_rules import fetch
from vendors.scripted import DRIVERS, LOGIN, SECRET, Script, make_account
from vendors.submit_cases import CASE_OF, contexts, prepared

from airflow_provider_bulkjobs.exceptions import AuthenticationError, UntrustedResponseError
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState

CONTACTS = SAMPLE_OF["acquia_campaign_studio", "contacts"]
HOST = "https://vendor.example.com"
JOB = "/api/contacts/job/j-1"
TOKEN = "/oauth/v2/token"


def answer(body: Any, status: int = 200) -> dict[str, Any]:
    return {"status": status, "body": body}


def token(value: str, **more: Any) -> dict[str, Any]:
    return answer({"access_token": value, "expires_in": 3600, "token_type": "bearer", "scope": "", **more})


def run(*answers: dict[str, Any], prefix: str = "", times: int = 1, **conn: Any) -> tuple[Any, InMemoryTransport]:
    transport, account = play(CONTACTS.of, *answers, host=HOST + prefix, **conn)
    return transport.outcome(*[lambda: CONTACTS.kind.status(account, JOB_ID)] * times), transport


def wire(transport: InMemoryTransport) -> list[tuple[str, str, str | None]]:
    assert not transport.answers
    return [(sent.method, sent.path, sent.headers.get("authorization")) for sent in transport.sent]


def test_token_is_fetched_once_for_all_requests() -> None:
    queued = answer({"status": "queued"})
    outcome, transport = run(token("one"), queued, queued, times=2, auth_type="oauth2")
    assert isinstance(outcome, BulkJob)
    assert wire(transport) == [
        ("POST", TOKEN, None),
        ("GET", JOB, "Bearer one"),
        ("GET", JOB, "Bearer one"),
    ]


@pytest.mark.parametrize("transport", DRIVERS)
def test_token_request_carries_the_secret_in_its_body_only(script: Script, transport: str) -> None:
    script.play([token("one"), answer({"status": "queued"})])
    account = make_account(CONTACTS.vendor, script.url(), auth_type="oauth2")
    DRIVERS[transport](CONTACTS.vendor, account, lambda: CONTACTS.kind.status(account, JOB_ID))
    first, second = script.seen
    assert first.headers["content-type"].split(";")[0] == "application/x-www-form-urlencoded"
    assert parse_qs(first.body, strict_parsing=True) == {
        "grant_type": ["client_credentials"],
        "client_id": [LOGIN],
        "client_secret": [SECRET],
    }
    assert SECRET not in first.path
    assert SECRET not in str(first.headers)
    assert SECRET not in f"{second.path} {second.headers} {second.body}"


def test_rejected_token_is_refreshed() -> None:
    queued, refused = answer({"status": "queued"}), answer({"error": "invalid_grant"}, 401)
    outcome, transport = run(token("one"), queued, refused, token("two"), queued, times=2, auth_type="oauth2")
    assert isinstance(outcome, BulkJob), outcome
    assert wire(transport) == [
        ("POST", TOKEN, None),
        ("GET", JOB, "Bearer one"),
        ("GET", JOB, "Bearer one"),
        ("POST", TOKEN, None),
        ("GET", JOB, "Bearer two"),
    ]


def test_token_is_refreshed_only_once() -> None:
    queued, refused = answer({"status": "queued"}), answer({"error": "invalid_grant"}, 401)
    outcome, transport = run(token("one"), queued, refused, token("two"), refused, times=2, auth_type="oauth2")
    assert isinstance(outcome, AuthenticationError), outcome
    assert [method for method, _, _ in wire(transport)] == ["POST", "GET", "GET", "POST", "GET"]


def test_rejected_fresh_token_is_an_error() -> None:
    outcome, transport = run(token("one"), answer({"error": "access_denied"}, 401), auth_type="oauth2")
    assert isinstance(outcome, AuthenticationError), outcome
    assert [method for method, _, _ in wire(transport)] == ["POST", "GET"]


def test_token_rejected_while_reading_details_is_refreshed() -> None:
    first = answer({"status": "completed", "details": {"next-page": f"{JOB}?details=1&page=2", "contacts": [{}]}})
    last = answer({"status": "completed", "details": {"contacts": [{"statusCode": 200}]}})
    outcome, transport = run(
        *(token("one"), answer({"status": "completed"}), first, answer("", 401), token("two"), last),
        auth_type="oauth2",
    )
    assert isinstance(outcome, BulkJob), outcome
    assert (outcome.total, outcome.failed) == (2, 1)
    assert wire(transport)[3:] == [
        ("GET", f"{JOB}?details=1&page=2", "Bearer one"),
        ("POST", TOKEN, None),
        ("GET", f"{JOB}?details=1&page=2", "Bearer two"),
    ]


def test_basic_auth_fetches_no_token() -> None:
    outcome, transport = run(answer({"error": "access_denied"}, 401))
    assert isinstance(outcome, AuthenticationError), outcome
    assert [(method, path) for method, path, _ in wire(transport)] == [("GET", JOB)]


def page(following: str | None) -> dict[str, Any]:
    return answer({"status": "completed", "details": {"next-page": following, "contacts": [{"statusCode": 200}]}})


@pytest.mark.parametrize(
    ("prefix", "following", "asked"),
    [
        pytest.param("", "{url}/api/x?page=2", "/api/x?page=2", id="same host in full"),
        pytest.param("/prefix", "{url}/api/x?page=2", "/prefix/api/x?page=2", id="same host and prefix in full"),
        pytest.param("/prefix", "/api/x?page=2", "/prefix/api/x?page=2", id="path without the prefix"),
        pytest.param("/prefix", "/prefix/api/x?page=2", "/prefix/api/x?page=2", id="path with the prefix"),
        pytest.param("/prefix", "api/x?page=2", "/prefix/api/x?page=2", id="relative to the root"),
        pytest.param("", "/api/x", "/api/x", id="no query"),
        pytest.param("", "/api/x?page=2#top", "/api/x?page=2", id="fragment"),
        pytest.param("", "/api/x?page=a%2Fb", "/api/x?page=a%2Fb", id="encoded"),
        pytest.param("/a", "/api/x?page=2", "/a/api/x?page=2", id="path that begins like the prefix"),
        pytest.param("/pre", "/prefix/x?page=2", "/pre/prefix/x?page=2", id="path that begins like it too"),
    ],
)
def test_next_page_is_requested_below_base_url(prefix: str, following: str, asked: str) -> None:
    following = following.format(url=HOST + prefix)
    outcome, transport = run(answer({"status": "completed"}), page(following), page(None), prefix=prefix)
    assert isinstance(outcome, BulkJob), outcome
    assert (outcome.state, outcome.total) == (JobState.SUCCEEDED, 2)
    assert [prefix + path for _, path, _ in wire(transport)][2:] == [asked]


@pytest.mark.parametrize(("page_name", "encoded"), [("a b", "a%20b"), ("é", "%C3%A9")], ids=["space", "not ascii"])
def test_next_page_is_encoded(page_name: str, encoded: str) -> None:
    outcome, transport = run(answer({"status": "completed"}), page(f"/api/x?page={page_name}"), page(None))
    assert isinstance(outcome, BulkJob), outcome
    assert [path for _, path, _ in wire(transport)][2:] == [f"/api/x?page={encoded}"]


ELSEWHERE = (
    "http://vendor.example.com/api/x",
    "https://vendor.example.com:1/api/x",
    "https://vendor.example.com@elsewhere.example.com/",
    f"https://{LOGIN}:x@vendor.example.com/api/x",
    "https://elsewhere.example.com/api/contacts/job/j-1?details=1&page=2",
    "//elsewhere.example.com/api/contacts/job/j-1?details=1&page=2",
)


@pytest.mark.parametrize("following", ELSEWHERE)
def test_next_page_on_other_host_is_not_requested(following: str) -> None:
    for outcome, transport in (
        run(answer({"status": "completed"}), page(following)),
        fetch(CONTACTS, answer({"status": "completed"}), page(following)),
    ):
        assert isinstance(outcome, UntrustedResponseError), outcome
        assert "elsewhere.example.com" not in str(outcome)
        assert len(wire(transport)) == 2


def test_option_of_a_record_is_not_overridden() -> None:
    case = CASE_OF["acquia_campaign_studio", "contacts", "edit"]
    _, account = play(CONTACTS.of)
    records = [{"id": 1}, {"id": 2, "overwriteWithBlank": False}]
    with prepared(case, account, records, {"overwriteWithBlank": True}) as submission:
        [context] = contexts(submission, account, {"overwriteWithBlank": True})
        body = json.loads(next(case.operation.submit(context)).body)
    assert body == [{"id": 1, "overwriteWithBlank": True}, {"id": 2, "overwriteWithBlank": False}]
