# SPDX-License-Identifier: Apache-2.0
"""The contract for submits and results: one suite for each operation and job kind.

A new operation needs ``fixtures/<conn_type>/<job_kind>/submit/<operation>.json``, and a job kind with results needs
``fixtures/<conn_type>/<job_kind>/results/<name>.json``. Behaviour of a single vendor has its own tests.
"""

import asyncio
import gzip
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from vendors.facts import (
    ACCEPT,
    ACCEPTED,
    CREDENTIALS,
    FACTS,
    LEAK,
    LIMITS,
    OPERATIONS,
    PATHS,
    PRIVATE,
    REFUSALS,
    REFUSED,
    RESULTS,
    SUBMITS,
    UNCHECKED,
    Answer,
    Key,
    Limits,
    Submit,
)
from vendors.scripted import LOGIN, SECRET, Script, ScriptedHandler, Seen, make_account, raw_body, serving
from vendors.test_contract import CASES as STATUS_CASES
from vendors.test_contract import Case as StatusCase

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadArgumentError,
    BulkJobError,
    JobNotFinishedError,
    JobNotFoundError,
    PermissionDeniedError,
    UnknownOutcomeError,
    UnknownStateError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS, BulkJobHook
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.protocol.flow import Response
from airflow_provider_bulkjobs.results.item_results import iter_item_results
from airflow_provider_bulkjobs.submitting.records import Row
from airflow_provider_bulkjobs.submitting.submission import Submission, _mark_not_idempotent
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult
from airflow_provider_bulkjobs.vendors.spec.operation import MAX_BYTES, Operation, SubmitContext
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor

QUICK = RetryPolicy(failures=3, initial_delay=0.001, max_delay=0.001, on_retry=lambda _: None)
JOB = "j-1"
HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}


def answer(body: Any, status: int = 202, **headers: str) -> Answer:
    return {"status": status, "body": body, "headers": headers}


UPLOAD = "/bucket/key?X-Amz-Signature=signed"
HERE = "{here}"  # the URL of the scripted server, in a response
OPENED = SUBMITS["sendgrid", "contacts", "import_csv"].answers[0]["body"]
ID = (answer({"id": JOB, "state": "running", "tasks": []}),)
JOB_ID = (answer({"job_id": JOB}),)


@dataclass(frozen=True)
class Case:
    vendor: Vendor
    kind: JobKind
    operation: Operation

    @property
    def key(self) -> Key:
        return self.vendor.conn_type, self.kind.name, self.operation.name

    @property
    def limits(self) -> Limits:
        return LIMITS[self.key]

    @property
    def submit(self) -> Submit:
        return SUBMITS[self.key]

    def __str__(self) -> str:
        return "-".join(self.key)


KINDS = [(vendor, kind) for vendor in VENDORS for kind in vendor.kinds]
CASES = [Case(vendor, kind, operation) for vendor, kind in KINDS for operation in kind.operations]
CASE_OF = {case.key: case for case in CASES}
# Files are uploaded from workers only, so only over requests.
DRIVEN = [
    (case, transport) for case in CASES for transport in ("requests", "aiohttp")[: 1 if case.operation.gzipped else 2]
]

each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_driven = pytest.mark.parametrize(
    ("case", "transport"), DRIVEN, ids=[f"{case}-{transport}" for case, transport in DRIVEN]
)
each_driver = pytest.mark.parametrize("transport", ["requests", "aiohttp"])
each_kind = pytest.mark.parametrize(
    ("vendor", "kind"), KINDS, ids=[f"{vendor.conn_type}-{kind.name}" for vendor, kind in KINDS]
)
WITH_RESULTS = [(vendor, kind) for vendor, kind in KINDS if kind.results is not None]
each_kind_with_results = pytest.mark.parametrize(
    ("vendor", "kind"), WITH_RESULTS, ids=[f"{vendor.conn_type}-{kind.name}" for vendor, kind in WITH_RESULTS]
)


class RoughHandler(ScriptedHandler):
    """Responds as scripted: also with bytes, and with interrupted connections."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="surrogateescape")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.script.seen.append(Seen(self.command, self.path, headers, body))
        scripted = self.script.answers.popleft() if self.script.answers else {"status": 418, "body": {}}
        breaks = scripted.get("breaks")
        self.close_connection = breaks is not None
        if breaks in {"closed", "reset"}:
            if breaks == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
            return
        raw = scripted["body"] if isinstance(scripted.get("body"), bytes) else raw_body(scripted)
        raw = raw.replace(HERE.encode(), self.script.url().encode())
        self.send_response(scripted["status"])
        for name, value in {"Content-Type": "application/json", **scripted.get("headers", {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw) + (10 if breaks == "half a body" else 0)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815


@pytest.fixture(scope="module")
def rough_server() -> Iterator[Script]:
    with serving(RoughHandler) as script:
        yield script


@pytest.fixture
def script(rough_server: Script) -> Script:
    rough_server.play(())
    return rough_server


def make_hook(vendor: Vendor, account: Account) -> BulkJobHook:
    hook = HOOK_OF[vendor.conn_type](account.conn_id)
    hook.account = account
    return hook


def response(body: Any) -> Response:
    return Response(200, {}, json.dumps(body).encode())


def prepared(case: Case, account: Account, records: Any = None, options: Any = None) -> Submission:
    submit = case.submit
    options = submit.options if options is None else options
    submission = Submission(make_hook(case.vendor, account), case.kind.name, case.operation, options, None)
    if submission.takes_records:
        rows = submit.records if records is None else records
        submission.prepare((Row(number, record) for number, record in enumerate(rows, 1)), None)
    return submission


def contexts(
    submission: Submission, account: Account, options: Any, open_job: str | None = None
) -> list[SubmitContext]:
    return [SubmitContext(account, batch.payload, options, open_job) for batch in submission._batches(0)]


def run(transport: str, vendor: Vendor, account: Account, *starts: Callable[[], Any]) -> Any:
    """Run flows on one transport with retries; return the result of the last one."""
    if transport == "requests":
        requests_transport = RequestsTransport(vendor, account)
        try:
            return [requests_transport.run(start, QUICK) for start in starts][-1]
        except BulkJobError as error:
            return error
        finally:
            requests_transport.close()

    async def run_flows() -> Any:
        async with shared_transport(vendor, account) as aiohttp_transport:
            try:
                return [await aiohttp_transport.run(start, QUICK) for start in starts][-1]
            except BulkJobError as error:
                return error

    return asyncio.run(run_flows())


def send(case: Case, transport: str, host: str, *first: Callable[[Account], Any], open_job: str | None = None) -> Any:
    """Send the submit of a case as the operator would; return the job's id, or the error."""
    account = make_account(case.vendor, host)
    with prepared(case, account) as submission:
        [context] = contexts(submission, account, case.submit.options, open_job)
        return run(
            transport,
            case.vendor,
            account,
            *[lambda start=start: start(account) for start in first],
            lambda: _mark_not_idempotent(case.operation.submit(context), idempotent=case.operation.idempotent),
        )


def sent(script: Script) -> list[tuple[str, str]]:
    return [(seen.method, seen.path) for seen in script.seen]


# --- operations and their limits


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
    assert operation.requests_per_minute == limits.per_minute


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


# --- requests


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


# --- uploads

IMPORT = CASE_OF["sendgrid", "contacts", "import_csv"]
# Headers that every HTTP client sends.
UNAVOIDABLE = {"host", "content-length", "accept-encoding", "user-agent", "connection", "accept"}


def test_file_is_uploaded_with_given_headers_only(script: Script) -> None:
    script.play(IMPORT.submit.answers)
    assert send(IMPORT, "requests", script.url("/prefix")) == JOB
    upload = script.seen[1]
    assert (upload.method, upload.path) == ("PUT", UPLOAD)
    assert {n: v for n, v in upload.headers.items() if n not in UNAVOIDABLE} == {
        "x-amz-server-side-encryption": "aws:kms"
    }
    assert SECRET not in str(upload)
    raw = upload.body.encode(errors="surrogateescape")
    assert int(upload.headers["content-length"]) == len(raw)
    assert gzip.decompress(raw).decode() == 'email,note\r\nada@example.com,"a ""b""\nc"\r\nbob@example.com,\r\n'


def test_columns_are_mapped_by_field_names(script: Script) -> None:
    fields = {
        "custom_fields": [{"id": "e1_T", "name": "Loyalty", "field_type": "Text"}],
        "reserved_fields": [{"id": "_rf2_T", "name": "email", "field_type": "Text"}],
    }
    script.play([answer(fields, 200), *IMPORT.submit.answers])
    account = make_account(IMPORT.vendor, script.url())
    rows = [{"email": "ada@example.com", "loyalty": "gold", "e1_T": "x"}]
    with prepared(IMPORT, account, rows, {}) as submission:
        [context] = contexts(submission, account, {})
        assert run("requests", IMPORT.vendor, account, lambda: IMPORT.operation.submit(context)) == JOB
    assert sent(script)[0] == ("GET", "/v3/marketing/field_definitions")
    assert json.loads(script.seen[1].body) == {"file_type": "csv", "field_mappings": ["_rf2_T", "e1_T", "e1_T"]}


@pytest.mark.parametrize(
    ("options", "format_identity"), [({}, "'nickname'"), ({"field_mappings": ["_rf2_T"]}, "'field_mappings' has 1")]
)
def test_unknown_columns_start_no_import(script: Script, options: dict[str, Any], format_identity: str) -> None:
    script.play([answer({"reserved_fields": [{"id": "_rf2_T", "name": "email"}]}, 200)])
    account = make_account(IMPORT.vendor, script.url())
    with prepared(IMPORT, account, [{"email": "ada@example.com", "nickname": "a"}], options) as submission:
        [context] = contexts(submission, account, options)
        error = run("requests", IMPORT.vendor, account, lambda: IMPORT.operation.submit(context))
    assert type(error) is BadArgumentError
    assert format_identity in str(error)
    assert "ada@example.com" not in str(error)
    assert all(method == "GET" for method, _ in sent(script))


@pytest.mark.parametrize("status", [400, 403, 404, 302])
def test_rejected_upload_is_a_submit_error(script: Script, status: int) -> None:
    script.play([answer(OPENED, 200), answer(f"<Error>ada@example.com {SECRET}</Error>", status)])
    error = send(IMPORT, "requests", script.url())
    assert type(error) is VendorAPIError
    assert f"{status}" in str(error)
    assert not any(word in str(error) for word in ("signed", "ada@", SECRET, "/bucket"))
    assert len(script.seen) == 2


@pytest.mark.parametrize(
    "lost", [answer("", 503), answer("", 429), answer("", 408), {"breaks": "reset"}, {"breaks": "closed"}], ids=str
)
def test_interrupted_upload_is_retried_from_start(script: Script, lost: Answer) -> None:
    script.play([answer(OPENED, 200), lost, answer("", 200)])
    assert send(IMPORT, "requests", script.url()) == JOB
    assert sent(script) == [("PUT", "/v3/marketing/contacts/imports"), ("PUT", UPLOAD), ("PUT", UPLOAD)]
    assert script.seen[1].body == script.seen[2].body


@pytest.mark.parametrize("where", ["ftp://example.com/x", "nonsense", "//example.com/x", "", "https://", "http://[x"])
def test_invalid_upload_url_gets_no_file(script: Script, where: str) -> None:
    script.play([answer({**OPENED, "upload_uri": where}, 200)])
    assert type(send(IMPORT, "requests", script.url())) is UntrustedResponseError
    assert len(script.seen) == 1


def test_upload_requires_https_unless_vendor_is_http() -> None:
    account = make_account(IMPORT.vendor, "https://vendor.example.com")
    with prepared(IMPORT, account) as submission:
        [context] = contexts(submission, account, IMPORT.submit.options)
        flow = IMPORT.operation.submit(context)
        next(flow)
        opened = {**OPENED, "upload_uri": "http://127.0.0.1:9/key?signed"}
        upload = flow.send(response(opened))
        transport = RequestsTransport(IMPORT.vendor, account)
        with pytest.raises(UntrustedResponseError):
            transport.ask(upload, QUICK)
        transport.close()


@pytest.mark.parametrize("missing", ["upload_uri", "job_id"])
def test_response_without_upload_url_or_id_gets_no_file(script: Script, missing: str) -> None:
    opened = answer({name: value for name, value in OPENED.items() if name != missing}, 200)
    script.play([opened] * 9)
    assert type(send(IMPORT, "requests", script.url())) is VendorUnavailableError
    assert {seen.path for seen in script.seen} == {IMPORT.submit.path}


# --- retries

REPEATABLE = [(case, transport) for case, transport in DRIVEN if case.limits.idempotent]
# aiohttp itself retries a PUT and a DELETE after a lost connection; submits are sent by workers, over requests.
SINGLE = [
    (case, transport)
    for case, transport in DRIVEN
    if not case.limits.idempotent and (transport == "requests" or case.submit.method == "POST")
]
LOST: dict[str, Answer] = {
    "reset": {"breaks": "reset"},
    "closed": {"breaks": "closed"},
    "half a body": {"status": 202, "body": "{", "breaks": "half a body"},
    "500": answer({}, 500),
    "502": answer("<html>Bad gateway</html>", 502),
    "503": answer("", 503),
    "504": answer("", 504),
    "408": answer({}, 408),
    "not JSON": answer("<html>Please log in</html>", 200),
    "nothing": answer("", 202),
    "a list": answer([{"id": JOB}], 202),
    "no id": answer({"status": "pending"}, 202),
}
PAUSE = {"Retry-After": "0.001"}


def ids(driven: list[tuple[Case, str]]) -> list[str]:
    return [f"{case}-{transport}" for case, transport in driven]


# Clients may handle reused connections differently.
@pytest.mark.parametrize("is_warm", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(("case", "transport"), SINGLE, ids=ids(SINGLE))
def test_lost_response_of_non_idempotent_request_is_not_retried(
    script: Script, case: Case, transport: str, lost: str, is_warm: bool
) -> None:
    before = FACTS[case.vendor.conn_type]["check"]["answers"] if is_warm else []
    script.play([*before, LOST[lost], *case.submit.answers])
    outcome = send(case, transport, script.url(), *[case.vendor.check] * is_warm)
    assert sent(script)[len(before) :] == [(case.submit.method, case.submit.path)]
    assert type(outcome) is UnknownOutcomeError, outcome


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(("case", "transport"), REPEATABLE, ids=ids(REPEATABLE))
def test_lost_response_of_idempotent_request_is_retried(script: Script, case: Case, transport: str, lost: str) -> None:
    script.play([LOST[lost], *case.submit.answers])
    assert send(case, transport, script.url()) == JOB
    first, second = script.seen[:2]
    assert not script.answers
    assert (first.method, first.path, first.body) == (second.method, second.path, second.body)


@each_driven
def test_429_is_retried(script: Script, case: Case, transport: str) -> None:
    script.play([answer({}, 429, **PAUSE), *case.submit.answers])
    assert send(case, transport, script.url()) == JOB
    assert sent(script)[:2] == [(case.submit.method, case.submit.path)] * 2


@each_driver
def test_import_limit_with_status_400_is_retried(script: Script, transport: str) -> None:
    case = CASE_OF["activecampaign", "contacts", "import"]
    reasons = ["Up to 100 imports may be requested per minute."]
    refused = {"success": 0, "message": "Rate limit exceeded.", "failureReasons": reasons}
    script.play([answer(refused, 400, **PAUSE), *case.submit.answers])
    assert send(case, transport, script.url()) == JOB
    assert len(script.seen) == 2


@each_driven
def test_refused_connection_is_retried(case: Case, transport: str) -> None:
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        outcome = send(case, transport, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert type(outcome) is VendorUnavailableError, outcome
    assert f"{QUICK.failures} times in a row" in str(outcome)


@each_driver
def test_pending_export_is_not_retried(script: Script, transport: str) -> None:
    pending = {"errors": [{"code": "too_many", "message": "You can only have 1 pending message data export job"}]}
    script.play([answer(pending, 429)])
    outcome = send(CASE_OF["intercom", "export", "export"], transport, script.url())
    assert isinstance(outcome, VendorAPIError), outcome
    assert len(script.seen) == 1


@each_driver
@pytest.mark.parametrize(
    "key", [key for key, limits in LIMITS.items() if not limits.idempotent and limits.supports_append]
)
def test_new_job_after_closed_job_is_not_created_twice(script: Script, key: Key, transport: str) -> None:
    closed = answer({"errors": [{"code": "forbidden", "message": "closed"}]}, 403)
    script.play([closed, {"breaks": "closed"}, *ID])
    assert type(send(CASE_OF[key], transport, script.url(), open_job="job-9")) is UnknownOutcomeError
    assert len(script.seen) == 2


# --- responses


def with_job_id(one: Answer, job_id: Any) -> Answer:
    """Return a response with another job id, at any depth."""

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: replaced(each) for name, each in value.items()}
        return job_id if value == JOB else value

    return {**one, "body": replaced(one["body"])}


NO_ID: tuple[Any, ...] = (None, "", False, [], {}, True, [JOB], {"id": JOB}, 1.5)


@pytest.mark.parametrize("job_id", NO_ID, ids=json.dumps)
@each_case
def test_invalid_job_id_is_rejected(script: Script, case: Case, job_id: Any) -> None:
    [*_, last] = [one for one in case.submit.answers if isinstance(one["body"], dict)]
    script.play([with_job_id(last, job_id)] * 9)
    outcome = send(case, "requests", script.url())
    assert type(outcome) is (VendorUnavailableError if case.limits.idempotent else UnknownOutcomeError), outcome


@each_driven
def test_job_id_may_be_a_number(script: Script, case: Case, transport: str) -> None:
    script.play([with_job_id(one, 20) for one in case.submit.answers])
    assert send(case, transport, script.url()) == "20"


@each_driver
@pytest.mark.parametrize("refusal", [{"success": 0}, {"Success": 0}, {"success": "0"}, {"Success": False}], ids=str)
def test_rejection_with_status_200_is_an_error(script: Script, transport: str, refusal: dict[str, Any]) -> None:
    case = CASE_OF["activecampaign", "contacts", "import"]
    script.play([answer({**refusal, "message": "JSON payload did not pass validation.", "batchId": JOB}, 200)])
    outcome = send(case, transport, script.url())
    assert type(outcome) is VendorAPIError, outcome
    assert "did not pass validation" in str(outcome)
    assert len(script.seen) == 1


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 413, 422, 500])
@each_driven
def test_error_has_redacted_vendor_message(script: Script, case: Case, transport: str, status: int) -> None:
    script.play([answer(REFUSALS[case.vendor.conn_type], status)] * 9)
    outcome = send(case, transport, script.url())
    assert isinstance(outcome, BulkJobError), outcome
    assert status == 200 or "bad row for" in str(outcome)
    for word in PRIVATE:
        assert word not in str(outcome)
        assert word not in repr(outcome)


@each_driven
def test_error_without_vendor_message_has_no_record_data(script: Script, case: Case, transport: str) -> None:
    script.play([answer(f"<html>{LEAK}</html>", 400)])
    outcome = send(case, transport, script.url())
    assert type(outcome) is VendorAPIError, outcome
    assert not any(word in str(outcome) for word in PRIVATE)


@each_case
def test_request_repr_has_no_records(case: Case) -> None:
    account = make_account(case.vendor, "https://vendor.example.com")
    with prepared(case, account) as submission:
        [context] = contexts(submission, account, case.submit.options)
        request = next(case.operation.submit(context))
        assert "ada@example.com" not in repr(request)
        assert SECRET not in repr(context)


# --- records that the vendor's documentation excludes

VALUE = "s3cret-cell"


@pytest.mark.parametrize(("key", "record", "fields"), REFUSED)
def test_rejected_record_names_field_without_value(key: Key, record: dict[str, Any], fields: list[str]) -> None:
    problem = CASE_OF[key].operation.check(record)
    assert problem
    for name in fields:
        assert f"'{name}'" in problem
    assert VALUE not in problem


def test_check_accepts_non_text_field_name() -> None:
    assert "'7'" in CASE_OF["intercom", "contacts", "update"].operation.check({"id": VALUE, 7: VALUE})


@pytest.mark.parametrize(("key", "record"), ACCEPTED)
def test_valid_record_is_accepted(key: Key, record: dict[str, Any]) -> None:
    assert CASE_OF[key].operation.check(record) is None


def test_every_check_is_tested() -> None:
    refused = {key for key, _, _ in REFUSED}
    wanted = {case.key for case in CASES if case.operation.max_items} - UNCHECKED
    missing = ["/".join((*key[:2], "submit", f"{key[2]}.json")) for key in wanted - refused]
    assert not missing, f"neither 'refused' records nor 'unchecked' in {', '.join(sorted(missing))}"
    assert refused == wanted, "rejected, but marked as unchecked"


# --- results


def exported(status: str, *urls: str) -> Answer:
    return answer({"id": JOB, "status": status, "urls": [f"{HERE}{url}" for url in urls]}, 200)


ERRORS_CSV = b'email,error\n"ada@example.com","bad\nrow"\n\nbob@example.com,\n'
FAILED = {"code": 400, "message": "email: A valid email is required.", "details": {}, "type": None}
DETAILS = [{"id": 1, "statusCode": 201}, {"id": 2, "statusCode": 200}, {"id": 3, "statusCode": 400, "errors": FAILED}]
OVER = answer({"status": "completed"}, 200)
KIND_OF = {(vendor.conn_type, kind.name): (vendor, kind) for vendor, kind in KINDS}
FETCHES = [(key, name) for key, fetches in RESULTS.items() for name in fetches]
EVERY_BYTE = 10**9


def fetch(script: Script, key: tuple[str, str], prefix: str = "", max_bytes: int = EVERY_BYTE) -> list[ItemResult]:
    vendor, kind = KIND_OF[key]
    hook = make_hook(vendor, make_account(vendor, script.url(prefix)))
    try:
        return list(iter_item_results(hook, kind, JOB, max_bytes, QUICK))
    finally:
        hook.transport.close()


def test_kinds_with_results_have_fixtures() -> None:
    wanted = {key for key, (_, kind) in KIND_OF.items() if kind.results is not None}
    missing = ["/".join((*key, "results")) for key in wanted - RESULTS.keys()]
    assert not missing, f"no fixture in {', '.join(sorted(missing))}"
    assert wanted == RESULTS.keys(), "results of a kind that has none"


@pytest.mark.parametrize("prefix", ["", "/prefix"], ids=["root", "prefix"])
@pytest.mark.parametrize(("key", "name"), FETCHES, ids=[f"{'-'.join(key)}-{name}" for key, name in FETCHES])
def test_item_results(script: Script, key: tuple[str, str], name: str, prefix: str) -> None:
    expected = RESULTS[key][name]
    script.play(expected.answers)
    assert fetch(script, key, prefix) == expected.outcomes
    assert not script.answers
    own = [f"{prefix}{path}" for path in (PATHS[key].format(JOB), *expected.asked)]
    assert sent(script) == [("GET", path) for path in (*own, *expected.files)]
    header, value = CREDENTIALS[key[0]]
    for seen in script.seen[: len(own)]:
        assert seen.headers[header] == value
    for seen in script.seen[len(own) :]:
        assert SECRET not in str(seen)
        assert header not in seen.headers


def test_export_is_requested_as_octet_stream(script: Script) -> None:
    key = ("intercom", "export")
    script.play(RESULTS[key]["a_file"].answers)
    fetch(script, key)
    assert script.seen[1].headers["accept"] == "application/octet-stream"
    assert script.seen[1].headers["intercom-version"] == "2.15"


def each_status_case(test: Callable[[StatusCase], bool]) -> Any:
    """Parametrize over the status fixtures of job kinds that have results."""
    cases = [case for case in STATUS_CASES if case.kind.results is not None and not case.conn and test(case)]
    return pytest.mark.parametrize(
        "case", cases, ids=[f"{case.vendor.conn_type}-{case.kind.name}-{case.name}" for case in cases]
    )


@each_status_case(lambda case: case.state is not None and not case.state.is_finished)
def test_unfinished_job_has_no_results(script: Script, case: StatusCase) -> None:
    script.play(case.answers)
    with pytest.raises(JobNotFinishedError, match="BulkJobSensor"):
        fetch(script, (case.vendor.conn_type, case.kind.name))
    assert len(script.seen) == 1


@each_status_case(lambda case: case.content.get("error") == "UnknownStateError")
def test_unknown_state_has_no_results(script: Script, case: StatusCase) -> None:
    script.play(case.answers)
    with pytest.raises(UnknownStateError):
        fetch(script, (case.vendor.conn_type, case.kind.name))


@pytest.mark.parametrize("body", [{}, [], "<html>"], ids=["an empty object", "a list", "no JSON"])
@each_kind_with_results
def test_malformed_body_has_no_results(script: Script, vendor: Vendor, kind: JobKind, body: Any) -> None:
    script.play([answer(body, 200)])
    with pytest.raises(VendorUnavailableError):
        fetch(script, (vendor.conn_type, kind.name))


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationError), (404, JobNotFoundError), (400, VendorAPIError)]
)
@each_kind_with_results
def test_rejected_results_request_is_redacted(
    script: Script, vendor: Vendor, kind: JobKind, status: int, error: type[BulkJobError]
) -> None:
    script.play([answer(REFUSALS[vendor.conn_type], status)])
    with pytest.raises(error, match="bad row for") as caught:
        fetch(script, (vendor.conn_type, kind.name))
    assert not any(word in str(caught.value) for word in PRIVATE)


ACQUIA = ("acquia_campaign_studio", "contacts")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example.com/api/contacts/job/j-1?details=1&page=2",
        "//elsewhere.example.com/api/contacts/job/j-1?details=1&page=2",
        f"https://{LOGIN}:x@127.0.0.1/api/contacts/job/j-1",
    ],
)
def test_next_page_on_other_host_is_rejected(script: Script, elsewhere: str) -> None:
    details = {"contacts": DETAILS, "next-page": elsewhere}
    script.play([OVER, answer({"status": "completed", "details": details}, 200)])
    with pytest.raises(UntrustedResponseError) as caught:
        fetch(script, ACQUIA)
    assert len(script.seen) == 2
    assert "elsewhere.example.com" not in str(caught.value)


@pytest.mark.parametrize("details", [None, "nonsense", {}, {"contacts": "nonsense"}, {"contacts": {"1": DETAILS[2]}}])
def test_missing_details_are_not_treated_as_no_failures(script: Script, details: Any) -> None:
    script.play([OVER, answer({"status": "completed", "details": details}, 200)])
    with pytest.raises(VendorUnavailableError):
        fetch(script, ACQUIA)


@pytest.mark.parametrize("status", [403, 404, 410, 302])
@pytest.mark.parametrize(
    ("key", "name"), [(("sendgrid", "contacts"), "a_file"), (("sendgrid", "export"), "files")], ids=["errors", "export"]
)
def test_rejected_download_is_an_error(script: Script, key: tuple[str, str], name: str, status: int) -> None:
    refused = answer(LEAK, status, Location="https://elsewhere.example.com")
    script.play([RESULTS[key][name].answers[0], refused] * 3)
    with pytest.raises(VendorAPIError, match=str(status)) as caught:
        fetch(script, key)
    assert not any(word in str(caught.value) for word in (*PRIVATE, "sig="))


@pytest.mark.parametrize("url", ["ftp://example.com/x", "nonsense", "//example.com/x", "https://"])
@pytest.mark.parametrize("key", [("sendgrid", "contacts"), ("sendgrid", "export")], ids="-".join)
def test_invalid_download_url_is_an_error(script: Script, key: tuple[str, str], url: str) -> None:
    body = {"status": "errored" if key[1] == "contacts" else "ready", "results": {"errors_url": url}, "urls": [url]}
    script.play([answer(body, 200)])
    with pytest.raises(UntrustedResponseError):
        fetch(script, key)


@pytest.mark.parametrize("file", [ERRORS_CSV * 99, gzip.compress(ERRORS_CSV * 99)], ids=["plain", "gzipped"])
def test_too_large_file_is_not_read(script: Script, file: bytes) -> None:
    script.play([RESULTS["sendgrid", "contacts"]["a_file"].answers[0], answer(file, 200)])
    with pytest.raises(UntrustedResponseError, match="max_bytes"):
        fetch(script, ("sendgrid", "contacts"), max_bytes=len(ERRORS_CSV) * 99 - 1)


@pytest.mark.parametrize("file", [ERRORS_CSV * 99, gzip.compress(ERRORS_CSV * 99)], ids=["plain", "gzipped"])
def test_file_at_size_limit_is_read(script: Script, file: bytes) -> None:
    script.play([RESULTS["sendgrid", "contacts"]["a_file"].answers[0], answer(file, 200)])
    assert len(fetch(script, ("sendgrid", "contacts"), max_bytes=len(ERRORS_CSV) * 99)) == 99 * 3 - 1


BROKEN = {
    "cut off": {"status": 200, "body": ERRORS_CSV, "breaks": "half a body"},
    "half a gzip": answer(gzip.compress(os.urandom(9999))[:999], 200),
    "a broken gzip": answer(gzip.compress(ERRORS_CSV)[:10] + b"\xff" * 99, 200),
}


@pytest.mark.parametrize("how", BROKEN)
def test_truncated_file_is_an_error(script: Script, how: str) -> None:
    script.play([RESULTS["sendgrid", "contacts"]["a_file"].answers[0], BROKEN[how]])
    with pytest.raises(BulkJobError, match=r"127\.0\.0\.1"):
        fetch(script, ("sendgrid", "contacts"))


@pytest.mark.parametrize("line", ["[1]", "7", "{", "null"])
def test_file_of_non_objects_is_an_error(script: Script, line: str) -> None:
    script.play([exported("ready", "/part-0.json?sig=a"), answer(f'{{"id": "1"}}\n{line}\n', 200)])
    with pytest.raises(VendorAPIError, match="JSON objects"):
        fetch(script, ("sendgrid", "export"))
