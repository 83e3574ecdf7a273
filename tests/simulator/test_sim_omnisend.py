# SPDX-License-Identifier: Apache-2.0
"""The simulated Omnisend has the documented formats, and its lists, results, limits and credentials."""

from __future__ import annotations

import pytest
from simulator.documented_form import checked_caller

VERSION = {"Omnisend-Version": "2026-03-15"}
KEY = {"Authorization": "Omnisend-API-Key 5f92cbf1-omnisend", **VERSION}
CONTACTS = [{"identifiers": [{"type": "email", "id": address}]} for address in ("a@example.com", "nobody")]
BATCH = {"method": "POST", "endpoint": "contacts", "items": CONTACTS}
STATES = ["pending", "inProgress", "finished", "stopped"]
LIST = "/api/batches?endpoint=contacts"


@pytest.fixture
def omnisend(sim):
    return checked_caller(sim, "omnisend", headers=KEY)


@pytest.mark.parametrize(
    ("form", "status", "method", "path", "body"),
    [
        ("brand", 200, "GET", "/api/brands/current", None),
        ("batches", 200, "GET", LIST, None),
        ("batches", 200, "GET", "/api/batches?endpoint=events&status=pending&limit=250", None),
        ("started", 201, "POST", "/api/batches", BATCH),
        ("invalid", 400, "POST", "/api/batches", {}),
        ("invalid", 400, "POST", "/api/batches", BATCH | {"endpoint": "people"}),
        ("invalid", 400, "POST", "/api/batches", BATCH | {"items": []}),
        ("invalid", 400, "POST", "/api/batches", BATCH | {"items": CONTACTS[:1] * 101}),
        ("invalid", 400, "GET", "/api/batches", None),
        ("error", 404, "GET", "/api/batches/66f2cbf10cf217478ba93561", None),
        ("error", 404, "GET", "/api/batches/66f2cbf10cf217478ba93561/items", None),
        ("error", 404, "GET", "/nowhere", None),
    ],
)
def test_responses_have_the_documented_form(omnisend, form, status, method, path, body):
    omnisend(method, path, form, status, json=body)


def test_every_state_has_the_documented_form(omnisend, sim):
    job_id = sim.job("omnisend", states=STATES, items=4, failed=1)
    for state in STATES:
        assert omnisend("GET", f"/api/batches/{job_id}", "batch").json()["status"] == state
        omnisend("GET", f"/api/batches/{job_id}/items", "items")


def test_list_has_the_batches_in_a_state(omnisend, sim):
    ids = {state: [sim.job("omnisend", states=[state]) for _ in range(3)] for state in STATES}
    for state in STATES:
        first = omnisend("GET", f"{LIST}&status={state}&limit=2", "batches").json()["batches"]
        second = omnisend("GET", f"{LIST}&status={state}&limit=2&offset=2", "batches").json()["batches"]
        assert [each["batchID"] for each in first + second] == ids[state]
    assert len(omnisend("GET", LIST, "batches").json()["batches"]) == 12


def test_results_have_the_failed_items_with_the_contacts(omnisend):
    job_id = omnisend("POST", "/api/batches", "started", 201, json=BATCH).json()["batchID"]
    batch = omnisend("GET", f"/api/batches/{job_id}/items", "items").json()
    assert (batch["status"], batch["totalCount"], batch["finishedCount"], batch["errorsCount"]) == ("finished", 2, 2, 1)
    assert [(each["responseCode"], each["request"]) for each in batch["responses"]] == [(201, CONTACTS[0])]
    assert [(each["responseCode"], each["request"]) for each in batch["errors"]] == [(400, CONTACTS[1])]


def test_key_and_version_are_required(omnisend):
    omnisend("GET", LIST, "error", 401, headers=VERSION)
    omnisend("GET", LIST, "error", 401, headers={**KEY, "Authorization": "Omnisend-API-Key wrong"})
    omnisend("GET", LIST, "invalid", 400, headers={"Authorization": KEY["Authorization"]})
    omnisend("GET", LIST, "batches", headers={**KEY, "Authorization": "Bearer 5f92cbf1-omnisend"})


def test_version_may_be_retired(omnisend, sim):
    sim.fault("omnisend", "version_retired", count=1)
    omnisend("GET", LIST, "error", 410)


def test_wait_is_only_in_the_body(omnisend, sim):
    sim.settings(limits={"omnisend": {"requests": 1, "per_seconds": 10_000_000}})
    omnisend("GET", LIST)
    rejected = omnisend("GET", LIST, "rate_limit", 429)
    assert 0 < rejected.json()["retryAfter"] <= 10_000_000
    assert not [name for name in rejected.headers if "limit" in name.lower() or name.lower() == "retry-after"]
