# SPDX-License-Identifier: Apache-2.0
"""The simulated Salesforce has the documented formats; a job takes one upload, and runs once it is closed."""

from __future__ import annotations

import pytest
from simulator.documented_form import checked_caller

TOKEN = "/services/oauth2/token"
API = "/services/data/v66.0"
JOBS = f"{API}/jobs/ingest"
CLIENT = {"grant_type": "client_credentials", "client_id": "salesforce-key", "client_secret": "salesforce-secret"}
ASSERTION = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c"}
UPSERT = {"object": "Contact", "operation": "upsert", "externalIdFieldName": "CRM_Key__c", "lineEnding": "CRLF"}
CSV = b"CRM_Key__c,Email\r\nC-1,a@example.com\r\nC-2,nobody\r\nC-3,c@example.com\r\n"
STATES = ["Open", "UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted"]
CLOSE, ABORT = {"state": "UploadComplete"}, {"state": "Aborted"}


@pytest.fixture
def call(sim):
    checked = checked_caller(sim, "salesforce_bulk")

    def call(*arguments, headers=None, **how):
        return checked(*arguments, headers=token() if headers is None else headers, **how)

    def token():
        key = call("POST", TOKEN, "token", headers={}, data=CLIENT).json()["access_token"]
        return {"Authorization": f"Bearer {key}"}

    return call


@pytest.fixture
def start(call):
    def start(request=UPSERT, data=CSV):
        path = f"{JOBS}/{call('POST', JOBS, 'info', json=request).json()['id']}"
        call("PUT", f"{path}/batches", status=201, data=data)
        call("PATCH", path, "info", json=CLOSE)
        return path

    return start


@pytest.mark.parametrize(
    ("form", "status", "method", "path", "body"),
    [
        ("limits", 200, "GET", f"{API}/limits", None),
        ("jobs", 200, "GET", JOBS, None),
        ("info", 200, "POST", JOBS, UPSERT),
        ("errors", 400, "POST", JOBS, {"operation": "insert"}),
        ("errors", 400, "POST", JOBS, {"object": "Contact", "operation": "merge"}),
        ("errors", 400, "POST", JOBS, {"object": "Contact", "operation": "upsert"}),
        ("errors", 404, "GET", f"{JOBS}/7505e000000000AAV", None),
        ("errors", 404, "GET", "/nowhere", None),
    ],
)
def test_responses_have_the_documented_form(call, form, status, method, path, body):
    call(method, path, form, status, json=body)


def test_every_state_has_the_documented_form(call, sim):
    path = f"{JOBS}/{sim.job('salesforce_bulk', states=STATES, items=2, failed=1)}"
    for state in STATES:
        job = call("GET", path, "info").json()
        assert job["state"] == state
        counts = (2, 1) if state == "JobComplete" else (0, 0)
        assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == counts


@pytest.mark.parametrize("unprocessed", ["none", "last"])
def test_each_record_is_in_one_of_three_files(call, start, sim, unprocessed):
    sim.settings(salesforce_bulk_unprocessed=unprocessed)
    path = start()
    job = call("GET", path, "info").json()
    is_whole = unprocessed == "none"
    assert (job["state"], job["numberRecordsFailed"]) == ("JobComplete", 1)
    assert job["numberRecordsProcessed"] == 2 + is_whole
    good, bad, rest = (
        call("GET", f"{path}/{name}/").text.splitlines()
        for name in ("successfulResults", "failedResults", "unprocessedrecords")
    )
    assert good[0] == "sf__Id,sf__Created,CRM_Key__c,Email"
    assert [line.split(",", 1)[1] for line in good[1:]] == [
        *("true,C-1,a@example.com", "true,C-3,c@example.com")[: 2 if is_whole else 1]
    ]
    assert bad == ["sf__Id,sf__Error,CRM_Key__c,Email", ",INVALID_RECORD:A valid email is required.:--,C-2,nobody"]
    assert rest == ["CRM_Key__c,Email", *([] if is_whole else ["C-3,c@example.com"])]


def test_job_waits_until_it_is_closed(call, sim):
    path = f"{JOBS}/{call('POST', JOBS, json=UPSERT).json()['id']}"
    call("PATCH", path, "errors", 400, json=CLOSE)
    call("PUT", f"{path}/batches", status=201, data=CSV)
    assert call("PUT", f"{path}/batches", "errors", 400, data=CSV).json()[0]["errorCode"] == "INVALIDJOB"
    assert call("GET", path).json()["state"] == "Open"
    assert sim.contacts("salesforce_bulk") == []
    call("PATCH", path, "info", json=CLOSE)
    assert call("PATCH", path, "errors", 400, json=CLOSE).json()[0]["errorCode"] == "INVALIDJOBSTATE"
    assert len(sim.contacts("salesforce_bulk")) == 2


def test_other_line_ending_fails_the_job(call, start):
    job = call("GET", start(data=CSV.replace(b"\r\n", b"\n")), "info").json()
    assert (job["state"], job["errorMessage"]) == ("Failed", "InvalidBatch : LineEnding is invalid on user data")


def test_aborted_job_has_only_unprocessed_records(call, start, sim):
    sim.settings(job_seconds=60)
    path = start()
    assert call("PATCH", path, "info", json=ABORT).json()["state"] == "Aborted"
    assert call("GET", f"{path}/unprocessedrecords/").text.encode() == CSV
    call("PATCH", path, "errors", 400, json=ABORT)


@pytest.mark.parametrize(("operation", "is_kept"), [("update", True), ("delete", False), ("hardDelete", False)])
def test_records_are_found_by_id(call, start, sim, operation, is_kept):
    start({"object": "Contact", "operation": "insert", "lineEnding": "CRLF"}, b"Email\r\na@example.com\r\n")
    [known] = sim.contacts("salesforce_bulk")
    data = f"Id\r\n{known['id']}\r\n003\r\n".encode()
    path = start({"object": "Contact", "operation": operation, "lineEnding": "CRLF"}, data)
    assert call("GET", path, "info").json()["numberRecordsFailed"] == 1
    assert call("GET", f"{path}/successfulResults/").text.splitlines()[1:] == [f"{known['id']},false,{known['id']}"]
    assert [each["id"] for each in sim.contacts("salesforce_bulk")] == [known["id"]] * is_kept


def test_token_is_required(call, sim):
    assert call("GET", f"{API}/limits", "errors", 401, headers={}).json()[0]["errorCode"] == "INVALID_SESSION_ID"
    body = call("POST", TOKEN, "token", headers={}, data=ASSERTION).json()
    assert body["instance_url"] == sim.url_of("salesforce_bulk")
    call("POST", TOKEN, "token_error", 400, headers={}, data=CLIENT | {"client_secret": "wrong"})
    sim.revoke_tokens()
    call("GET", f"{API}/limits", "errors", 401, headers={"Authorization": f"Bearer {body['access_token']}"})


def test_limit_has_no_status_of_its_own(call, sim):
    sim.settings(limits={"salesforce_bulk": {"requests": 1, "per_seconds": 10_000_000}})
    assert call("GET", f"{API}/limits").headers["Sforce-Limit-Info"] == "api-usage=1/1"
    rejected = call("GET", f"{API}/limits", "errors", 403)
    assert rejected.json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
    assert "Retry-After" not in rejected.headers
