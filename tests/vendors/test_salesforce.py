# SPDX-License-Identifier: Apache-2.0
"""Salesforce only: the steps of a submit, the verdict on a job, sign-in, and connections of Airflow's own type."""

import json
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from vendors.fixture_loader import SAMPLE_OF, Answer
from vendors.generated import ok
from vendors.in_memory import QUICK, InMemoryTransport, play
from vendors.scripted import make_account
from vendors.submit_cases import CASE_OF
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadConnectionError,
    PermissionDeniedError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.hooks.bulk_job import hook_for
from airflow_provider_bulkjobs.http.body import MAX_BODY
from airflow_provider_bulkjobs.protocol.flow import LARGE_BODY, Request, Response, SaveProgress
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.submitting.steps import SubmitSteps
from airflow_provider_bulkjobs.vendors.salesforce_bulk.vendor import SalesforceBulk
from airflow_provider_bulkjobs.vendors.spec.operation import SubmitContext
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize
from airflow_provider_bulkjobs.waiting.tracker import JobTracker

SAMPLE = SAMPLE_OF["salesforce_bulk", "ingest"]
JOBS = "/services/data/v66.0/jobs/ingest"
ACME = "https://acme.my.salesforce.com"
LOST: Answer = {"breaks": "reset"}
UPLOADED = {"status": 201, "body": ""}
CREATE = ("POST", JOBS)


def refused(code: str, message: str = "no", status: int = 400) -> Answer:
    return {"status": status, "body": [{"errorCode": code, "message": message}]}


def info(job_id: str, state: str = "Open") -> Answer:
    return ok({"id": job_id, "state": state})


def put(job_id: str) -> tuple[str, str]:
    return "PUT", f"{JOBS}/{job_id}/batches"


def patch(job_id: str) -> tuple[str, str]:
    return "PATCH", f"{JOBS}/{job_id}"


def submit(*answers: Answer, progress: dict[str, Any] | None = None) -> tuple[Any, InMemoryTransport]:
    """Insert records as the operator does, with what an earlier try has saved; return the job id, or the error."""
    case = CASE_OF["salesforce_bulk", "ingest", "insert"]
    transport, account = play(SAMPLE.of, *answers)
    saved = {} if progress is None else progress
    run = SubmitSteps(idempotent=False, save=lambda step: saved.update(step.values)).run

    def start() -> Any:
        context = SubmitContext(account, case.payload, case.submit.options, progress=dict(saved))
        return run(case.operation.submit(context))

    outcome = transport.outcome(start, policy=QUICK)
    assert not transport.answers
    transport.sent = transport.sent[1:]
    return outcome, transport


def states(transport: InMemoryTransport) -> list[str]:
    """Return the states that were requested."""
    return [json.loads(sent.body)["state"] for sent in transport.sent if sent.method == "PATCH"]


def test_submit_is_create_upload_close() -> None:
    case = CASE_OF["salesforce_bulk", "ingest", "upsert"]
    account = make_account(SAMPLE.vendor, ACME)
    flow = case.operation.submit(SubmitContext(account, case.payload, case.submit.options))
    create: Any = next(flow)
    job = flow.send(Response(200, {}, b'{"id": "j-1"}'))
    upload = next(flow)
    uploaded = flow.send(Response(201, {}, b""))
    close: Any = next(flow)
    assert json.loads(create.body)["lineEnding"] == "CRLF"
    assert (job, uploaded) == (SaveProgress({"job_id": "j-1"}, harmless=True), SaveProgress({"uploaded": "j-1"}))
    assert isinstance(upload, Request)
    assert upload.open is not None
    with upload.open() as file:
        assert file.read() == b'CRM_Key__c,LastName,Email\r\nC-17,"a ""b""\nc",ada@example.com\r\n'
    assert (upload.method, upload.path, upload.headers, upload.once) == (
        *put("j-1"),
        {"Content-Type": "text/csv"},
        True,
    )
    assert (close.method, close.path, json.loads(close.body)) == (*patch("j-1"), {"state": "UploadComplete"})


@pytest.mark.parametrize("lost", [LOST, {"status": 503, "body": ""}, refused("REQUEST_LIMIT_EXCEEDED", status=403)])
def test_upload_that_may_have_arrived_goes_to_another_job(lost: Answer) -> None:
    outcome, transport = submit(
        *(info("j-1"), lost, info("j-1", "Aborted"), info("j-2"), UPLOADED, info("j-2", "UploadComplete"))
    )
    assert outcome == "j-2"
    assert transport.requests == [CREATE, put("j-1"), patch("j-1"), CREATE, put("j-2"), patch("j-2")]
    assert states(transport) == ["Aborted", "UploadComplete"]


@pytest.mark.parametrize(
    "abort", [info("j-0", "Aborted"), refused("INVALIDJOBSTATE"), refused("NOT_FOUND", status=404)]
)
def test_job_that_an_earlier_try_has_left_open_is_aborted(abort: Answer) -> None:
    outcome, transport = submit(
        abort, info("j-1"), UPLOADED, info("j-1", "UploadComplete"), progress={"job_id": "j-0", "uploaded": "j-00"}
    )
    assert outcome == "j-1"
    assert transport.requests == [patch("j-0"), CREATE, put("j-1"), patch("j-1")]
    assert states(transport) == ["Aborted", "UploadComplete"]


def test_job_with_its_upload_is_closed_by_the_next_try() -> None:
    outcome, transport = submit(info("j-1", "UploadComplete"), progress={"job_id": "j-1", "uploaded": "j-1"})
    assert outcome == "j-1"
    assert transport.requests == [patch("j-1")]


@pytest.mark.parametrize("state", ["UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted"])
def test_close_whose_response_was_lost_is_looked_up(state: str) -> None:
    outcome, transport = submit(
        info("j-1"), UPLOADED, LOST, refused("INVALIDJOBSTATE"), ok({"id": "j-1", "state": state})
    )
    assert outcome == "j-1"
    assert transport.requests == [CREATE, put("j-1"), patch("j-1"), patch("j-1"), ("GET", f"{JOBS}/j-1")]


def test_close_that_is_never_answered_is_resumed_with_the_same_job() -> None:
    progress: dict[str, Any] = {}
    outcome, _ = submit(info("j-1"), UPLOADED, LOST, LOST, LOST, progress=progress)
    assert type(outcome) is VendorUnavailableError
    assert submit(info("j-1", "UploadComplete"), progress=progress)[0] == "j-1"


def test_refused_close_leaves_no_open_job() -> None:
    progress: dict[str, Any] = {}
    outcome, transport = submit(
        *(info("j-1"), UPLOADED, refused("INVALIDJOB"), info("j-1"), info("j-1", "Aborted")), progress=progress
    )
    assert type(outcome) is VendorAPIError
    assert "INVALIDJOB" in str(outcome)
    assert states(transport) == ["UploadComplete", "Aborted"]
    assert not any(progress.values())


def test_job_that_could_be_neither_closed_nor_aborted_is_closed_by_the_next_try() -> None:
    progress: dict[str, Any] = {}
    no = refused("INVALIDJOB")
    outcome, _ = submit(*(info("j-1"), UPLOADED, no, info("j-1"), no), progress=progress)
    assert type(outcome) is VendorAPIError
    assert submit(info("j-1", "UploadComplete"), progress=progress)[0] == "j-1"


@pytest.mark.parametrize(
    ("processed", "failed", "unprocessed", "state", "numbers", "passes"),
    [
        (15000, 0, "", "succeeded", (15000, 15000, 0), True),
        (15000, 0, "CRM_Key__c\r\n", "succeeded", (15000, 15000, 0), True),
        (15000, 300, "", "partially_failed", (15000, 14700, 300), True),
        (15000, 900, "", "partially_failed", (15000, 14100, 900), False),
        (4, 4, "", "partially_failed", (4, 0, 4), False),
        (96, 4, "CRM_Key__c\nC-1\nC-2\n", "partially_failed", (98, 92, 6), False),
        (100, 0, "CRM_Key__c\n" + "C-1\n" * (LARGE_BODY // 4), "partially_failed", (None, 100, None), False),
        (None, None, None, "partially_failed", (None, None, None), False),
    ],
)
def test_verdict_on_a_complete_job(
    processed: Any, failed: Any, unprocessed: str | None, state: str, numbers: tuple[Any, ...], passes: bool
) -> None:
    body = {"id": "j-1", "state": "JobComplete", "numberRecordsProcessed": processed, "numberRecordsFailed": failed}
    files = [] if unprocessed is None else [ok(unprocessed)]
    transport, account = play(SAMPLE.of, ok(body), *files)
    job = transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"))
    assert (job.state, job.vendor_state) == (state, "JobComplete")
    assert (job.total, job.succeeded, job.failed) == numbers
    result = summarize(vendor="salesforce_bulk", conn_id="mine", job_kind="ingest", jobs=[job])
    assert judge(result, 0.05).passed is passes


PAGES = (
    *("upstream connect error", "\ufeff<html>", "<html>", "<html>" + "x" * LARGE_BODY, '<p style="a,"b">'),
    *('{"a": 1}', '{"message":"Session expired"}', '[{"message": "x"}]', "null", "Now, sign in\nx,y\n"),
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page[:20])
def test_a_page_is_no_list_of_unprocessed_records(page: str) -> None:
    body = {"id": "j-1", "state": "JobComplete", "numberRecordsProcessed": 3, "numberRecordsFailed": 0}
    transport, account = play(SAMPLE.of, ok(body), ok(page))
    outcome = transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"))
    assert isinstance(outcome, VendorUnavailableError)
    assert "no CSV file" in str(outcome)


@pytest.mark.parametrize(
    "header", ["\ufeffId", "Account.Key__c,LastName", '"User:Owner.Email","Name"', "a;b_1", "", '""']
)
def test_columns_of_unprocessed_records_are_names_of_fields(header: str) -> None:
    body = {"id": "j-1", "state": "JobComplete", "numberRecordsProcessed": 3, "numberRecordsFailed": 0}
    transport, account = play(SAMPLE.of, ok(body), ok(f"{header}\n"))
    assert transport.outcome(lambda: SAMPLE.kind.status(account, "j-1")).state == "succeeded"


def test_unprocessed_records_that_are_too_large_to_be_read_are_of_unknown_number() -> None:
    body = {"id": "j-1", "state": "JobComplete", "numberRecordsProcessed": 100, "numberRecordsFailed": 0}
    transport, account = play(SAMPLE.of, ok(body), ok("x" * (MAX_BODY + 1)))
    job = transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"))
    assert (job.state, job.total, job.succeeded, job.failed) == ("partially_failed", None, 100, None)


def test_exhausted_quota_pauses_the_account() -> None:
    limited = refused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)
    transport, account = play(SAMPLE.of, limited, info("j-1"))
    assert transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"), policy=QUICK).vendor_state == "Open"
    assert transport.pauses == [60.0]


def test_dead_token_is_renewed() -> None:
    token = {"access_token": "NEW", "instance_url": ACME}
    dead = refused("INVALID_SESSION_ID", "Session expired or invalid", 401)
    transport, account = play(SAMPLE.of, info("j-1"), dead, ok(token), info("j-1", "InProgress"))
    start = lambda: SAMPLE.kind.status(account, "j-1")  # noqa: E731
    assert transport.outcome(start, start).vendor_state == "InProgress"
    assert [sent.headers.get("authorization") for sent in transport.sent] == [
        *(None, "Bearer ACCESS", "Bearer ACCESS", None, "Bearer NEW")
    ]


@pytest.mark.parametrize(
    ("host", "instance", "base"),
    [
        (ACME, "https://acme.my.salesforce.com/", ACME),
        ("https://test.salesforce.com", "https://acme--uat.sandbox.my.salesforce.com", None),
        ("https://gateway.example.com/sf", ACME, "https://gateway.example.com/sf"),
        (ACME, "https://acme.my.salesforce.com.example.com", "untrusted"),
        (ACME, "http://acme.my.salesforce.com", "untrusted"),
    ],
)
def test_host_comes_with_the_token(host: str, instance: str, base: str | None) -> None:
    extra = {"auth_type": "jwt_bearer", "username": "bot", "private_key": PEM}
    account = make_account(SAMPLE.vendor, host, **extra)
    token = ok({"access_token": "A", "instance_url": instance})
    transport = InMemoryTransport(SAMPLE.vendor, account, [token, info("j-1")])
    outcome = transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"))
    if base == "untrusted":
        assert type(outcome) is UntrustedResponseError
        assert len(transport.sent) == 1
    else:
        assert outcome.vendor_state == "Open"
        assert transport._engine.base_url == (base or instance)


KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("host", "audience"),
    [
        (ACME, "https://login.salesforce.com"),
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://test.salesforce.com"),
    ],
)
def test_assertion_is_for_the_login_host_of_the_org(host: str, audience: str) -> None:
    account = make_account(SAMPLE.vendor, host, auth_type="jwt_bearer", username="etl@acme.example", private_key=PEM)
    flow = SAMPLE.vendor.token_flow(account)
    assert flow is not None
    request = next(flow)
    assert request.path == "/services/oauth2/token"
    assert request.form is not None
    assert set(request.form) == {"grant_type", "assertion"}
    claims = jwt.decode(request.form["assertion"], KEY.public_key(), algorithms=["RS256"], audience=audience)
    assert (claims["iss"], claims["sub"]) == ("api-bot", "etl@acme.example")


def test_client_credentials_are_sent_in_the_form() -> None:
    transport, account = play(SAMPLE.of, info("j-1"))
    transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"))
    form = parse_qs(transport.sent[0].body.decode())
    assert {**form, "client_secret": "-"} == {
        "grant_type": ["client_credentials"],
        "client_id": ["api-bot"],
        "client_secret": "-",
    }


@pytest.mark.parametrize("host", ["https://login.salesforce.com", "https://test.salesforce.com/"])
def test_client_credentials_need_a_my_domain(host: str) -> None:
    account = make_account(SAMPLE.vendor, host)
    transport = InMemoryTransport(SAMPLE.vendor, account)
    outcome = transport.outcome(lambda: SAMPLE.kind.status(account, "j-1"))
    assert type(outcome) is BadConnectionError
    assert "the field 'host' (My Domain) is no My Domain" in str(outcome)
    assert "In a connection of type salesforce: instance_url." in str(outcome)
    assert not transport.sent


@pytest.mark.parametrize(
    ("description", "hint"),
    [
        ("request not supported on this domain", "Enter the org's own My Domain as the host."),
        ("user hasn't approved this consumer", "Pre-authorize the user in the policies of the external client app."),
        ("authentication failure", "Check the credentials in connection 'mine'."),
    ],
)
def test_connection_test_tells_why_the_token_is_refused(description: str, hint: str) -> None:
    account = make_account(SAMPLE.vendor, ACME)
    answer = {"status": 400, "body": {"error": "invalid_grant", "error_description": description}}
    outcome = InMemoryTransport(SAMPLE.vendor, account, [answer]).outcome(lambda: SAMPLE.vendor.check(account))
    assert type(outcome) is AuthenticationError
    assert f"invalid_grant: {description}" in str(outcome)
    assert outcome.hint == hint


@pytest.mark.parametrize("answer", [refused("FeatureNotEnabled"), refused("API_DISABLED_FOR_ORG", status=403)])
def test_connection_test_reads_the_jobs_as_well(answer: Answer) -> None:
    outcome, transport = check(SAMPLE.of, ok({"DailyApiRequests": {"Max": 5, "Remaining": 1}}), answer)
    assert type(outcome) is PermissionDeniedError
    assert transport.requests[-1] == ("GET", JOBS)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (
            {"consumer_key": "key", "consumer_secret": "s3cret", "domain": "acme.my"},
            {"host": ACME, "login": "key", "password": "s3cret", "auth_type": "client_credentials"},
        ),
        (
            {"extra__salesforce__consumer_key": "key", "extra__salesforce__private_key": PEM, "domain": "test"},
            {
                "host": "https://test.salesforce.com",
                "login": "key",
                "auth_type": "jwt_bearer",
                "username": "etl@acme.example",
                "private_key": PEM,
            },
        ),
        (
            {"consumer_key": "key", "consumer_secret": "s3cret", "instance_url": f"{ACME}/", "requests_per_second": 2},
            {"host": ACME, "requests_per_second": 2},
        ),
        ({"consumer_key": "key", "private_key": PEM}, {"host": "https://login.salesforce.com"}),
    ],
)
def test_connection_of_airflows_own_type(
    extra: dict[str, Any], expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "salesforce", "login": "etl@acme.example", "password": "user's", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SF", json.dumps(connection))
    hook = hook_for("sf")
    assert type(hook.vendor) is SalesforceBulk
    found = {name: hook.account[name] for name in expected}
    assert {**found, "private_key": "-"} == {**expected, "private_key": "-"}
    assert hook.account["password"] != "user's"


def test_password_of_a_user_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"security_token": "t0ken", "domain": "test"}
    connection = {"conn_type": "salesforce", "login": "etl@acme.example", "password": "user's", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SF", json.dumps(connection))
    with pytest.raises(
        BadConnectionError, match=r"'sf': the field 'login' \(Consumer key\).*type salesforce: consumer"
    ):
        hook_for("sf")


def test_key_in_a_file_has_to_be_in_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"consumer_key": "key", "private_key_file_path": "/keys/sf.pem", "instance_url": ACME}
    connection = {"conn_type": "salesforce", "login": "etl@acme.example", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SF", json.dumps(connection))
    transport = InMemoryTransport(SAMPLE.vendor, hook_for("sf").account)
    outcome = transport.outcome(lambda: SAMPLE.kind.status(hook_for("sf").account, "j-1"))
    assert type(outcome) is BadConnectionError
    assert "the field 'private_key' (Private key) is missing" in str(outcome)


def test_open_job_is_explained_in_the_log_of_a_wait() -> None:
    wait = JobTracker(vendor=SAMPLE.vendor, kind=SAMPLE.kind, conn_id="mine", job_ids=["j-1"], started_at=0.0)
    wait.note(BulkJob("j-1", JobState.PENDING, "Open"), 0.0)
    assert "must upload its file and close it" in str(wait.status_change())
