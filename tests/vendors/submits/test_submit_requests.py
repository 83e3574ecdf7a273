# SPDX-License-Identifier: Apache-2.0
"""Every operation: its limits, options and requests."""

import json

import pytest
from vendors.fixture_loader import (
    ACCEPT,
    CREDENTIALS,
    LIMITS,
    OPERATIONS,
    Key,
)
from vendors.scripted import SECRET, Script, make_account
from vendors.submit_cases import (
    CASE_OF,
    CASES,
    ID,
    JOB,
    JOB_ID,
    KINDS,
    Case,
    answer,
    contexts,
    each_case,
    each_driven,
    each_driver,
    each_kind,
    prepared,
    run,
    send,
    sent,
)

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BulkJobError,
    JobNotFoundError,
    PermissionDeniedError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.operation import MAX_BYTES
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor


def missing_declarations() -> list[str]:
    missing = [
        f"{vendor.conn_type}: no operation at all" for vendor in VENDORS if not any(k.operations for k in vendor.kinds)
    ]
    missing += [f"{vendor.conn_type}/{kind.name}: no operations" for vendor, kind in KINDS if not kind.operations]
    return missing + [f"{vendor.conn_type}/{kind.name}: no results" for vendor, kind in KINDS if kind.results is None]


def test_every_kind_can_be_submitted_and_has_results() -> None:
    assert missing_declarations() == []


def test_every_operation_has_a_fixture() -> None:
    there_are = {case.key for case in CASES}
    assert there_are - OPERATIONS.keys() == set(), "no fixture"
    assert OPERATIONS.keys() - there_are == set(), "a fixture only"


@each_case
def test_limits_are_the_documented_ones(case: Case) -> None:
    operation, limits = case.operation, case.limits
    assert operation.max_items == limits.items if limits.items is not None else operation.max_items > 0
    # If the vendor documents no limit, a request must still fit into memory.
    assert operation.max_bytes == limits.size if limits.size is not None else operation.max_bytes <= MAX_BYTES
    assert operation.max_item_bytes == limits.item_size
    assert operation.idempotent is limits.idempotent
    assert operation.supports_append is limits.supports_append
    group = case.vendor.rate_limit_of(Request(case.submit.method, case.submit.path))
    assert (group.requests * 60 / group.seconds if group else 0) == limits.per_minute


def test_default_request_size_is_16_mib() -> None:
    assert MAX_BYTES == 16 * 1024 * 1024


@each_case
def test_options_have_help(case: Case) -> None:
    operation = case.operation
    names = [option.name for option in operation.options]
    assert len(names) == len(set(names))
    assert all(option.help.strip() and option.types for option in operation.options)
    assert set(operation.per_record_options) <= set(names)
    assert operation.replaces_records is None or operation.replaces_records in names


@each_kind
def test_operation_names_are_unique_per_kind(vendor: Vendor, kind: JobKind) -> None:
    names = [operation.name for operation in kind.operations]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names)


@pytest.mark.parametrize("prefix", ["", "/prefix"], ids=["root", "prefix"])
@each_driven
def test_submit_on_the_wire(script: Script, case: Case, transport: str, prefix: str) -> None:
    script.play(case.submit.answers)
    assert send(case, transport, script.url(prefix)) == JOB
    assert not script.answers
    seen = script.seen[0]
    assert (seen.method, seen.path) == (case.submit.method, prefix + case.submit.path)
    is_json = case.submit.content_type.endswith("json")
    assert (json.loads(seen.body) if is_json and seen.body else seen.body or None) == case.submit.body
    assert seen.headers.get("content-type") == (case.submit.content_type if seen.body else None)
    assert seen.headers["accept"] == ACCEPT[case.vendor.conn_type]
    name, value = CREDENTIALS[case.vendor.conn_type]
    assert seen.headers[name] == value
    assert {header for header, text in seen.headers.items() if SECRET in text} <= {name}
    assert {header: seen.headers.get(header) for header in case.submit.headers} == case.submit.headers
    assert SECRET not in seen.path + seen.body


@each_driver
@pytest.mark.parametrize("key", [key for key, limits in LIMITS.items() if limits.supports_append], ids="-".join)
def test_append_on_the_wire(script: Script, key: Key, transport: str) -> None:
    case = CASE_OF[key]
    script.play(ID)
    assert send(case, transport, script.url(), open_job="job/9") == JOB
    [seen] = script.seen
    assert (seen.method, seen.path) == (case.submit.method, case.submit.path)
    assert json.loads(seen.body) == {**case.submit.body, "job": {"id": "job/9"}}
    assert seen.headers["intercom-version"] == "Preview"


@each_driver
@pytest.mark.parametrize(("status", "code"), [(403, "forbidden"), (404, "job_not_found")])
@pytest.mark.parametrize("key", [key for key, limits in LIMITS.items() if limits.supports_append], ids="-".join)
def test_closed_job_is_replaced_by_new_job(script: Script, key: Key, transport: str, status: int, code: str) -> None:
    case = CASE_OF[key]
    closed = {"type": "error.list", "errors": [{"code": code, "message": "job is closed for new task updates"}]}
    script.play([answer(closed, status), *ID])
    assert send(case, transport, script.url(), open_job="job-9") == JOB
    first, second = script.seen
    assert json.loads(first.body) == {**case.submit.body, "job": {"id": "job-9"}}
    assert json.loads(second.body) == case.submit.body
    assert (second.method, second.path) == (first.method, first.path)


@each_driver
@pytest.mark.parametrize(
    ("status", "error", "open_job"),
    [
        (403, PermissionDeniedError, None),
        (404, JobNotFoundError, None),
        (401, AuthenticationError, "job-9"),
        (422, VendorAPIError, "job-9"),
    ],
)
@pytest.mark.parametrize("key", [key for key, limits in LIMITS.items() if limits.supports_append], ids="-".join)
def test_other_rejection_of_append_is_an_error(
    script: Script, key: Key, transport: str, status: int, error: type[BulkJobError], open_job: str | None
) -> None:
    script.play([answer({"errors": [{"code": "x", "message": "no"}]}, status), *ID])
    assert type(send(CASE_OF[key], transport, script.url(), open_job=open_job)) is error
    assert len(script.seen) == 1


@each_driver
def test_rejected_new_job_is_an_error(script: Script, transport: str) -> None:
    refused = answer({"errors": [{"code": "api_plan_restricted", "message": "not on your plan"}]}, 403)
    script.play([refused, refused, *ID])
    error = send(CASE_OF["intercom", "contacts", "create"], transport, script.url(), open_job="job-9")
    assert type(error) is PermissionDeniedError
    assert "not on your plan" in str(error)
    assert len(script.seen) == 2


@each_driver
def test_submit_sends_api_version(script: Script, transport: str) -> None:
    case = CASE_OF["intercom", "contacts", "create"]
    account = make_account(case.vendor, script.url(), api_version="2.17")
    script.play(ID)
    with prepared(case, account) as submission:
        [context] = contexts(submission, account, {})
        assert run(transport, case.vendor, account, lambda: case.operation.submit(context)) == JOB
    assert script.seen[0].headers["intercom-version"] == "2.17"


@each_driver
def test_misspelled_export_id_is_read(script: Script, transport: str) -> None:
    script.play([answer({"job_identfier": JOB, "status": "pending"}, 200)])
    assert send(CASE_OF["intercom", "export", "export"], transport, script.url()) == JOB


@each_driver
def test_delete_all_contacts_sends_no_ids(script: Script, transport: str) -> None:
    case = CASE_OF["sendgrid", "contacts", "delete"]
    account = make_account(case.vendor, script.url())
    options = {"delete_all_contacts": True}
    script.play(JOB_ID)
    with prepared(case, account, options=options) as submission:
        [context] = contexts(submission, account, options)
        assert run(transport, case.vendor, account, lambda: case.operation.submit(context)) == JOB
    assert sent(script) == [("DELETE", "/v3/marketing/contacts?delete_all_contacts=true")]


def test_per_record_option_does_not_override_record(script: Script) -> None:
    case = CASE_OF["acquia_campaign_studio", "contacts", "edit"]
    account = make_account(case.vendor, script.url())
    records = [{"id": 1}, {"id": 2, "overwriteWithBlank": False}]
    with prepared(case, account, records, {"overwriteWithBlank": True}) as submission:
        [context] = contexts(submission, account, {"overwriteWithBlank": True})
        body = json.loads(next(case.operation.submit(context)).body)
    assert body == [{"id": 1, "overwriteWithBlank": True}, {"id": 2, "overwriteWithBlank": False}]
