# SPDX-License-Identifier: Apache-2.0
"""Acquia Campaign Studio only: OAuth2 tokens, and page URLs that the vendor returns."""

from typing import Any
from urllib.parse import parse_qs

import pytest
from vendors.scripted import DRIVERS, LOGIN, SECRET, FlowOutcome, Script, make_account

from airflow_provider_bulkjobs.exceptions import AuthenticationError, UntrustedResponseError
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.acquia_campaign_studio.jobs import job_status
from airflow_provider_bulkjobs.vendors.acquia_campaign_studio.vendor import AcquiaCampaignStudio

VENDOR = AcquiaCampaignStudio()
JOB = "/api/contacts/job/j-1"
TOKEN = "/oauth/v2/token"

each_driver = pytest.mark.parametrize("transport", DRIVERS)
each_prefix = pytest.mark.parametrize("prefix", ["", "/prefix"], ids=["root", "prefix"])


def answer(body: Any, status: int = 200) -> dict[str, Any]:
    return {"status": status, "body": body}


def token(value: str, **more: Any) -> dict[str, Any]:
    return answer({"access_token": value, "expires_in": 3600, "token_type": "bearer", "scope": "", **more})


def run(
    script: Script, transport: str, *answers: dict[str, Any], host: str = "", times: int = 1, **conn: Any
) -> FlowOutcome:
    script.play(answers)
    account = make_account(VENDOR, script.url(host), **conn)
    return DRIVERS[transport](VENDOR, account, *[lambda: job_status(account, "j-1")] * times)


def wire(script: Script) -> list[tuple[str, str, str | None]]:
    assert not script.answers
    return [(seen.method, seen.path, seen.headers.get("authorization")) for seen in script.seen]


@each_prefix
@each_driver
def test_token_is_fetched_once_for_all_requests(script: Script, transport: str, prefix: str) -> None:
    queued = answer({"status": "queued"})
    outcome = run(script, transport, token("one"), queued, queued, host=prefix, times=2, auth_type="oauth2")
    assert isinstance(outcome, BulkJob)
    assert wire(script) == [
        ("POST", f"{prefix}{TOKEN}", None),
        ("GET", f"{prefix}{JOB}", "Bearer one"),
        ("GET", f"{prefix}{JOB}", "Bearer one"),
    ]


@each_driver
def test_token_request_carries_the_secret_in_its_body_only(script: Script, transport: str) -> None:
    run(script, transport, token("one"), answer({"status": "queued"}), auth_type="oauth2")
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


@each_driver
def test_rejected_token_is_refreshed(script: Script, transport: str) -> None:
    queued, refused = answer({"status": "queued"}), answer({"error": "invalid_grant"}, 401)
    outcome = run(script, transport, token("one"), queued, refused, token("two"), queued, times=2, auth_type="oauth2")
    assert isinstance(outcome, BulkJob), outcome
    assert wire(script) == [
        ("POST", TOKEN, None),
        ("GET", JOB, "Bearer one"),
        ("GET", JOB, "Bearer one"),
        ("POST", TOKEN, None),
        ("GET", JOB, "Bearer two"),
    ]


@each_driver
def test_token_is_refreshed_only_once(script: Script, transport: str) -> None:
    queued, refused = answer({"status": "queued"}), answer({"error": "invalid_grant"}, 401)
    outcome = run(script, transport, token("one"), queued, refused, token("two"), refused, times=2, auth_type="oauth2")
    assert isinstance(outcome, AuthenticationError), outcome
    assert [method for method, _, _ in wire(script)] == ["POST", "GET", "GET", "POST", "GET"]


@each_driver
def test_rejected_fresh_token_is_an_error(script: Script, transport: str) -> None:
    outcome = run(script, transport, token("one"), answer({"error": "access_denied"}, 401), auth_type="oauth2")
    assert isinstance(outcome, AuthenticationError), outcome
    assert [method for method, _, _ in wire(script)] == ["POST", "GET"]


@each_driver
def test_token_rejected_while_reading_details_is_refreshed(script: Script, transport: str) -> None:
    first = answer({"status": "completed", "details": {"next-page": f"{JOB}?details=1&page=2", "contacts": [{}]}})
    last = answer({"status": "completed", "details": {"contacts": [{"statusCode": 200}]}})
    outcome = run(
        script,
        transport,
        *(token("one"), answer({"status": "completed"}), first, answer("", 401), token("two"), last),
        auth_type="oauth2",
    )
    assert isinstance(outcome, BulkJob), outcome
    assert (outcome.total, outcome.failed) == (2, 1)
    assert wire(script)[3:] == [
        ("GET", f"{JOB}?details=1&page=2", "Bearer one"),
        ("POST", TOKEN, None),
        ("GET", f"{JOB}?details=1&page=2", "Bearer two"),
    ]


@each_driver
def test_basic_auth_fetches_no_token(script: Script, transport: str) -> None:
    outcome = run(script, transport, answer({"error": "access_denied"}, 401))
    assert isinstance(outcome, AuthenticationError), outcome
    assert [(method, path) for method, path, _ in wire(script)] == [("GET", JOB)]


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
@each_driver
def test_next_page_is_requested_below_base_url(
    script: Script, transport: str, prefix: str, following: str, asked: str
) -> None:
    following = following.format(url=script.url(prefix))
    outcome = run(script, transport, answer({"status": "completed"}), page(following), page(None), host=prefix)
    assert isinstance(outcome, BulkJob), outcome
    assert (outcome.state, outcome.total) == (JobState.SUCCEEDED, 2)
    assert [path for _, path, _ in wire(script)][2:] == [asked]


@pytest.mark.parametrize("transport", ["requests", pytest.param("aiohttp")])
@pytest.mark.parametrize(("page_name", "encoded"), [("a b", "a%20b"), ("é", "%C3%A9")], ids=["space", "not ascii"])
def test_next_page_is_encoded(script: Script, transport: str, page_name: str, encoded: str) -> None:
    outcome = run(script, transport, answer({"status": "completed"}), page(f"/api/x?page={page_name}"), page(None))
    assert isinstance(outcome, BulkJob), outcome
    assert [path for _, path, _ in wire(script)][2:] == [f"/api/x?page={encoded}"]


@pytest.mark.parametrize(
    "following", ["http://127.0.0.1:1/api/x", "https://{host}/api/x", "http://{host}@example.com/"]
)
@each_driver
def test_next_page_on_other_host_is_not_requested(script: Script, transport: str, following: str) -> None:
    host = script.url().removeprefix("http://")
    outcome = run(script, transport, answer({"status": "completed"}), page(following.format(host=host)))
    assert isinstance(outcome, UntrustedResponseError), outcome
    assert len(wire(script)) == 2
