# SPDX-License-Identifier: Apache-2.0
"""The simulated Constant Contact has the documented formats, and its limits, tokens and counts."""

from __future__ import annotations

import pytest
from simulator.documented_form import checked_caller

CLIENT = ("constant-contact-client", "constant-contact-secret")
GRANT = {"grant_type": "refresh_token", "refresh_token": "constant-contact-refresh"}
TOKEN = "/oauth2/default/v1/token"
LISTS = {"list_ids": ["04fe9a97-a579-43c5-bb1a-58ed29bf0a6a"]}
IMPORT = {"import_data": [{"email": "a@example.com"}, {"email": "nobody"}, {"first_name": "Ann"}], **LISTS}
PATH = "/v3/activities/contacts_json_import"
UNKNOWN = "86b90820-cc52-11ea-9dad-fa163e3d9194"
STATES = ["initialized", "processing", "completed", "cancelled", "failed", "timed_out"]


@pytest.fixture
def call(sim):
    return checked_caller(sim, "constant_contact")


@pytest.fixture
def contact(call):
    token = call("POST", TOKEN, "token", data=GRANT, auth=CLIENT).json()["access_token"]
    return lambda *arguments, **how: call(*arguments, headers={"Authorization": f"Bearer {token}"}, **how)


@pytest.mark.parametrize(
    ("form", "status", "method", "path", "body"),
    [
        ("privileges", 200, "GET", "/v3/account/user/privileges", None),
        ("summary", 200, "GET", "/v3/account/summary", None),
        ("activities", 200, "GET", "/v3/activities?limit=1", None),
        ("import", 201, "POST", PATH, IMPORT),
        ("activity", 201, "POST", "/v3/activities/contact_delete", {"contact_ids": [UNKNOWN]}),
        (
            *("activity", 201, "POST", "/v3/activities/add_list_memberships"),
            {"source": {"contact_ids": [UNKNOWN]}, **LISTS},
        ),
        (
            *("activity", 201, "POST", "/v3/activities/remove_list_memberships"),
            {"source": {"contact_ids": [UNKNOWN]}, **LISTS},
        ),
        ("errors", 400, "POST", PATH, {}),
        ("errors", 400, "POST", PATH, {"import_data": IMPORT["import_data"]}),
        ("errors", 400, "POST", PATH, IMPORT | {"list_ids": []}),
        ("errors", 400, "POST", PATH, IMPORT | {"list_ids": LISTS["list_ids"] * 51}),
        ("errors", 400, "POST", "/v3/activities/contact_delete", {"contact_ids": [UNKNOWN] * 501}),
        ("errors", 400, "POST", "/v3/activities/add_list_memberships", LISTS),
        ("errors", 404, "GET", f"/v3/activities/{UNKNOWN}", None),
        ("errors", 404, "GET", "/v3/activities/1", None),
        ("errors", 404, "GET", "/nowhere", None),
    ],
)
def test_responses_have_the_documented_form(contact, form, status, method, path, body):
    contact(method, path, form, status, json=body)


@pytest.mark.parametrize(("kind", "form"), [("contacts", "import"), ("activities", "activity")])
def test_every_state_has_the_documented_form(contact, sim, kind, form):
    job_id = sim.job("constant_contact", kind, states=STATES, items=2, failed=1)
    for state in STATES:
        assert contact("GET", f"/v3/activities/{job_id}", form).json()["state"] == state
    contact("GET", "/v3/activities", "activities")


def test_failures_are_counted_by_their_kind(contact):
    job_id = contact("POST", PATH, status=201, json=IMPORT).json()["activity_id"]
    activity = contact("GET", f"/v3/activities/{job_id}", "import").json()
    assert activity["status"] == {
        "items_total_count": 3,
        "items_completed_count": 3,
        "person_count": 3,
        "error_count": 1,
        "correctable_count": 1,
        "cannot_add_to_list_count": 0,
    }
    assert len(activity["activity_errors"]) == 2


def test_deletion_completes_what_exists(contact, sim):
    contact("POST", PATH, status=201, json=IMPORT)
    [known] = [each["id"] for each in sim.contacts("constant_contact")]
    for completed in (1, 0):
        started = contact("POST", "/v3/activities/contact_delete", status=201, json={"contact_ids": [known, UNKNOWN]})
        activity = contact("GET", f"/v3/activities/{started.json()['activity_id']}", "activity").json()
        assert activity["status"]["items_total_count"] == 2
        assert activity["status"]["items_completed_count"] == completed


@pytest.mark.parametrize(("contacts", "size", "kept"), [(40_001, 1, 40_000), (5, 1_000_000, 3), (3, 1_000_000, 3)])
def test_what_is_above_the_limits_is_dropped_without_an_error(contact, contacts, size, kept):
    data = [{"email": f"{number}@example.com", "street": "x" * size} for number in range(contacts)]
    job_id = contact("POST", PATH, status=201, json={**LISTS, "import_data": data}).json()["activity_id"]
    assert contact("GET", f"/v3/activities/{job_id}").json()["status"]["items_total_count"] == kept


def test_token_is_required(call):
    call("GET", "/v3/activities", "error", 401)
    call("GET", "/v3/activities", "error", 401, headers={"Authorization": "Bearer wrong"})
    call("POST", TOKEN, "oauth_error", 400, data=GRANT, auth=("constant-contact-client", "wrong"))
    call("POST", TOKEN, "oauth_error", 400, data=GRANT | {"refresh_token": "wrong"}, auth=CLIENT)


def test_refresh_token_may_rotate(call, sim):
    assert call("POST", TOKEN, "token", data=GRANT, auth=CLIENT).json()["refresh_token"] == GRANT["refresh_token"]
    sim.settings(constant_contact_refresh_tokens="rotating")
    assert call("POST", TOKEN, "token", data=GRANT, auth=CLIENT).json()["refresh_token"] != GRANT["refresh_token"]
    sim.fault("constant_contact", "refresh_token_replaced", count=1)
    assert call("POST", TOKEN, "oauth_error", 400, data=GRANT, auth=CLIENT).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("limit", "key"), [("constant_contact", "throttled"), ("constant_contact_daily", "quota_exceeded")]
)
def test_limits_have_their_own_errors_and_no_headers(contact, sim, limit, key):
    sim.settings(limits={limit: {"requests": 1, "per_seconds": 10_000_000}})
    contact("GET", "/v3/activities")
    rejected = contact("GET", "/v3/activities", "error", 429)
    assert rejected.json()["error_key"] == key
    assert not [name for name in rejected.headers if "limit" in name.lower() or "retry" in name.lower()]


def test_number_of_queued_activities_is_limited(contact, sim):
    sim.fault("constant_contact", "activity_queue_full", count=1)
    contact("POST", PATH, "error", 429, json=IMPORT)
    contact("POST", PATH, "import", 201, json=IMPORT)
