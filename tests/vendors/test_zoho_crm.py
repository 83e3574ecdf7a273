# SPDX-License-Identifier: Apache-2.0
"""Zoho CRM only: data centers and their hosts, uploads that fail with status 200, jobs that are created once."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest
from vendors.fixture_loader import JOB_ID, SAMPLE_OF, SUBMITS, Answer
from vendors.generated import UNAVAILABLE, ok
from vendors.in_memory import QUICK, InMemoryTransport, Sent, play
from vendors.result_rules import fetch
from vendors.scripted import LOGIN, SECRET, Script
from vendors.submit_cases import CASE_OF, Case, contexts, make_account, make_hook, prepared
from vendors.submit_rules import send, steps
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadArgumentError,
    PermissionDeniedError,
    UnknownOutcomeError,
    UntrustedResponseError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.http.addresses import request_url, token_url
from airflow_provider_bulkjobs.results.item_results import iter_item_results
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize

SAMPLE = SAMPLE_OF["zoho_crm", "bulk_write"]
VENDOR = SAMPLE.vendor
ORGANIZATION, UPLOADED, CREATED = SUBMITS["zoho_crm", "bulk_write", "upsert"].answers
NO_JOB = SAMPLE.of.content["check"]["answers"][1]
OPERATIONS = ("upsert", "insert", "update")
each_operation = pytest.mark.parametrize("operation", OPERATIONS)
UPLOAD_URL, WRITE = "https://content.zohoapis.com/crm/v8/upload", "/crm/bulk/v8/write"


def case(operation: str = "upsert", **options: Any) -> Case:
    """Return the case of an operation, with more options."""
    found = CASE_OF["zoho_crm", "bulk_write", operation]
    return replace(found, content={**found.content, "options": {**found.content["options"], **options}})


def account_in(region: str | None, host: str | None = None) -> Account:
    extra = {"refresh_token": "1000.r3fresh", **({"region": region} if region else {})}
    return read_account(VENDOR.fields, conn_id="mine", host=host, login=LOGIN, password=SECRET, extra=extra)


def error(code: str, status: int = 400, **more: Any) -> Answer:
    return {"status": status, "body": {"code": code, "details": {}, "message": "Not so", "status": "error", **more}}


def sent_file(request: Sent) -> tuple[str | None, dict[str, bytes]]:
    """Return the name of the uploaded archive, and the contents of its members."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    [part] = BytesParser(policy=HTTP).parsebytes(head + request.body).iter_parts()
    assert part.get_param("name", header="content-disposition") == "file"
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return part.get_filename(), {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("region", ["com", "eu", "in", "com.au", "com.cn", "jp", "sa"])
def test_all_hosts_are_those_of_the_data_center(region: str) -> None:
    account = account_in(region)
    token_request = next(VENDOR.token_flow(account))  # type: ignore[arg-type]
    assert token_url(VENDOR, account, token_request) == f"https://accounts.zoho.{region}/oauth/v2/token"
    assert token_request.form == {
        "grant_type": "refresh_token",
        "refresh_token": "1000.r3fresh",
        "client_id": LOGIN,
        "client_secret": SECRET,
    }
    token = {**SAMPLE.of.token[0]["body"], "api_domain": f"https://www.zohoapis.{region}"}
    transport = InMemoryTransport(VENDOR, account, [ok(token), ORGANIZATION, UPLOADED, CREATED])
    assert transport.outcome(lambda: steps(case(), case().context(account))) == JOB_ID
    base = transport._engine.base_url
    assert base == f"https://www.zohoapis.{region}"
    assert [request_url(VENDOR, account, base, each.path) for each in transport.sent[1:]] == [
        f"{base}/crm/v8/org",
        f"https://content.zohoapis.{region}/crm/v8/upload",
        f"{base}{WRITE}",
    ]


def test_data_center_is_that_of_the_united_states_by_default() -> None:
    assert VENDOR.base_url(account_in(None)) == "https://www.zohoapis.com"


@pytest.mark.parametrize(
    "url", ["https://zohoapis.com.evil.example", "http://www.zohoapis.com", "https://evilzoho.com"]
)
def test_api_address_that_is_not_zohos_never_gets_the_token(url: str) -> None:
    transport = InMemoryTransport(VENDOR, account_in("com"), [ok({**SAMPLE.of.token[0]["body"], "api_domain": url})])
    outcome = transport.outcome(lambda: SAMPLE.kind.status(account_in("com"), JOB_ID))
    assert isinstance(outcome, UntrustedResponseError)
    assert len(transport.sent) == 1


def results(script: Script, url: str) -> Any:
    body = {**SAMPLE.body, "result": {"download_url": url}}
    script.play([*SAMPLE.of.token, ok(body)])
    hook = make_hook(VENDOR, make_account(VENDOR, script.url(), **SAMPLE.of.conn))
    try:
        return list(iter_item_results(hook, SAMPLE.kind, JOB_ID, 10**6, QUICK))
    finally:
        hook.transport.close()


@pytest.mark.parametrize("url", ["https://files.example.com/v2/crm/1/x.zip", "http://download-accl.zoho.com/x.zip"])
def test_result_on_another_host_is_not_requested(script: Script, url: str) -> None:
    with pytest.raises(UntrustedResponseError, match="leads to another host"):
        results(script, url)
    assert len(script.seen) == 2


def test_missing_result_of_a_completed_job_is_an_error() -> None:
    outcome, _ = fetch(SAMPLE, *[ok({**SAMPLE.body, "result": None})] * QUICK.max_attempts)
    assert type(outcome).__name__ == UNAVAILABLE


@pytest.mark.parametrize(
    ("answers", "expected", "words"),
    [
        ([{"status": 200, "body": {"error": "invalid_code"}}], AuthenticationError, "another data center than 'com'"),
        ([{"status": 400, "body": {"error": "invalid_code"}}], AuthenticationError, "another data center than 'com'"),
        ([*SAMPLE.of.token, error("INVALID_TOKEN", 401)], AuthenticationError, "another data center than 'com'"),
        ([*SAMPLE.of.token, error("OAUTH_SCOPE_MISMATCH", 401)], PermissionDeniedError, "lacks a scope"),
        ([*SAMPLE.of.token, ORGANIZATION, error("OAUTH_SCOPE_MISMATCH", 401)], PermissionDeniedError, "lacks a scope"),
        ([*SAMPLE.of.token, error("INVALID_URL_PATTERN", 404)], VendorAPIError, "Check the data center and the host"),
        ([*SAMPLE.of.token, ok({"org": []})], VendorAPIError, "not the Zoho CRM API. Check the host"),
    ],
)
def test_connection_test_tells_what_is_wrong(answers: list[Answer], expected: type[Exception], words: str) -> None:
    transport = InMemoryTransport(VENDOR, account_in("com"), answers)
    outcome = transport.outcome(lambda: VENDOR.check(account_in("com")))
    assert type(outcome) is expected
    assert words in str(outcome)


def test_connection_test_passes_whatever_zoho_says_of_an_unknown_job() -> None:
    for answer in (NO_JOB, error("INVALID_DATA"), ok(SAMPLE.body)):
        outcome, _ = check(SAMPLE.of, ORGANIZATION, answer)
        assert outcome == "Connected to Zoho CRM (com) as organization 'Example Ltd' (id 60001234567)."


@pytest.mark.parametrize("code", ["INVALID_TOKEN", "AUTHENTICATION_FAILURE"])
@pytest.mark.parametrize("status", [200, 400, 401])
def test_expired_token_is_replaced_once(code: str, status: int) -> None:
    other = ok({**SAMPLE.of.token[0]["body"], "access_token": "NEXT"})
    transport, account = play(SAMPLE.of, ok(SAMPLE.body), error(code, status), other, ok(SAMPLE.body))
    assert transport.outcome(*[lambda: SAMPLE.kind.status(account, JOB_ID)] * 2).state == "succeeded"
    assert transport.sent[-1].headers["authorization"] == "Zoho-oauthtoken NEXT"


def job(*files: tuple[str, tuple[int, int, int, int]], word: str = "COMPLETED") -> dict[str, Any]:
    names = ("added_count", "updated_count", "skipped_count", "total_count")
    resources = [
        {"status": state, "file": {"status": state, **dict(zip(names, counts, strict=True))}} for state, counts in files
    ]
    return {"id": JOB_ID, "status": word, "resource": resources}


@pytest.mark.parametrize(
    ("body", "state", "counts", "reason"),
    [
        (job(("COMPLETED", (9, 2, 0, 11))), "succeeded", (11, 11, 0), "nothing failed"),
        (job(("COMPLETED", (9, 0, 2, 11))), "partially_failed", (11, 9, 2), "2 items failed, 0 allowed"),
        (job(("COMPLETED", (0, 0, 11, 11))), "partially_failed", (11, 0, 11), "11 items failed, 0 allowed"),
        (job(("COMPLETED", (5, 0, 2, 11))), "partially_failed", (11, 5, 6), "6 items failed, 0 allowed"),
        (job(("FAILED", (0, 0, 0, 0))), "failed", (0, 0, 0), "failed"),
        (job(("SKIPPED", (0, 0, 0, 0))), "failed", (0, 0, 0), "failed"),
        (job(("COMPLETED", (9, 0, 0, 9)), ("SKIPPED", (0, 0, 0, 0))), "partially_failed", (9, 9, None), "how many"),
        (job(("COMPLETED", (9, 0, 2, 11)), ("FAILED", (0, 0, 0, 0))), "partially_failed", (11, None, None), "how many"),
        (job(("COMPLETED", (5, 0, 0, 9)), ("FAILED", (0, 0, 0, 0))), "partially_failed", (9, None, None), "how many"),
        (job(("COMPLETED", (9, 0, 0, 9)), ("FAILED", (0, 0, 4, 4))), "partially_failed", (13, 9, 4), "4 items failed"),
        (job(), "partially_failed", (None, None, None), "does not report how many"),
        (job(("FAILED", (0, 0, 0, 0)), word="FAILED"), "failed", (0, 0, 0), "failed"),
    ],
)
def test_completed_is_a_success_only_if_all_rows_are(
    body: Any, state: str, counts: tuple[Any, ...], reason: str
) -> None:
    transport, account = play(SAMPLE.of, ok(body))
    found = transport.outcome(lambda: SAMPLE.kind.status(account, JOB_ID))
    assert (found.state, (found.total, found.succeeded, found.failed)) == (state, counts)
    verdict = judge(summarize(vendor="zoho_crm", conn_id="mine", job_kind="bulk_write", jobs=[found]))
    assert (verdict.passed, reason in verdict.reason) == (state == "succeeded", True)


def test_request_is_an_upload_and_a_job_of_it() -> None:
    mappings = [
        {"api_name": "Email", "format": "x"},
        {"api_name": "Lead_Source", "default_value": {"value": "Import"}},
    ]
    outcome, transport = send(
        case(field_mappings=mappings, callback={"url": "https://hooks.example.com", "method": "post"}),
        *(ORGANIZATION, UPLOADED, CREATED),
    )
    assert outcome == JOB_ID
    assert transport.requests == [("GET", "/crm/v8/org"), ("POST", UPLOAD_URL), ("POST", WRITE)]
    upload, create = transport.sent[1:]
    assert (upload.headers["feature"], upload.headers["x-crm-org"]) == ("bulk-write", "60001234567")
    name, files = sent_file(upload)
    assert (name, list(files)) == ("records.zip", ["records.csv"])
    rows = list(csv.reader(io.StringIO(files["records.csv"].decode(), newline="")))
    assert rows == [["Last_Name", "Email"], ["Lovelace", "ada@example.com"], ['a "b"\nc', "bob@example.com"]]
    assert json.loads(create.body) == {
        "operation": "upsert",
        "character_encoding": "UTF-8",
        "ignore_empty": True,
        "callback": {"url": "https://hooks.example.com", "method": "post"},
        "resource": [
            {
                "type": "data",
                "module": {"api_name": "Contacts"},
                "file_id": "4876876000000871001",
                "find_by": "Email",
                "field_mappings": [
                    {"api_name": "Last_Name", "index": 0},
                    {"api_name": "Email", "index": 1, "format": "x"},
                    {"api_name": "Lead_Source", "default_value": {"value": "Import"}},
                ],
            }
        ],
    }


def test_file_id_is_sent_as_text_with_all_its_digits() -> None:
    number = ok({**UPLOADED["body"], "details": {"file_id": 4876876000000871001}})
    _, transport = send(case(), ORGANIZATION, number, CREATED)
    assert json.loads(transport.sent[-1].body)["resource"][0]["file_id"] == "4876876000000871001"


def test_empty_values_clear_fields_only_if_told_so() -> None:
    _, transport = send(case(ignore_empty=False), ORGANIZATION, UPLOADED, CREATED)
    assert json.loads(transport.sent[-1].body)["ignore_empty"] is False


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"ERROR_CODE": 400, "ERROR_MESSAGE": "Bad Request", "x-error": "check if headers"}, "Bad Request: check if"),
        (error("INVALID_FILE_FORMAT")["body"], "INVALID_FILE_FORMAT: Not so"),
        ({"info": "Forbidden", "x-info": "Link not valid", "http_status": "403"}, "Forbidden: Link not valid"),
    ],
)
def test_refused_upload_has_status_200_and_creates_no_job(body: Any, words: str) -> None:
    outcome, transport = send(case(), ORGANIZATION, ok(body))
    assert type(outcome) is VendorAPIError
    assert words in str(outcome)
    assert transport.requests[-1] == ("POST", UPLOAD_URL)


@pytest.mark.parametrize("body", [{}, {**UPLOADED["body"], "code": "SUCCESS"}, {"code": "FILE_UPLOAD_SUCCESS"}])
def test_upload_counts_only_with_its_code_and_an_id(body: Any) -> None:
    outcome, transport = send(case(), *[ORGANIZATION, *[ok(body)] * 3])
    assert type(outcome).__name__ == UNAVAILABLE
    assert ("POST", WRITE) not in transport.requests


@each_operation
@pytest.mark.parametrize(
    "lost",
    [{"breaks": "reset"}, error("INTERNAL_ERROR", 500), {"status": 201, "body": {"status": "success"}}, ok("<html>")],
)
def test_job_is_never_created_again_after_a_lost_response(operation: str, lost: Answer) -> None:
    outcome, transport = send(case(operation), ORGANIZATION, UPLOADED, lost, CREATED)
    assert isinstance(outcome, UnknownOutcomeError)
    assert transport.requests.count(("POST", WRITE)) == 1


@each_operation
def test_upload_is_repeated_after_a_lost_response(operation: str) -> None:
    outcome, transport = send(case(operation), ORGANIZATION, {"breaks": "reset"}, UPLOADED, CREATED)
    assert outcome == JOB_ID
    first, second, _ = transport.sent[1:]
    assert (first.path, first.body) == (second.path, second.body)


@each_operation
def test_job_that_was_certainly_not_created_is_created_a_minute_later(operation: str) -> None:
    throttled = error("TOO_MANY_REQUESTS", 429)
    outcome, transport = send(case(operation), ORGANIZATION, UPLOADED, throttled, CREATED)
    assert (outcome, transport.pauses) == (JOB_ID, [60.0])
    assert [path for _, path in transport.requests] == ["/crm/v8/org", UPLOAD_URL, WRITE, WRITE]


def test_refused_job_names_the_key() -> None:
    details = {"api_name": "operation", "json_path": "$.operation"}
    outcome, _ = send(case(), ORGANIZATION, UPLOADED, error("MANDATORY_NOT_FOUND", details=details))
    assert type(outcome) is VendorAPIError
    assert "MANDATORY_NOT_FOUND: Not so: $.operation" in str(outcome)


def test_too_many_columns_are_an_error_before_any_request() -> None:
    account = make_account(VENDOR, "https://vendor.example.com", **SAMPLE.of.conn)
    wide = case()
    for number, is_error in ((200, False), (201, True)):
        record = {"Email": "ada@example.com", **{f"Field{index}": index for index in range(1, number)}}
        content = {**wide.content, "records": [record]}
        with prepared(replace(wide, content=content), account) as submission:
            [context] = contexts(submission, account, wide.submit.options)
            flow = wide.operation.submit(context)
            if is_error:
                with pytest.raises(BadArgumentError, match="201 columns, and Zoho CRM takes 200"):
                    next(flow)
            else:
                assert next(flow).path == "/crm/v8/org"  # type: ignore[union-attr]


def test_mapping_of_no_column_needs_a_default_value() -> None:
    account = make_account(VENDOR, "https://vendor.example.com", **SAMPLE.of.conn)
    wrong = case(field_mappings=[{"api_name": "Emial", "format": "x"}])
    with pytest.raises(BadArgumentError, match="'Emial', which is no column of the records"):
        next(wrong.operation.submit(wrong.context(account)))


@pytest.mark.parametrize("operation", ["upsert", "update"])
def test_records_need_the_field_by_which_they_are_found(operation: str) -> None:
    problem = case(operation).operation.check_for({"find_by": "Email"})
    assert problem({"Last_Name": "Lovelace"}) == "lacks field 'Email'"
    assert problem({"Email": "ada@example.com"}) is None
