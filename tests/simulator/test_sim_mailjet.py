# SPDX-License-Identifier: Apache-2.0
"""The simulated Mailjet has the documented formats, and two kinds of ids, of imports and of error files."""

from __future__ import annotations

import pytest
from simulator.documented_form import check_form, checked_caller

KEYS = ("mailjet-api-key", "mailjet-secret-key")
CONTACTS = "/v3/REST/contact/managemanycontacts"
CSV_IMPORTS = "/v3/REST/csvimport"
UPLOAD = "/v3/DATA/contactslist/57/CSVData/text:plain"
PEOPLE = [{"Email": "a@example.com", "Properties": {"age": 42}}, {"Email": "nobody"}]
IMPORT = {"ContactsLists": [{"ListID": 57, "Action": "addnoforce"}], "Contacts": PEOPLE}
START = {"ContactsListID": 57, "Method": "addnoforce"}


@pytest.fixture
def mailjet(sim):
    checked = checked_caller(sim, "mailjet", auth=KEYS)

    def call(method, path, form=None, status=200, **how):
        response = checked(method, path, status=status, **how)
        if form is None:
            return response
        body = response.json()
        if form not in {"error", "uploaded"}:
            check_form("mailjet", "wrapped", body)
            [body] = body["Data"]
        check_form("mailjet", form, body)
        return body

    return call


@pytest.mark.parametrize(
    ("form", "status", "method", "path", "body"),
    [
        ("list", 200, "GET", "/v3/REST/contactslist?Limit=1", None),
        ("started", 201, "POST", CONTACTS, IMPORT),
        ("started", 201, "POST", CONTACTS, {"Contacts": PEOPLE}),
        ("error", 400, "POST", CONTACTS, {}),
        ("error", 400, "POST", CONTACTS, {"Contacts": ["a@example.com"]}),
        ("error", 400, "POST", CONTACTS, IMPORT | {"ContactsLists": [{"ListID": 999, "Action": "addnoforce"}]}),
        ("error", 400, "POST", CONTACTS, IMPORT | {"ContactsLists": [{"ListID": 57, "Action": "add"}]}),
        ("error", 404, "GET", f"{CONTACTS}/1", None),
        ("error", 404, "POST", "/v3/DATA/contactslist/999/CSVData/text:plain", None),
        ("error", 400, "POST", CSV_IMPORTS, START | {"DataID": 1}),
        ("error", 404, "GET", f"{CSV_IMPORTS}/1", None),
        ("error", 404, "GET", "/v3.1/REST/contactslist", None),
    ],
)
def test_responses_have_the_documented_form(mailjet, form, status, method, path, body):
    mailjet(method, path, form, status, json=body)


@pytest.mark.parametrize(
    ("kind", "form", "path", "states"),
    [
        ("contacts", "job", CONTACTS, ["Allocated", "Importing", "In Progress", "Completed", "Error", "Abort"]),
        ("csv_import", "csv_import", CSV_IMPORTS, ["Upload", "Prepare", "Importing", "Completed", "Error", "Aborted"]),
    ],
)
def test_every_state_has_the_documented_form(mailjet, sim, kind, form, path, states):
    job_id = sim.job("mailjet", kind, states=states, items=2, failed=1)
    for state in states:
        assert mailjet("GET", f"{path}/{job_id}", form)["Status"] == state


def test_failed_contacts_are_only_in_a_file_with_a_relative_address(mailjet):
    number = mailjet("POST", CONTACTS, "started", 201, json=IMPORT)["JobID"]
    job = mailjet("GET", f"{CONTACTS}/{number}", "job")
    assert (job["Status"], job["Count"], job["Error"]) == ("Completed", 2, "")
    assert [each["Email"] for each in mailjet("GET", f"/v3/{job['ErrorFile']}").json()] == ["nobody"]
    good = mailjet("POST", CONTACTS, "started", 201, json={"Contacts": PEOPLE[:1]})["JobID"]
    assert mailjet("GET", f"{CONTACTS}/{good}", "job")["ErrorFile"] == ""


def test_undefined_property_fails_the_job_and_not_the_request(mailjet, sim):
    people = [{"Email": "a@example.com", "Properties": {"agee": 42}}]
    number = mailjet("POST", CONTACTS, "started", 201, json={"Contacts": people})["JobID"]
    job = mailjet("GET", f"{CONTACTS}/{number}", "job")
    assert (job["Status"], job["Error"]) == ("Error", "invalid property")
    assert sim.contacts("mailjet") == []


def test_file_is_uploaded_and_then_started(mailjet, sim):
    file = "email,agee\r\na@example.com,42\r\nnobody,7\r\n"
    data_id = mailjet("POST", UPLOAD, "uploaded", data=file)["ID"]
    assert sim.state()["mailjet"]["jobs"] == []
    number = mailjet("POST", CSV_IMPORTS, "csv_import", 201, json=START | {"DataID": data_id})["ID"]
    job = mailjet("GET", f"{CSV_IMPORTS}/{number}", "csv_import")
    assert (job["Status"], job["Count"], job["Errcount"], job["DataID"]) == ("Completed", "2", "1", data_id)
    errors = mailjet("GET", f"/v3/DATA/BatchJob/{number}/CSVError/text:csv").text
    assert errors == "email,agee,error\r\nnobody,7, ###A valid email is required.###email\r\n"
    assert sim.contacts("mailjet")[0]["agee"] == "42"


def test_ids_of_the_kinds_are_unrelated(mailjet):
    number = mailjet("POST", CONTACTS, "started", 201, json=IMPORT)["JobID"]
    mailjet("GET", f"{CSV_IMPORTS}/{number}", "error", 404)


def test_keys_are_required(mailjet):
    body = mailjet("GET", "/v3/REST/contactslist", "error", 401, auth=(KEYS[0], "wrong"))
    assert "authorization failure" in body["ErrorMessage"]


def test_rejection_by_the_front_end_is_a_page(mailjet, sim):
    sim.fault("mailjet", "too_many_requests_page", count=1)
    rejected = mailjet("GET", "/v3/REST/contactslist", status=429)
    assert rejected.text.startswith("<html>")
    assert "Retry-After" not in rejected.headers
