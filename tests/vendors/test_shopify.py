# SPDX-License-Identifier: Apache-2.0
"""Shopify only: the steps of a submit, errors in a 200, waiting for other operations, versions, the connection test."""

import json
from typing import Any

import pytest
from vendors.fixture_loader import SAMPLE_OF, VENDOR_SAMPLES, Answer
from vendors.generated import ok
from vendors.in_memory import QUICK, InMemoryTransport, play
from vendors.scripted import make_account
from vendors.submit_cases import CASE_OF, contexts, prepared
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadConnectionError,
    PermissionDeniedError,
    UnknownOutcomeError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.submitting.steps import SubmitSteps
from airflow_provider_bulkjobs.vendors.shopify.jobs import operation_results, read_row
from airflow_provider_bulkjobs.vendors.shopify.vendor import STARTS
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize

OF, SAMPLE = VENDOR_SAMPLES["shopify"], SAMPLE_OF["shopify", "customers"]
UPSERT, CREATE = (CASE_OF["shopify", "customers", name] for name in ("upsert", "create"))
STAGED, UPLOADED, STARTED = UPSERT.submit.answers
LOST: Answer = {"breaks": "reset"}
HOST = "https://example.myshopify.com"
SHOP = ok({"data": {"shop": {"id": "gid://shopify/Shop/7", "name": "Example", "myshopifyDomain": "e.myshopify.com"}}})


def refused(code: str, message: str = "no", operation: Any = None) -> Answer:
    error = {"code": code, "field": None, "message": message}
    return ok({"data": {"bulkOperationRunMutation": {"bulkOperation": operation, "userErrors": [error]}}})


def scopes(*handles: str) -> Answer:
    return ok({"data": {"appInstallation": {"accessScopes": [{"handle": handle} for handle in handles]}}})


def submit(case: Any, *answers: Answer) -> tuple[Any, InMemoryTransport]:
    """Submit as the operator does; return the job id, or the error."""
    transport, account = play(OF, *answers)
    context = case.context(account)
    run = SubmitSteps(idempotent=case.operation.idempotent, save=lambda _step: None).run
    outcome = transport.outcome(lambda: run(case.operation.submit(context)), policy=QUICK)
    assert not transport.answers
    return outcome, transport


def lines_of(case: Any, records: Any, options: Any) -> bytes:
    """Return the file that the operator uploads."""
    account = make_account(OF.vendor, HOST)
    with prepared(case, account, records, options) as submission:
        [context] = contexts(submission, account, options)
        return context.payload.data


def test_submit_is_stage_upload_start() -> None:
    outcome, transport = submit(UPSERT, STAGED, UPLOADED, STARTED)
    assert outcome == "j-1"
    stage, upload, start = transport.sent
    assert json.loads(stage.body)["variables"]["input"][0]["fileSize"] == str(len(UPSERT.payload.data))
    assert "x-shopify-access-token" not in upload.headers
    assert upload.headers["content-type"].startswith("multipart/form-data")
    order = [upload.body.index(f'name="{name}"'.encode()) for name in ("Content-Type", "acl", "key", "policy", "file")]
    assert order == sorted(order)
    assert UPSERT.payload.data in upload.body
    variables = json.loads(start.body)["variables"]
    assert variables["path"] == "tmp/70000000001/bulk/2f1c9c3e/records.jsonl"
    assert "customerSet(identifier: $identifier" in variables["mutation"]
    assert "userErrors { code field message }" in variables["mutation"]


@pytest.mark.parametrize(
    ("case", "options", "lines"),
    [
        (
            UPSERT,
            {},
            [
                {"identifier": {"email": "a@example.com"}, "input": {"email": "a@example.com", "phone": "+491"}},
                {"identifier": {"email": "b@example.com"}, "input": {"email": "b@example.com", "phone": "+492"}},
            ],
        ),
        (
            UPSERT,
            {"identifier": "phone"},
            [
                {"identifier": {"phone": "+491"}, "input": {"email": "a@example.com", "phone": "+491"}},
                {"identifier": {"phone": "+492"}, "input": {"email": "b@example.com", "phone": "+492"}},
            ],
        ),
        (
            CREATE,
            {},
            [
                {"input": {"email": "a@example.com", "phone": "+491"}},
                {"input": {"email": "b@example.com", "phone": "+492"}},
            ],
        ),
    ],
)
def test_each_line_has_the_variables_of_one_mutation(case: Any, options: Any, lines: list[Any]) -> None:
    records = [{"email": "a@example.com", "phone": "+491"}, {"email": "b@example.com", "phone": "+492"}]
    data = lines_of(case, records, options)
    assert [json.loads(line) for line in data.split(b"\n")] == lines
    assert [case.operation.decode(line) for line in data.split(b"\n")] == records


def test_customer_needs_its_identifier() -> None:
    needs = UPSERT.operation.check_for
    assert "'email'" in (needs({})({"phone": "+491"}) or "")
    assert "'phone'" in (needs({"identifier": "phone"})({"email": "a@example.com"}) or "")
    assert "'phone'" in (needs({})({"email": "a@example.com", "identifier": "phone"}) or "")


@pytest.mark.parametrize("lost", [LOST, {"status": 502, "body": ""}, ok({"data": {}}), ok({"data": None})])
def test_start_of_unknown_outcome_is_repeated_only_if_it_is_idempotent(lost: Answer) -> None:
    outcome, transport = submit(CREATE, STAGED, UPLOADED, lost)
    assert type(outcome) is UnknownOutcomeError
    assert len(transport.sent) == 3
    repeated = (STARTED,) if "body" not in lost or lost["body"] == "" else (STAGED, UPLOADED, STARTED)
    assert submit(UPSERT, STAGED, UPLOADED, lost, *repeated)[0] == "j-1"


@pytest.mark.parametrize("case", [UPSERT, CREATE], ids=str)
@pytest.mark.parametrize("code", ["OPERATION_IN_PROGRESS", "LIMIT_REACHED", "INTERNAL_FILE_SERVER_ERROR"])
def test_start_that_was_not_executed_is_sent_again(case: Any, code: str) -> None:
    outcome, transport = submit(case, STAGED, UPLOADED, refused(code), STARTED)
    assert outcome == "j-1"
    assert transport.pauses == [10.0 if code.startswith("INTERNAL") else 120.0]
    outcome, _ = submit(case, STAGED, UPLOADED, *[refused(code, "busy")] * QUICK.max_attempts)
    assert type(outcome) is VendorUnavailableError
    assert f"{code}: busy" in str(outcome)


def test_other_operations_delay_submits_and_not_polls() -> None:
    account = make_account(OF.vendor, HOST)
    poll = next(SAMPLE.kind.status(account, "j-1"))
    _, transport = submit(UPSERT, STAGED, UPLOADED, STARTED)
    [stage, _, start] = [Request(sent.method, sent.path, body=sent.body) for sent in transport.sent]
    assert [OF.vendor.rate_limit_of(each) for each in (poll, stage, start)] == [None, None, STARTS]


@pytest.mark.parametrize("code", ["INVALID_MUTATION", "INVALID_STAGED_UPLOAD_FILE", "NO_SUCH_FILE"])
def test_refusal_in_a_200_is_final(code: str) -> None:
    outcome, _ = submit(CREATE, STAGED, UPLOADED, refused(code, "the file"))
    assert type(outcome) is VendorAPIError
    assert f"{code}: the file" in str(outcome)


def test_missing_scope_may_be_told_at_the_upload() -> None:
    error = {"message": "Access denied", "path": ["stagedUploadsCreate"], "extensions": {"code": "ACCESS_DENIED"}}
    outcome, _ = submit(CREATE, ok({"errors": [error], "data": {"stagedUploadsCreate": None}}))
    assert type(outcome) is PermissionDeniedError


def test_operation_that_was_started_is_never_forgotten() -> None:
    outcome, _ = submit(CREATE, STAGED, UPLOADED, refused("OTHER", operation={"id": "j-1", "status": "CREATED"}))
    assert outcome == "j-1"


def test_error_while_a_start_was_executed_is_an_unknown_outcome() -> None:
    error = {"message": "Something went wrong"}
    during = ok({"errors": [error], "data": {"bulkOperationRunMutation": None}})
    assert type(submit(CREATE, STAGED, UPLOADED, during)[0]) is UnknownOutcomeError
    assert type(submit(CREATE, STAGED, UPLOADED, ok({"errors": [error]}))[0]) is VendorAPIError


def test_throttled_query_waits_for_its_cost() -> None:
    transport, account = play(OF, *OF.throttled, ok(SAMPLE.unfinished))
    job = transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"), policy=QUICK)
    assert job.vendor_state == "CREATED"
    assert transport.pauses == [pytest.approx((752 - 666) / 50)]


@pytest.mark.parametrize(("failed", "passes"), [(0, True), (1, True), (2, False)])
def test_gate_reads_the_lines(failed: int, passes: bool) -> None:
    good = {"data": {"customerSet": {"customer": {"id": "1"}, "userErrors": []}}}
    bad = {"data": {"customerSet": {"customer": None, "userErrors": [{"message": "no"}]}}}
    file = "\n".join(json.dumps(row) for row in [good] * (20 - failed) + [bad] * failed)
    transport, account = play(OF, ok(SAMPLE.body), {"status": 200, "body": file})
    job = transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"))
    assert (job.total, job.succeeded, job.failed) == (20, 20 - failed, failed)
    result = summarize(vendor="shopify", conn_id="mine", job_kind="customers", jobs=[job])
    assert judge(result, 0.05).passed is passes


@pytest.mark.parametrize("word", ["COMPLETED", "EXPIRED"])
def test_results_that_are_gone_are_not_empty(word: str) -> None:
    body = {"data": {"bulkOperation": {"id": "j-1", "status": word, "url": None, "partialDataUrl": None}}}
    transport, account = play(OF, ok(body))
    outcome = transport.outcome(lambda: operation_results(account, "j-1"))
    assert type(outcome) is VendorAPIError
    assert f"no file of results for j-1 ({word})" in str(outcome)


def test_reasons_of_a_line_are_joined() -> None:
    errors = [{"code": "INVALID", "message": "Email is invalid"}, {"code": "TAKEN", "message": "Phone is taken"}]
    row = {"data": {"customerSet": {"customer": None, "userErrors": errors}}, "__lineNumber": 7}
    assert read_row(row)[:3] == ("failed", "INVALID: Email is invalid; TAKEN: Phone is taken", row)


def test_connection_test_tells_a_missing_scope() -> None:
    outcome, _ = check(OF, SHOP, scopes("read_customers", "write_products"))
    assert type(outcome) is PermissionDeniedError
    assert "does not have the scope write_customers. Add it" in str(outcome)


@pytest.mark.parametrize("unknown", [ok({"errors": [{"message": "no"}]}), scopes()])
def test_connection_test_names_the_shop_without_the_scopes(unknown: Answer) -> None:
    outcome, _ = check(OF, SHOP, unknown)
    assert "shop 'Example' (id e.myshopify.com). The scopes of the app could not be read." in outcome


def test_connection_test_tells_a_wrong_token_from_a_wrong_shop() -> None:
    outcome, _ = check(OF, {"status": 401, "body": {"errors": "[API] Invalid API key or access token"}})
    assert type(outcome) is AuthenticationError
    assert "Invalid API key or access token" in str(outcome)
    assert "valid for one shop only" in outcome.hint
    outcome, _ = check(OF, {"status": 404, "body": {"errors": "Not Found"}})
    assert type(outcome) is VendorAPIError
    assert "There is no such shop. Check the host" in str(outcome)


def test_connection_test_tells_a_retired_version() -> None:
    outcome, _ = check(OF, {**SHOP, "headers": {"X-Shopify-API-Version": "2027-04"}})
    assert type(outcome) is BadConnectionError
    assert "the field 'api_version' (API version) is 2026-10, which Shopify has retired" in str(outcome)


@pytest.mark.parametrize("pasted", ["", "/admin", "/admin/", "/admin/api/2026-10/graphql.json"])
def test_path_of_the_admin_is_cut_off(pasted: str) -> None:
    assert OF.vendor.base_url(make_account(OF.vendor, HOST + pasted)) == HOST


def test_admin_is_no_shop() -> None:
    with pytest.raises(BadConnectionError, match="is the address of the admin"):
        OF.vendor.base_url(make_account(OF.vendor, "https://admin.shopify.com/store/example"))


@pytest.mark.parametrize("version", ["2025-10", "2026-02", "unstable", "2026-10/x", "latest"])
def test_version_is_one_that_can_look_up_operations(version: str) -> None:
    with pytest.raises(BadConnectionError, match=r"'api_version' \(API version\) is not a version of 2026-01 or later"):
        OF.vendor.base_url(make_account(OF.vendor, HOST, api_version=version))


def test_client_credentials_fetch_a_token_for_the_same_header() -> None:
    account = make_account(OF.vendor, HOST, auth_type="client_credentials")
    token = ok({"access_token": "T", "scope": "write_customers", "expires_in": 86399})
    transport = InMemoryTransport(OF.vendor, account, [token, ok(SAMPLE.unfinished)])
    assert transport.outcome(lambda: SAMPLE.kind.status(account, "j-1")).vendor_state == "CREATED"
    assert transport.requests[0] == ("POST", "/admin/oauth/access_token")
    assert b"grant_type=client_credentials" in transport.sent[0].body
    assert transport.sent[1].headers["x-shopify-access-token"] == "T"
