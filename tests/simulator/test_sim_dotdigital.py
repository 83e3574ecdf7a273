# SPDX-License-Identifier: Apache-2.0
"""The simulated Dotdigital has the documented formats, and its limits, results and credentials."""

from __future__ import annotations

import pytest
from simulator.documented_form import checked_caller

USER = ("apiuser-simulated@apiconnector.com", "dotdigital-password")
IMPORTS, DELETIONS = "/contacts/v3/import", "/contacts/v3/delete"
GOOD = {"matchIdentifier": "email", "identifiers": {"email": "a@example.com"}, "dataFields": {"firstName": "Ann"}}
BAD = {"matchIdentifier": "email", "identifiers": {"email": "nobody"}}
BODY = {"contacts": [GOOD, BAD]}
IMPORT_STATES = ["NotFinished", "Finished", "RejectedByWatchdog", "Failed", "ExceedsAllowedContactLimit"]
DELETE_STATES = ["NotStarted", "NotFinished", "Finished", "Failed"]


@pytest.fixture
def dotdigital(sim):
    return checked_caller(sim, "dotdigital", auth=USER)


@pytest.fixture
def imported(dotdigital):
    def run(*contacts):
        job_id = dotdigital("PUT", IMPORTS, "started", 202, json={"contacts": contacts}).json()["importId"]
        return dotdigital("GET", f"{IMPORTS}/{job_id}", "import").json()

    return run


@pytest.mark.parametrize(
    ("form", "status", "method", "path", "body"),
    [
        ("account", 200, "GET", "/v2/account-info", None),
        ("started", 202, "PUT", IMPORTS, BODY),
        ("started", 202, "PUT", IMPORTS, BODY | {"mergeOption": "overwriteIfEmpty"}),
        ("error", 400, "PUT", IMPORTS, {}),
        ("error", 400, "PUT", IMPORTS, {"contacts": []}),
        ("error", 400, "PUT", IMPORTS, {"contacts": ["a@example.com"]}),
        ("error", 400, "PUT", IMPORTS, {"contacts": [{**GOOD, "matchIdentifier": "mobileNumber"}]}),
        ("error", 404, "GET", f"{IMPORTS}/d7de900d-d337-43f6-b1e1-c8ec73e1a434", None),
        ("deletion_started", 202, "POST", DELETIONS, [{"email": "a@example.com"}]),
        ("error", 400, "POST", DELETIONS, []),
        ("error", 400, "POST", DELETIONS, [{"contactId": 1}] * 5001),
        ("error", 404, "GET", f"{DELETIONS}/6f0f2a52-7e1f-4a83-9b37-0a6b1f7d9e11", None),
    ],
)
def test_responses_have_the_documented_form(dotdigital, form, status, method, path, body):
    dotdigital(method, path, form, status, json=body)


@pytest.mark.parametrize(
    ("kind", "path", "form", "states"),
    [("contacts", IMPORTS, "import", IMPORT_STATES), ("deletions", DELETIONS, "deletion", DELETE_STATES)],
)
def test_every_state_has_the_documented_form(dotdigital, sim, kind, path, form, states):
    job_id = sim.job("dotdigital", kind, states=states, items=2, failed=1)
    for state in states:
        assert dotdigital("GET", f"{path}/{job_id}", form).json()["status"] == state


def test_import_lists_all_contacts_at_its_end(imported):
    first = imported(GOOD, BAD)
    assert first["summary"] | {"newContacts": 1, "updatedContacts": 0, "invalidEntries": 1} == first["summary"]
    [created], [failure] = first["created"], first["failures"]
    assert created["identifiers"] == GOOD["identifiers"]
    assert (failure["identifiers"], failure["failures"][0]["failureCode"]) == (BAD["identifiers"], "invalidEmail")
    assert "contactId" not in failure
    by_id = {"matchIdentifier": "contactId", "identifiers": {"contactId": created["contactId"]}}
    assert imported(by_id)["updated"][0]["contactId"] == created["contactId"]
    by_id["identifiers"]["contactId"] += 1000
    [unknown] = imported(by_id)["failures"]
    assert (unknown["contactId"], unknown["failures"][0]["failureCode"]) == (
        by_id["identifiers"]["contactId"],
        "contactNotFound",
    )


def test_contact_for_an_unknown_list_is_imported_and_a_failure(imported):
    found = imported(GOOD | {"lists": [345579, 1]})
    [created], [failure] = found["created"], found["failures"]
    assert failure["contactId"] == created["contactId"]
    assert found["summary"]["invalidEntries"] == 0


def test_deletion_has_unknown_contacts(dotdigital, imported):
    [created] = imported(GOOD)["created"]
    body = [{"contactId": created["contactId"]}, {"email": "a@example.com"}]
    job_id = dotdigital("POST", DELETIONS, status=202, json=body).json()["deleteId"]
    found = dotdigital("GET", f"{DELETIONS}/{job_id}", "deletion").json()
    assert found["summary"] == {"requestedContacts": 2, "deletedContacts": 1, "unknownContacts": 1, "invalidEntries": 0}
    assert (found["deleted"], found["failures"][0]["identifier"]) == (body[:1], body[1])


def test_25_imports_are_active_at_most(dotdigital, sim):
    sim.settings(job_seconds=60)
    for _ in range(25):
        dotdigital("PUT", IMPORTS, status=202, json=BODY)
    rejected = dotdigital("PUT", IMPORTS, "error", 429, json=BODY)
    assert rejected.json()["errorCode"] == "contacts:tooManyActiveImports"
    assert int(rejected.headers["X-RateLimit-Remaining"]) > 0
    dotdigital("POST", DELETIONS, status=202, json=[{"email": "a@example.com"}])


def test_calls_have_a_limit_of_their_own(dotdigital, sim):
    sim.settings(limits={"dotdigital_low": {"requests": 1, "per_seconds": 10_000_000}})
    accepted = dotdigital("PUT", IMPORTS, status=202, json=BODY)
    assert accepted.headers["X-RateLimit-Scope"] == "lowCallRate"
    rejected = dotdigital("PUT", IMPORTS, status=429, json=BODY)
    assert (rejected.headers["X-RateLimit-Remaining"], len(rejected.headers["X-RateLimit-Reset"])) == ("0", 10)
    assert "tooMany" not in rejected.text
    dotdigital("GET", "/v2/account-info")


@pytest.mark.parametrize(
    ("fault", "status", "form"),
    [("flat_rate", 400, "old_error"), ("access_denied", 403, "error"), ("too_many_imports", 429, "error")],
)
def test_errors_have_the_documented_form(dotdigital, sim, fault, status, form):
    sim.fault("dotdigital", fault, count=1)
    dotdigital("PUT", IMPORTS, form, status, json=BODY)


def test_password_is_required(dotdigital):
    assert dotdigital("GET", "/v2/account-info", status=401, auth=(USER[0], "wrong")).text == ""
    dotdigital("GET", "/v2/account-info", status=401, auth=("ann@example.com", USER[1]))
