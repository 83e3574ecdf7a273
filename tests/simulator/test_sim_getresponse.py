# SPDX-License-Identifier: Apache-2.0
"""The simulated GetResponse has the documented formats, and its counts, limits and credentials."""

from __future__ import annotations

import pytest
from simulator.documented_form import checked_caller

KEY = {"X-Auth-Token": "api-key getresponse-key"}
CLIENT = ("getresponse-client", "getresponse-secret")
GRANT = {"grant_type": "client_credentials"}
IMPORT = {
    "campaignId": "z5c",
    "fieldMapping": ["email", "name"],
    "contacts": [["a@example.com", "Ada"], ["nobody", ""], ["b@example.invalid", "Bob"], ["A@example.com", "Ada"]],
}
STATES = ["uploaded", "to_review", "review", "approved", "finished", "rejected", "canceled"]


@pytest.fixture
def getresponse(sim):
    return checked_caller(sim, "getresponse", headers=KEY)


@pytest.mark.parametrize(
    ("form", "status", "method", "path", "body"),
    [
        ("account", 200, "GET", "/v3/accounts?fields=accountId", None),
        ("import", 201, "POST", "/v3/imports", IMPORT),
        ("error", 400, "POST", "/v3/imports", {}),
        ("error", 400, "POST", "/v3/imports", IMPORT | {"campaignId": 5}),
        ("error", 400, "POST", "/v3/imports", IMPORT | {"fieldMapping": ["name"]}),
        ("error", 400, "POST", "/v3/imports", IMPORT | {"contacts": [{"email": "a@example.com"}]}),
        ("error", 400, "POST", "/v3/imports", IMPORT | {"contacts": [["a@example.com"]]}),
        ("error", 400, "POST", "/v3/imports", IMPORT | {"contacts": [["a@example.com", 5]]}),
        ("error", 404, "GET", "/v3/imports/zzzz", None),
        ("error", 404, "GET", "/nowhere", None),
    ],
)
def test_responses_have_the_documented_form(getresponse, form, status, method, path, body):
    getresponse(method, path, form, status, json=body)


def test_every_state_has_the_documented_form(getresponse, sim):
    job_id = sim.job("getresponse", states=STATES, items=2, failed=1)
    for state in STATES:
        assert getresponse("GET", f"/v3/imports/{job_id}", "import").json()["status"] == state


def test_import_counts_new_updated_and_invalid_contacts(getresponse):
    getresponse("POST", "/v3/imports", status=201, json=IMPORT | {"contacts": [["c@example.com", "C"]]})
    contacts = [*IMPORT["contacts"], ["c@example.com", "Carl"]]
    job_id = getresponse("POST", "/v3/imports", status=201, json=IMPORT | {"contacts": contacts}).json()["importId"]
    found = getresponse("GET", f"/v3/imports/{job_id}", "import").json()
    assert found["statistics"] == {"uploaded": 5, "invalid": 3, "updated": 1, "addedToList": 1}
    assert {name: number for name, number in found["errorStatistics"].items() if number} == {
        "syntaxErrors": 1,
        "alreadyInQueue": 1,
        "invalidDomains": 1,
    }
    assert found["campaign"]["campaignId"] == "z5c"
    assert "finishedOn" in found


def test_unfinished_import_has_loaded_no_contact(getresponse, sim):
    job_id = sim.job("getresponse", states=["to_review"], items=4, failed=1)
    found = getresponse("GET", f"/v3/imports/{job_id}", "import").json()
    assert found["statistics"] == {"uploaded": 4, "invalid": 1, "updated": 0, "addedToList": 0}
    assert "finishedOn" not in found


def test_key_or_token_is_required(getresponse):
    assert getresponse("GET", "/v3/accounts", "error", 401, headers={}).json()["code"] == 1014
    getresponse("GET", "/v3/accounts", "error", 401, headers={"X-Auth-Token": "getresponse-key"})
    token = getresponse("POST", "/v3/token", "token", headers={}, data=GRANT, auth=CLIENT).json()["access_token"]
    getresponse("GET", "/v3/accounts", "account", headers={"Authorization": f"Bearer {token}"})
    getresponse("POST", "/v3/token", status=400, headers={}, data=GRANT, auth=("getresponse-client", "wrong"))


def test_another_import_into_the_list_may_be_active(getresponse, sim):
    sim.fault("getresponse", "import_active", count=1)
    assert getresponse("POST", "/v3/imports", "error", 409, json=IMPORT).json()["code"] == 1008
    getresponse("POST", "/v3/imports", "import", 201, json=IMPORT)


def test_reset_of_the_limit_is_a_text(getresponse, sim):
    sim.settings(limits={"getresponse": {"requests": 1, "per_seconds": 10_000_000}})
    headers = getresponse("GET", "/v3/accounts").headers
    assert headers["X-RateLimit-Remaining"] == "0"
    assert headers["X-RateLimit-Reset"].endswith(" seconds")
    rejected = getresponse("GET", "/v3/accounts", "error", 429)
    assert rejected.json()["code"] == 1015
    assert rejected.json()["context"]["timeToReset"] == rejected.headers["X-RateLimit-Reset"]
    assert "Retry-After" in rejected.headers
