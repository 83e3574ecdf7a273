# SPDX-License-Identifier: Apache-2.0
"""Mailjet only: what each documented response means, the two steps of a CSV import, and the connection test."""

import json
from typing import Any

import pytest
from vendors.fixture_loader import SAMPLE_OF, Answer
from vendors.generated import ok
from vendors.in_memory import QUICK, InMemoryTransport, play
from vendors.submit_cases import CASE_OF, steps
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadArgumentError,
    PermissionDeniedError,
    UnknownOutcomeError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.spec.operation import SubmitContext
from airflow_provider_bulkjobs.waiting.gate import judge
from airflow_provider_bulkjobs.waiting.summary import summarize

JSON, CSV = SAMPLE_OF["mailjet", "contacts"], SAMPLE_OF["mailjet", "csv_import"]
IMPORT = CASE_OF["mailjet", "csv_import", "import"]
MANAGE = CASE_OF["mailjet", "contacts", "manage"]
UPLOAD, START = ("POST", "/v3/DATA/contactslist/57/CSVData/text:plain"), ("POST", "/v3/REST/csvimport")
FILE = "DATA/Batchjob/35800/JSONError/application:json/LAST"
UPLOADED: Answer = ok({"ID": 98000})
STARTED: Answer = {"status": 201, "body": {"Count": 1, "Data": [{"ID": 1040, "Status": "Upload"}], "Total": 1}}
LOST: Answer = {"breaks": "reset"}


def wrapped(**values: Any) -> dict[str, Any]:
    return {"Count": 1, "Data": [values], "Total": 1}


def job(status: str, count: Any, error: str = "", file: str = "") -> dict[str, Any]:
    times = {"JobStart": "2026-03-14T12:00:02", "JobEnd": ""}
    return wrapped(Status=status, **times, Count=count, Error=error, ErrorFile=file)


def csv(status: str, count: Any, errors: Any) -> dict[str, Any]:
    return wrapped(ID=1040, ContactsListID=57, DataID=98000, Count=count, Errcount=errors, Status=status)


@pytest.mark.parametrize(
    ("body", "state", "total", "failed", "passes", "passes_with_any"),
    [
        (job("Completed", 3000), "succeeded", 3000, None, True, True),
        (job("Completed", "3000"), "succeeded", 3000, None, True, True),
        (job("Completed", 3000, file=FILE), "partially_failed", 3000, None, False, True),
        (job("Completed", 3000, error="invalid property"), "partially_failed", 3000, None, False, True),
        (wrapped(Status="Completed", Count=3000), "partially_failed", 3000, None, False, True),
        (job("Error", 0, "invalid property", FILE), "failed", None, None, False, False),
        (job("Error", 3000), "failed", None, None, False, False),
        (job("Abort", 3000), "canceled", None, None, False, False),
        (csv("Completed", 3, 0), "succeeded", 3, 0, True, True),
        (csv("COMPLETED", "3", "0"), "succeeded", 3, 0, True, True),
        (csv("Completed", 3, 1), "partially_failed", 3, 1, False, True),
        (csv("Completed", "3", "1"), "partially_failed", 3, 1, False, True),
        (csv("Completed", 3, None), "partially_failed", 3, None, False, True),
        (csv("Completed", None, 0), "partially_failed", None, None, False, True),
        (csv("Completed", None, 1), "partially_failed", None, None, False, True),
        (job("Completed", None), "partially_failed", None, None, False, True),
        (csv("Error", 3, 0), "failed", None, None, False, False),
        (csv("Abort", 0, 0), "canceled", None, None, False, False),
        (csv("Aborted", 3, 0), "canceled", None, None, False, False),
    ],
)
def test_documented_end_has_a_verdict(
    body: Any, state: str, total: int | None, failed: int | None, passes: bool, passes_with_any: bool
) -> None:
    sample = CSV if "Errcount" in body["Data"][0] else JSON
    transport, account = play(sample.of, ok(body))
    found = transport.outcome(lambda: sample.kind.status(account, "1040"))
    result = summarize(vendor="mailjet", conn_id="mine", job_kind=sample.kind.name, jobs=[found])
    assert (result["state"], result["total"], result["failed"]) == (state, total, failed)
    assert judge(result, 0).passed is passes
    assert judge(result, None).passed is passes_with_any


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (job("Allocated", 0), "pending"),
        (job("Upload", 0), "pending"),
        (job("Prepare", 0), "running"),
        (job("Importing", 1200), "running"),
        (job("In Progress", 1200), "running"),
        (csv("Upload", 0, 0), "pending"),
        (csv("Prepare", 0, 0), "running"),
        (csv("Importing", "1200", "1"), "running"),
    ],
)
def test_contacts_processed_so_far_are_no_total(body: Any, state: str) -> None:
    sample = CSV if "Errcount" in body["Data"][0] else JSON
    transport, account = play(sample.of, ok(body))
    found = transport.outcome(lambda: sample.kind.status(account, "1040"))
    assert (found.state, found.total, found.succeeded, found.failed) == (state, None, None, None)


def import_file(*answers: Answer, progress: Any = None, options: Any = None) -> tuple[Any, InMemoryTransport]:
    transport, account = play(CSV.of, *answers)
    context = SubmitContext(account, IMPORT.payload, {"ContactsListID": 57, **(options or {})}, None, progress or {})
    return transport.outcome(lambda: steps(IMPORT, context), policy=QUICK), transport


def test_uploaded_file_is_started() -> None:
    job_id, transport = import_file(UPLOADED, STARTED)
    assert (job_id, transport.requests) == ("1040", [UPLOAD, START])
    assert json.loads(transport.sent[1].body) == {"ContactsListID": 57, "DataID": 98000, "Method": "addnoforce"}


def test_id_of_the_file_may_be_text() -> None:
    _, transport = import_file(ok({"ID": "98000"}), STARTED, options={"Method": "excludemarketing"})
    assert json.loads(transport.sent[1].body) == {"ContactsListID": 57, "DataID": 98000, "Method": "excludemarketing"}


def test_lost_upload_is_repeated() -> None:
    job_id, transport = import_file(LOST, UPLOADED, STARTED)
    assert (job_id, transport.requests) == ("1040", [UPLOAD, UPLOAD, START])


@pytest.mark.parametrize(
    "lost",
    [LOST, {"status": 502, "body": ""}, ok({}), ok({"Data": [{"JobID": 1040}]})],
    ids=["reset", "502", "{}", "id"],
)
def test_lost_start_is_not_repeated(lost: Answer) -> None:
    outcome, transport = import_file(UPLOADED, lost, STARTED)
    assert type(outcome) is UnknownOutcomeError
    assert transport.requests == [UPLOAD, START]


def test_resumed_import_uploads_nothing() -> None:
    job_id, transport = import_file(STARTED, progress={"DataID": 98000})
    assert (job_id, transport.requests) == ("1040", [START])
    assert json.loads(transport.sent[0].body)["DataID"] == 98000


def test_file_that_mailjet_does_not_have_any_more_is_uploaded_again() -> None:
    gone: Answer = {"status": 400, "body": {"ErrorMessage": "Invalid DataID", "StatusCode": 400}}
    job_id, transport = import_file(gone, ok({"ID": 98001}), STARTED, progress={"DataID": 98000})
    assert (job_id, transport.requests) == ("1040", [START, UPLOAD, START])
    assert json.loads(transport.sent[2].body)["DataID"] == 98001


@pytest.mark.parametrize("status", [401, 403])
def test_resumed_import_without_access_uploads_nothing(status: int) -> None:
    outcome, transport = import_file({"status": status, "body": {"ErrorMessage": "No"}}, progress={"DataID": 98000})
    assert isinstance(outcome, AuthenticationError | PermissionDeniedError)
    assert transport.requests == [START]


@pytest.mark.parametrize(
    "entry", [57, {}, {"Action": "unsub"}, {"ListID": "x"}, {"ListID": True}, {"ListID": 57, "Action": "add"}], ids=str
)
def test_wrong_list_is_refused_before_the_request(entry: Any) -> None:
    _, account = play(JSON.of)
    context = SubmitContext(account, MANAGE.payload, {"ContactsLists": [{"ListID": 57}, entry]})
    with pytest.raises(BadArgumentError, match="option 'ContactsLists' has an entry without a valid"):
        next(MANAGE.operation.submit(context))


def test_contacts_need_no_list() -> None:
    _, account = play(JSON.of)
    request = next(MANAGE.operation.submit(SubmitContext(account, MANAGE.payload, {})))
    assert isinstance(request, Request)
    assert json.loads(request.body or b"").keys() == {"Contacts"}


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            {"status": 401, "body": {"StatusCode": 401, "ErrorMessage": "API key authentication failure."}},
            AuthenticationError,
            "Check the credentials in connection 'mine'. If they are valid: an account in another region has another",
        ),
        (
            {"status": 403, "body": {"StatusCode": 403, "ErrorMessage": "Forbidden"}},
            PermissionDeniedError,
            "Check the permissions of the credentials in connection 'mine'",
        ),
        (ok({"Count": 1, "Data": {}}), VendorAPIError, "not the Mailjet API. Check the host of connection 'mine'"),
    ],
)
def test_connection_test_tells_what_is_wrong(answer: Answer, error: type[Exception], words: str) -> None:
    outcome, _ = check(JSON.of, answer)
    assert type(outcome) is error
    assert words in str(outcome)


def test_account_without_lists_passes_the_connection_test() -> None:
    outcome, _ = check(JSON.of, ok({"Count": 0, "Data": [], "Total": 0}))
    assert outcome == "Connected to Mailjet (vendor.example.com) with the API key that ends in '-bot'."
