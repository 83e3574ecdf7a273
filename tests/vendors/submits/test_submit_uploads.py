# SPDX-License-Identifier: Apache-2.0
"""SendGrid only: uploads to signed URLs, and a delete of all contacts."""

import gzip
import json
from typing import Any

import pytest
from vendors.fixture_loader import (
    Answer,
)
from vendors.in_memory import play
from vendors.scripted import SECRET, Script, make_account
from vendors.submit_cases import (
    CASE_OF,
    JOB,
    OPENED,
    QUICK,
    UPLOAD,
    answer,
    contexts,
    prepared,
    response,
    run,
    send,
    sent,
    steps,
)

from airflow_provider_bulkjobs.exceptions import (
    BadArgumentError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport

IMPORT = CASE_OF["sendgrid", "contacts", "import_csv"]


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
        assert run("requests", IMPORT.vendor, account, lambda: steps(IMPORT, context)) == JOB
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
        error = run("requests", IMPORT.vendor, account, lambda: steps(IMPORT, context))
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
        flow = steps(IMPORT, context)
        next(flow)
        opened = {**OPENED, "upload_uri": "http://127.0.0.1:9/key?signed"}
        upload = flow.send(response(opened))
        transport = RequestsTransport(IMPORT.vendor, account)
        with pytest.raises(UntrustedResponseError):
            transport.send(upload, QUICK)
        transport.close()


@pytest.mark.parametrize("missing", ["upload_uri", "job_id"])
def test_response_without_upload_url_or_id_gets_no_file(script: Script, missing: str) -> None:
    opened = answer({name: value for name, value in OPENED.items() if name != missing}, 200)
    script.play([opened] * 9)
    assert type(send(IMPORT, "requests", script.url())) is VendorUnavailableError
    assert {seen.path for seen in script.seen} == {IMPORT.submit.path}


def test_delete_all_contacts_sends_no_ids() -> None:
    case = CASE_OF["sendgrid", "contacts", "delete"]
    transport, account = play(case.sample.of, answer({"job_id": JOB}))
    options = {"delete_all_contacts": True}
    with prepared(case, account, options=options) as submission:
        [context] = contexts(submission, account, options)
        assert transport.outcome(lambda: case.operation.submit(context)) == JOB
    assert transport.requests == [("DELETE", "/v3/marketing/contacts?delete_all_contacts=true")]
