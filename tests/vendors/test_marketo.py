# SPDX-License-Identifier: Apache-2.0
"""Marketo only: failures in responses with status 200, the three families of imports, the queue of imports."""

import json
from typing import Any
from unittest.mock import Mock

import pytest
from vendors.fixture_loader import SAMPLE_OF, Answer
from vendors.generated import UNAVAILABLE, ok
from vendors.in_memory import QUICK, InMemoryTransport, play
from vendors.scripted import SECRET, Script, make_account
from vendors.submit_cases import CASE_OF, HOOK_OF, make_hook
from vendors.submit_rules import send
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    PermissionDeniedError,
    UnknownOutcomeError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.protocol.flow import Request, Response
from airflow_provider_bulkjobs.results.item_results import iter_item_results
from airflow_provider_bulkjobs.vendors.marketo.submits import LEADS_IMPORT, LEADS_PATH
from airflow_provider_bulkjobs.vendors.marketo.vendor import SUBMITS
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize

LEADS = SAMPLE_OF["marketo", "leads"]
FAMILIES = ("leads", "program_members", "custom_objects")
SUBMIT = CASE_OF["marketo", "leads", "import"]
ACCEPTED = ok({"requestId": "d01f#1", "success": True, "result": [{"batchId": 3404, "status": "Queued"}]})
USAGE = ok({"requestId": "a9ae#1", "success": True, "result": [{"date": "2026-03-14", "total": 1120, "users": []}]})
RESULTS = (
    ({"status": "Queued"}, ("pending", None, None, None)),
    ({"status": "Importing", "processed": 1200, "failed": 0}, ("running", None, None, 0)),
    ({"status": "Complete", "processed": 3, "failed": 0}, ("succeeded", 3, 3, 0)),
    ({"status": "Complete", "processed": 2, "failed": 1}, ("partially_failed", 3, 2, 1)),
    ({"status": "Complete", "processed": 0, "failed": 3}, ("partially_failed", 3, 0, 3)),
    ({"status": "Complete", "processed": 1, "failed": 0, "warnings": 1}, ("succeeded", 1, 1, 0)),
    ({"status": "Complete", "processed": 0, "failed": 0}, ("succeeded", 0, 0, 0)),
    ({"status": "Complete", "processed": "3", "failed": "0"}, ("succeeded", 3, 3, 0)),
    ({"status": "Complete", "failed": 3}, ("partially_failed", None, None, None)),
    ({"status": "Complete", "processed": 3}, ("partially_failed", None, 3, None)),
    ({"status": "Failed", "processed": 0, "failed": 0}, ("failed", None, 0, 0)),
    ({"status": "Failed"}, ("failed", None, None, None)),
)


def failure(code: str | int, message: str = "Not so") -> Answer:
    return ok({"requestId": "41db#1", "success": False, "errors": [{"code": code, "message": message}]})


def poll(family: str, *answers: Answer) -> Any:
    sample = SAMPLE_OF["marketo", family]
    transport, account = play(sample.of, *answers)
    return transport.outcome(lambda: sample.kind.status(account, sample.job_id)), transport


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("result", "expected"), RESULTS)
def test_state_follows_from_the_counts(family: str, result: dict[str, Any], expected: tuple[Any, ...]) -> None:
    names = {"failed": "numOfRowsFailed", "warnings": "numOfRowsWithWarning"}
    names["processed"] = "numOfObjectsProcessed" if family == "custom_objects" else "numOfLeadsProcessed"
    body = {"success": True, "result": [{names.get(name, name): value for name, value in result.items()}]}
    job, _ = poll(family, ok(body))
    assert (job.state, job.total, job.succeeded, job.failed) == expected


@pytest.mark.parametrize("count", ["numOfLeadsProcessed", "numOfRowsFailed"])
def test_completed_import_with_one_count_passes_no_gate(count: str) -> None:
    job, _ = poll("leads", ok({"success": True, "result": [{"status": "Complete", count: 0}]}))
    result = summarize(vendor="marketo", conn_id="mine", job_kind="leads", jobs=[job])
    assert not judge(result).passed


@pytest.mark.parametrize(
    ("code", "error", "pause"),
    [
        *((code, "AuthenticationError", None) for code in ("601", "602")),
        ("603", "PermissionDeniedError", None),
        ("610", "JobNotFoundError", None),
        *((code, UNAVAILABLE, None) for code in ("502", "604", "608", "611", "614", "713")),
        *((code, UNAVAILABLE, pause) for code, pause in (("606", 20.0), ("607", 900.0), ("615", 2.0))),
        *((code, UNAVAILABLE, 120.0) for code in ("1016", "1019")),
        *((code, "VendorAPIError", None) for code in ("609", "612", "703", "1001", "1003", "1006", "1013", "1026")),
    ],
)
@pytest.mark.parametrize("convert", [str, int])
def test_code_in_a_successful_response_says_what_to_do(
    code: str, error: str, pause: float | None, convert: Any
) -> None:
    outcome, transport = poll("leads", failure(convert(code)))
    assert type(outcome).__name__ == error
    assert f"{code}: Not so" in str(outcome)
    assert transport.pauses == ([pause] if pause else [])


@pytest.mark.parametrize("code", ["606", "615", "1016", "1019"])
def test_refused_submit_is_sent_again(code: str) -> None:
    outcome, transport = send(SUBMIT, failure(code), failure(code), ACCEPTED)
    assert outcome == "3404"
    assert len(transport.sent) == 3


@pytest.mark.parametrize("code", ["502", "604", "608", "611", "614", "713"])
def test_submit_that_may_have_been_executed_is_not_sent_again(code: str) -> None:
    outcome, transport = send(SUBMIT, failure(code), ACCEPTED)
    assert isinstance(outcome, UnknownOutcomeError)
    assert len(transport.sent) == 1


def test_full_queue_delays_submits_and_not_polls() -> None:
    vendor = LEADS.vendor
    assert vendor.rate_limit_of(Request("POST", f"{LEADS_PATH}?format=csv")) is SUBMITS
    assert vendor.rate_limit_of(Request("GET", "/bulk/v1/leads/batch/1.json")) is None


def test_import_that_failed_at_once_is_accepted() -> None:
    outcome, _ = send(SUBMIT, ok({"success": True, "result": [{"batchId": 3404, "status": "Failed"}]}))
    assert outcome == "3404"


@pytest.mark.parametrize(
    ("options", "record", "problem"),
    [
        ({}, {"firstName": "Ada"}, "lacks field 'email'"),
        ({"lookupField": "id"}, {"email": "ada@example.com"}, "lacks field 'id'"),
        ({"lookupField": "id"}, {"id": 7}, None),
        ({"lookupField": "externalKey"}, {"externalKey": "k-7"}, None),
    ],
)
def test_record_needs_the_lookup_field(options: dict[str, Any], record: dict[str, Any], problem: str | None) -> None:
    assert LEADS_IMPORT.check_for(options)(record) == problem


def test_secret_is_only_in_the_query_of_the_token_request() -> None:
    account = make_account(LEADS.vendor, "https://vendor.example.com")
    token: Any = LEADS.vendor.token_flow(account)
    request = next(token)
    assert request.path == "/identity/oauth/token"
    assert request.secret_query["client_secret"] == SECRET
    assert SECRET not in repr(request)


@pytest.mark.parametrize("pasted", ["", "/", "/rest", "/rest/", "/rest/v1", "/identity", "/bulk/v1"])
def test_path_of_a_pasted_endpoint_is_cut_off(pasted: str) -> None:
    account = make_account(LEADS.vendor, f"https://123-abc-456.mktorest.com{pasted}")
    assert LEADS.vendor.base_url(account) == "https://123-abc-456.mktorest.com"


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        ((failure("601", "Unauthorized"),), AuthenticationError, "Check the credentials in connection 'mine'."),
        ((failure("603", "Not allowed"),), PermissionDeniedError, "Check the permissions of the credentials"),
        ((USAGE, failure("603", "Not allowed")), PermissionDeniedError, "Check the permissions of the credentials"),
        ((ok({"success": True}),), VendorAPIError, "not the Marketo API. Check the host of connection 'mine'"),
    ],
)
def test_connection_test_tells_what_is_wrong(answers: Any, error: type[Exception], words: str) -> None:
    outcome, _ = check(LEADS.of, *answers)
    assert type(outcome) is error
    assert words in str(outcome)


def test_wrong_client_secret_is_named_by_marketo() -> None:
    account = make_account(LEADS.vendor, "https://vendor.example.com")
    refusal = {"status": 401, "body": {"error": "invalid_client", "error_description": "Bad client credentials"}}
    outcome = InMemoryTransport(LEADS.vendor, account, [refusal]).outcome(lambda: LEADS.vendor.check(account))
    assert type(outcome) is AuthenticationError
    assert "invalid_client: Bad client credentials" in str(outcome)


@pytest.mark.parametrize(
    "answer", [failure("610"), {"status": 404, "body": ""}, failure("1001"), ok({"success": True})]
)
def test_connection_test_does_not_need_an_import(answer: Answer) -> None:
    outcome, _ = check(LEADS.of, USAGE, answer)
    assert outcome == "Connected to Marketo at https://vendor.example.com/prefix (1120 API calls today)."


def test_connection_test_does_not_need_a_usable_response_about_an_import() -> None:
    account = make_account(LEADS.vendor, "https://vendor.example.com")
    flow = LEADS.vendor.check(account)
    next(flow)
    flow.send(Response(200, {}, json.dumps(USAGE["body"]).encode()))
    with pytest.raises(StopIteration) as end:
        flow.throw(VendorUnavailableError("611: Unhandled exception"))
    assert "Connected to Marketo" in end.value.value


def read(script: Script, *answers: Answer) -> tuple[list[Any], list[str]]:
    """Return the results over a real connection, and the requested paths after the first token."""
    script.play([{"status": 200, **answer} for answer in (*LEADS.of.token, *answers)])
    hook = make_hook(LEADS.vendor, make_account(LEADS.vendor, script.url()))
    try:
        found = list(iter_item_results(hook, LEADS.kind, "7", 10**6, QUICK))
    finally:
        hook.transport.close()
    return found, [seen.path for seen in script.seen[1:]]


COMPLETE = ok({"success": True, "result": [{"status": "Complete", "numOfLeadsProcessed": 5, "numOfRowsFailed": 1}]})
FILE = {"body": "email,Import Failure Reason\na@example.com,bad\n", "headers": {"Content-Type": "text/csv"}}
STATUS_PATH, FILE_PATH = "/bulk/v1/leads/batch/7.json", "/bulk/v1/leads/batch/7/failures.json"


def test_failure_in_place_of_a_file_is_no_row(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEADS.vendor.errors.pauses, "606", 0.01)  # type: ignore[index]
    found, paths = read(script, COMPLETE, failure("606"), failure("713"), FILE)
    assert [(one.status, one.error) for one in found] == [("failed", "bad")]
    assert paths == [STATUS_PATH, *[FILE_PATH] * 3]


def test_dead_token_in_place_of_a_file_is_replaced(script: Script) -> None:
    token = ok({"access_token": "NEXT", "expires_in": 3600})
    found, paths = read(script, COMPLETE, failure("602"), token, FILE)
    assert [(one.status, one.error) for one in found] == [("failed", "bad")]
    assert [path.partition("?")[0] for path in paths] == [STATUS_PATH, FILE_PATH, "/identity/oauth/token", FILE_PATH]
    assert script.seen[-1].headers["authorization"] == "Bearer NEXT"


def test_refusal_in_place_of_a_file_is_an_error(script: Script) -> None:
    with pytest.raises(PermissionDeniedError, match="603: Not so"):
        read(script, COMPLETE, failure("603"))


def test_import_without_failures_has_no_file(script: Script) -> None:
    body = {"success": True, "result": [{"status": "Complete", "numOfLeadsProcessed": 5, "numOfRowsFailed": 0}]}
    assert read(script, ok(body)) == ([], [STATUS_PATH])


def test_missing_file_of_counted_failures_is_an_error(script: Script) -> None:
    missing = {"status": 404, "body": ""}
    with pytest.raises(VendorAPIError, match="404"):
        read(script, *[COMPLETE, missing] * 3)


def test_warnings_are_rows_that_did_not_fail(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Mock()
    monkeypatch.setattr(HOOK_OF["marketo"], "log", log)
    counts = {"numOfLeadsProcessed": 5, "numOfRowsFailed": 0, "numOfRowsWithWarning": 1}
    warnings = {"body": "email,Import Warning Reason\nnobody,Invalid email address\n"}
    found, _ = read(script, ok({"success": True, "result": [{"status": "Complete", **counts}]}), warnings)
    assert [(one.status, one.error, one.record) for one in found] == [("warning", "Invalid email address", None)]
    assert not log.warning.called, "the file of warnings has not to list all five rows"
