# SPDX-License-Identifier: Apache-2.0
"""Brevo only: the list of processes that waits share, and what the connection test tells apart."""

import json
from pathlib import Path
from typing import Any

import pytest
from vendors.fixture_loader import SAMPLE_OF, Answer
from vendors.generated import ok
from vendors.in_memory import InMemoryTransport, play
from vendors.scripted import make_account
from vendors.submit_cases import CASE_OF, contexts, prepared
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import AuthenticationError, PermissionDeniedError
from airflow_provider_bulkjobs.protocol.job import BulkJob
from airflow_provider_bulkjobs.submitting.records import read_records
from airflow_provider_bulkjobs.vendors.brevo import jobs
from airflow_provider_bulkjobs.vendors.brevo.submits import IMPORT

SAMPLE = SAMPLE_OF["brevo", "contacts"]
CHECK_KEY = "Check the credentials in connection 'mine'."
APPROVE = "Approve this server's IP address in Brevo: Security > Authorized IPs."
CHECK_PERMISSIONS = "Check the permissions of the credentials in connection 'mine'."
FIRST = "/v3/processes?limit=50&sort=desc"
DONE = {"id": 900, "status": "completed", "info": {"import": {"invalid_emails": None}}}


def page(*numbers: int, status: str = "queued") -> Answer:
    return ok({"count": 1000, "processes": [{"id": number, "status": status} for number in numbers]})


def poll(job_id: str, *answers: Answer) -> tuple[Any, list[str]]:
    """Return the job, or the error, and the requested paths."""
    transport, account = play(SAMPLE.of, *answers)
    outcome = transport.outcome(lambda: SAMPLE.kind.status(account, job_id))
    return outcome, [path for _, path in transport.requests]


@pytest.mark.parametrize(
    ("word", "state"),
    [("queued", "pending"), ("in_process", "running"), ("processing", "running"), ("failed", "failed")],
)
def test_the_list_has_the_state(word: str, state: str) -> None:
    assert poll("900", page(901, 900, status=word)) == (BulkJob("900", state, word), [FIRST])  # type: ignore[arg-type]


def test_completed_import_is_requested_for_its_reports() -> None:
    listed = {**DONE, "info": {"import": {"invalid_emails": None}}}
    reported = {**DONE, "info": {"import": {"invalid_emails": "https://reports.example.com/1.csv"}}}
    job, paths = poll("900", ok({"count": 1, "processes": [listed]}), ok(reported))
    assert job.state == "partially_failed"
    assert paths == [FIRST, "/v3/processes/900"]


def test_older_import_is_on_the_next_page() -> None:
    job, paths = poll("900", page(*range(1000, 950, -1)), page(*range(950, 900, -1)), page(900))
    assert job.state == "pending"
    assert paths == [FIRST, f"{FIRST}&offset=50", f"{FIRST}&offset=100"]


def test_list_is_not_read_beyond_the_place_of_the_import() -> None:
    _, paths = poll("960", page(*range(1010, 960, -1)), page(*range(959, 909, -1)), ok(DONE))
    assert paths == [FIRST, f"{FIRST}&offset=50", "/v3/processes/960"]


def test_long_list_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_PAGES", 2)
    _, paths = poll("3", page(*range(1000, 950, -1)), page(*range(950, 900, -1)), ok(DONE))
    assert paths == [FIRST, f"{FIRST}&offset=50", "/v3/processes/3"]


def test_waits_share_the_list() -> None:
    transport, account = play(SAMPLE.of, page(*range(50, 0, -1)))
    states = [transport.outcome(lambda one=one: SAMPLE.kind.status(account, str(one))) for one in range(1, 51)]
    assert {job.state for job in states} == {"pending"}
    assert len(transport.sent) == 1


@pytest.mark.parametrize(
    ("status", "body", "error", "hint"),
    [
        (401, {"code": "unauthorized", "message": "Key not found"}, AuthenticationError, CHECK_KEY),
        (401, {"code": "unauthorized", "message": "Unrecognised IP 192.0.2.1"}, AuthenticationError, APPROVE),
        (
            401,
            {"code": "unauthorized", "message": "No"},
            AuthenticationError,
            f"{CHECK_KEY} If they are valid: {APPROVE}",
        ),
        (403, {"code": "permission_denied", "message": "Access denied"}, PermissionDeniedError, CHECK_PERMISSIONS),
        (401, {"code": "permission_denied", "message": "Access denied"}, PermissionDeniedError, CHECK_PERMISSIONS),
    ],
)
def test_connection_test_tells_what_is_wrong(status: int, body: Any, error: type[Exception], hint: str) -> None:
    outcome, _ = check(SAMPLE.of, {"status": status, "body": body})
    assert type(outcome) is error
    assert outcome.hint == hint


def test_restricted_key_passes_without_the_account() -> None:
    refusal = {"status": 403, "body": {"code": "permission_denied", "message": "Access denied"}}
    outcome, _ = check(SAMPLE.of, ok({"count": 0}), refusal)
    assert outcome == "Connected to Brevo. The account's name could not be read (it needs access to the account)."


def test_oauth2_sends_the_access_token() -> None:
    account = make_account(SAMPLE.vendor, "https://vendor.example.com", auth_type="oauth2")
    transport = InMemoryTransport(SAMPLE.vendor, account, [ok({"access_token": "A", "expires_in": 3600}), page(900)])
    assert transport.outcome(lambda: SAMPLE.kind.status(account, "900")).state == "pending"
    token, status = transport.sent
    assert token.path == "/realms/partner/oauth/token"
    assert status.headers["authorization"] == "Bearer A"
    assert "api-key" not in status.headers


def test_empty_cells_clear_attributes_with_the_option(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("email,FNAME\na@example.com,\n")
    sent = {}
    for clears in (True, False):
        case, account = (
            CASE_OF["brevo", "contacts", "import"],
            make_account(SAMPLE.vendor, "https://vendor.example.com"),
        )
        with prepared(case, account, records=[], options={"emptyContactsAttributes": clears}) as submission:
            submission.prepare(read_records(tmp_path / "a.csv"), None)
            [context] = contexts(submission, account, {})
            sent[clears] = json.loads(context.payload.data)["attributes"]
    assert IMPORT.blanks_option == "emptyContactsAttributes"
    assert sent == {True: {"FNAME": ""}, False: {}}
