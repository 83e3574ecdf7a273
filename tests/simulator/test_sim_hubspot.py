# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from simulator.test_contract import check

IMPORTS = "/crm/v3/imports"
EMAIL = {"columnObjectTypeId": "0-1", "columnName": "Mail", "propertyName": "email"}
MARKED = EMAIL | {"columnType": "HUBSPOT_ALTERNATE_ID"}
NAME = {"columnObjectTypeId": "0-1", "columnName": "Name", "propertyName": "firstname"}
RECORD_ID = EMAIL | {"propertyName": "hs_object_id", "columnType": "HUBSPOT_OBJECT_ID"}


def form(lines, mappings=(MARKED, NAME), operation="UPSERT", **changes):
    page = {"hasHeader": True, "columnMappings": list(mappings)}
    file = {"fileName": "a.csv", "fileFormat": "CSV", "fileImportPage": page}
    request = {"name": "March", "importOperations": {"0-1": operation}, "files": [file]} | changes
    data = "\r\n".join(["Mail,Name", *lines])
    return {"importRequest": (None, json.dumps(request)), "files": ("a.csv", data, "text/csv")}


def start(hubspot, *lines, **how):
    return check("hubspot", "import", hubspot("POST", IMPORTS, files=form(lines, **how)))["id"]


def errors(hubspot, job_id, query=""):
    return check("hubspot", "errors", hubspot("GET", f"{IMPORTS}/{job_id}/errors?{query}"))["results"]


def types(hubspot, job_id):
    return {error["sourceData"]["lineNumber"]: error["errorType"] for error in errors(hubspot, job_id)}


def test_contacts_are_matched_by_address(hubspot, sim):
    job_id = start(hubspot, "a@example.com,Ann", "b@example.com,", "A@example.com,Anna")
    assert check("hubspot", "import", hubspot("GET", f"{IMPORTS}/{job_id}"))["state"] == "DONE"
    assert errors(hubspot, job_id) == []
    assert [(each["email"], each.get("firstname")) for each in sim.contacts("hubspot")] == [
        ("A@example.com", "Anna"),
        ("b@example.com", None),
    ]


def test_an_invalid_row_is_an_error_of_its_line_and_the_import_is_done(hubspot):
    job_id = start(hubspot, "a@example.com,Ann", "nobody,Bob", "c@example.com")
    assert hubspot("GET", f"{IMPORTS}/{job_id}").json()["state"] == "DONE"
    assert types(hubspot, job_id) == {3: "INVALID_EMAIL", 4: "INCORRECT_NUMBER_OF_COLUMNS"}
    [error, _] = errors(hubspot, job_id)
    assert error["sourceData"]["rowData"] == []
    assert "errorMessage" not in error
    [error, _] = errors(hubspot, job_id, "includeErrorMessage=true&includeRowData=true")
    assert error["sourceData"]["rowData"] == ["nobody", "Bob"]
    assert error["errorMessage"] == "A valid email is required."


def test_create_and_update_take_no_others(hubspot):
    start(hubspot, "a@example.com,Ann")
    lines = ["a@example.com,Ann", "new@example.com,New"]
    assert types(hubspot, start(hubspot, *lines, operation="UPDATE")) == {3: "UPDATE_ONLY_IMPORT"}
    assert types(hubspot, start(hubspot, *lines, operation="CREATE")) == {2: "CREATE_ONLY_IMPORT"}


def test_records_are_matched_by_id(hubspot, sim):
    [contact] = sim.contacts("hubspot", [{"email": "a@example.com"}])
    job_id = start(hubspot, f"{contact['id']},Ann", "999,Bob", mappings=(RECORD_ID, NAME))
    assert types(hubspot, job_id) == {3: "UPDATE_ONLY_IMPORT"}
    assert [each["firstname"] for each in sim.contacts("hubspot")] == ["Ann"]


def test_without_a_marked_column_nothing_is_matched(hubspot, sim):
    domain = {"columnObjectTypeId": "0-2", "columnName": "Mail", "propertyName": "domain"}
    name = NAME | {"columnObjectTypeId": "0-2", "propertyName": "name"}
    how = {"mappings": (domain, name), "importOperations": {"0-2": "UPSERT"}}
    for _ in range(2):
        start(hubspot, "example.com,Example", **how)
    assert len(sim.contacts("hubspot", kind="companies")) == 2
    how["mappings"] = (domain | {"columnType": "HUBSPOT_ALTERNATE_ID"}, name)
    start(hubspot, "example.com,Example", **how)
    assert len(sim.contacts("hubspot", kind="companies")) == 2


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"mappings": [EMAIL | {"columnName": ""}, NAME]}, "columnName"),
        ({"mappings": [EMAIL, NAME | {"columnObjectTypeId": "0-2"}]}, "columnObjectTypeId"),
        ({"mappings": []}, "columnObjectTypeId"),
        ({"files": []}, "files"),
        ({"files": "a.csv"}, "files"),
        ({"importOperations": {"0-1": "DELETE"}}, "importOperations"),
        ({"importOperations": ["0-1"]}, "importOperations"),
    ],
)
def test_an_invalid_request_is_rejected_and_starts_nothing(hubspot, sim, changes, named):
    body = check("hubspot", "error", hubspot("POST", IMPORTS, files=form(["a@example.com,A"], **changes)), 400)
    assert body["category"] == "VALIDATION_ERROR"
    assert f"{named} is invalid" in [error["message"] for error in body["errors"]]
    assert sim.state()["hubspot"]["jobs"] == []


@pytest.mark.parametrize("part", ["importRequest", "files"])
def test_both_parts_are_required(hubspot, part):
    parts = form(["a@example.com,A"])
    del parts[part]
    body = check("hubspot", "error", hubspot("POST", IMPORTS, files=parts), 400)
    assert body["errors"] == [{"message": f"{part} is required"}]
    assert hubspot("POST", IMPORTS, json={}).status_code == 400


def test_a_file_that_is_no_csv_fails(hubspot):
    parts = form([]) | {"files": ("a.csv", b"\xff\xfe\x00", "text/csv")}
    job_id = hubspot("POST", IMPORTS, files=parts).json()["id"]
    assert hubspot("GET", f"{IMPORTS}/{job_id}").json()["state"] == "FAILED"


def test_errors_come_in_pages(hubspot, sim):
    job_id = sim.job("hubspot", states=["DONE"], items=250, failed=201)
    found, query = [], "limit=100"
    while query:
        page = check("hubspot", "errors", hubspot("GET", f"{IMPORTS}/{job_id}/errors?{query}"))
        found.append([error["sourceData"]["lineNumber"] for error in page["results"]])
        query = page.get("paging") and f"limit=100&after={page['paging']['next']['after']}"
    assert [len(lines) for lines in found] == [100, 100, 1]
    assert [line for lines in found for line in lines] == list(range(51, 252))
    for bad in ("limit=0", "limit=101", "after=x"):
        check("hubspot", "error", hubspot("GET", f"{IMPORTS}/{job_id}/errors?{bad}"), 400)


@pytest.mark.parametrize("word", ["STARTED", "DEFERRED", "PROCESSING", "DONE", "FAILED", "CANCELED", "REVERTED"])
def test_every_state_has_the_documented_form(hubspot, sim, word):
    job_id = sim.job("hubspot", states=[word], items=3, failed=1)
    assert check("hubspot", "import", hubspot("GET", f"{IMPORTS}/{job_id}"))["state"] == word


def test_an_active_import_is_listed_and_can_be_canceled_once(hubspot, sim):
    sim.settings(job_seconds=3600)
    job_id = start(hubspot, "a@example.com,Ann", "nobody,Bob")
    listed = hubspot("GET", IMPORTS, params={"limit": 1}).json()["results"]
    assert [(job["id"], job["state"]) for job in listed] == [(job_id, "STARTED")]
    assert errors(hubspot, job_id) == []  # not before it is finished
    check("hubspot", "action", hubspot("POST", f"{IMPORTS}/{job_id}/cancel"))
    assert hubspot("GET", f"{IMPORTS}/{job_id}").json()["state"] == "CANCELED"
    assert hubspot("GET", IMPORTS).json() == {"results": []}
    refused = check("hubspot", "error", hubspot("POST", f"{IMPORTS}/{job_id}/cancel"), 400)
    assert refused["message"] == "Import is not active"


def test_an_unknown_import_is_404(hubspot):
    for method, path in [("GET", ""), ("GET", "/errors"), ("POST", "/cancel")]:
        body = check("hubspot", "error", hubspot(method, f"{IMPORTS}/7{path}"), 404)
        assert body["category"] == "OBJECT_NOT_FOUND"
    check("hubspot", "error", hubspot("GET", f"{IMPORTS}/no-number"), 400)


def test_the_token_is_required_and_tells_the_account(hubspot):
    assert hubspot("GET", "/account-info/v3/details").json()["portalId"] == 1234567
    for headers in ({}, {"Authorization": "pat-na1-hubspot"}, {"Authorization": "Bearer wrong"}):
        body = check("hubspot", "error", hubspot("GET", IMPORTS, headers=headers), 401)
        assert body["category"] == "INVALID_AUTHENTICATION"


def test_a_rejection_by_the_rate_limit_names_the_policy(hubspot, sim):
    sim.settings(limits={"hubspot": {"requests": 2, "per_seconds": 3600}})
    answers = [hubspot("GET", IMPORTS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-HubSpot-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[0].headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "3600000"
    assert check("hubspot", "error", answers[2], 429)["policyName"] == "TEN_SECONDLY_ROLLING"
    assert "Retry-After" not in answers[2].headers
