# SPDX-License-Identifier: Apache-2.0
"""The simulated Zendesk has the documented formats, and its limits, results and credentials."""

from __future__ import annotations

import pytest
from simulator.documented_form import checked_caller

TOKEN = ("ann@example.com/token", "zendesk-token")
CLIENT = {"grant_type": "client_credentials", "client_id": "zendesk-client", "client_secret": "zendesk-secret"}
JOBS, USERS = "/api/v2/job_statuses", "/api/v2/users"
ADA, NOBODY = {"name": "Ada", "email": "a@example.com", "external_id": "C-1"}, {"name": "N", "email": "nobody"}
STATES = ["queued", "working", "completed", "failed", "killed"]
MEMBERSHIP = {"user_id": 1, "organization_id": 2}


@pytest.fixture
def zendesk(sim):
    return checked_caller(sim, "zendesk_bulk", auth=TOKEN)


@pytest.fixture
def results(zendesk):
    """Start a job, and return the results of its items."""

    def start(method, path, records=None):
        job = zendesk(method, f"/api/v2/{path}", "status", json=records).json()["job_status"]
        assert job["status"] == "queued"
        return zendesk("GET", f"{JOBS}/{job['id']}.json", "status").json()["job_status"]["results"]

    return start


@pytest.mark.parametrize(
    ("form", "status", "method", "path", "body"),
    [
        ("list", 200, "GET", f"{JOBS}.json?page[size]=1", None),
        ("several", 200, "GET", f"{JOBS}/show_many.json?ids=a,b", None),
        ("user", 200, "GET", f"{USERS}/me.json", None),
        ("status", 200, "POST", f"{USERS}/create_many", {"users": [ADA]}),
        ("error", 400, "POST", f"{USERS}/create_many", {"user": [ADA]}),
        ("error", 400, "POST", f"{USERS}/create_or_update_many", {"users": ["a@example.com"]}),
        ("error", 400, "PUT", f"{USERS}/update_many", {"users": [{"id": 1}] * 101}),
        ("error", 400, "DELETE", f"{USERS}/destroy_many?ids={'1,' * 100}1", None),
        ("error", 404, "GET", f"{JOBS}/V3-0.json", None),
        ("error", 404, "POST", "/api/v2/groups/create_many", {"groups": []}),
    ],
)
def test_responses_have_the_documented_form(zendesk, form, status, method, path, body):
    zendesk(method, path, form, status, json=body)


def test_every_state_has_the_documented_form(zendesk, sim):
    job_id = sim.job("zendesk_bulk", states=STATES, items=2, failed=1)
    for state in STATES:
        assert zendesk("GET", f"{JOBS}/{job_id}.json", "status").json()["job_status"]["status"] == state


def test_paths_of_a_job_work_with_and_without_their_ending(zendesk, sim):
    job_id = sim.job("zendesk_bulk", states=["working"])
    one, other = (zendesk("GET", f"{JOBS}/{job_id}{end}", "status").json() for end in ("", ".json"))
    assert one == other
    listed = zendesk("GET", f"{JOBS}/show_many.json?ids={job_id},V3-0", "several").json()
    assert listed == {"job_statuses": [one["job_status"]], "count": 1}


def test_a_completed_job_hides_its_failed_items(results):
    found = results("POST", "users/create_or_update_many", {"users": [ADA, NOBODY, {"name": "Eve"}]})
    assert [(each["id"], each["status"]) for each in found] == [(101, "Created"), (1, "Failed"), (2, "Failed")]
    again = results("POST", "users/create_or_update_many", {"users": [{"external_id": "C-1"}]})
    assert again[0]["status"] == "Updated"
    assert "error" in results("POST", "users/create_many", {"users": [ADA]})[0]


def test_each_operation_has_results_of_its_own(results):
    [created] = results("POST", "organizations/create_many", {"organizations": [{"name": "Acme"}]})
    [updated, missing] = results("PUT", "organizations/update_many", {"organizations": [created, {"id": 7}]})
    assert (updated["status"], missing["index"]) == ("Updated", 1)
    assert results("DELETE", f"organizations/destroy_many?ids={created['id']}")[0]["action"] == "delete"
    [_, twice] = results("POST", "organization_memberships/create_many", {"organization_memberships": [MEMBERSHIP] * 2})
    assert twice["index"] == 1
    tickets = results("POST", "tickets/create_many", {"tickets": [{"comment": {"body": "Hi"}}, {"subject": "Hi"}]})
    assert [("account_id" in each, "error" in each) for each in tickets] == [(True, False), (False, True)]
    [ticket] = results("POST", "imports/tickets/create_many", {"tickets": [{"comments": [{"value": "Hi"}]}]})
    assert ticket["index"] == 0


def test_thirty_jobs_may_be_open(zendesk, sim):
    sim.settings(job_seconds=60)
    for number in range(30):
        zendesk("POST", f"{USERS}/create_many", "status", json={"users": [{"name": f"Person {number}"}]})
    refused = zendesk("POST", f"{USERS}/create_many", "error", 429, json={"users": [ADA]})
    assert "Retry-After" not in refused.headers
    zendesk("GET", f"{JOBS}.json", "list")


def test_requests_without_credentials_are_nobody_or_refused(zendesk):
    assert zendesk("GET", f"{USERS}/me.json", "user", auth=None).json()["user"]["id"] is None
    zendesk("GET", f"{JOBS}.json", "error", 401, auth=None)
    zendesk("GET", f"{JOBS}.json", "error", 401, auth=("ann@example.com", "zendesk-token"))


def test_token_is_requested_with_a_json_object(zendesk):
    token = zendesk("POST", "/oauth/tokens", "token", auth=None, json=CLIENT).json()["access_token"]
    zendesk("GET", f"{JOBS}.json", "list", auth=None, headers={"Authorization": f"Bearer {token}"})
    zendesk("POST", "/oauth/tokens", status=401, auth=None, json=CLIENT | {"client_secret": "wrong"})


def test_requests_above_the_rate_limit_are_told_when_to_come_back(zendesk, sim):
    sim.settings(limits={"zendesk_bulk": {"requests": 1, "per_seconds": 10_000_000}})
    assert zendesk("GET", f"{JOBS}.json").headers["ratelimit-remaining"] == "0"
    refused = zendesk("GET", f"{JOBS}.json", "error", 429)
    assert refused.headers["Retry-After"] == refused.headers["ratelimit-reset"]


def test_bulk_imports_of_users_may_be_off(zendesk, sim):
    sim.fault("zendesk_bulk", "bulk_imports_off", count=1)
    zendesk("POST", f"{USERS}/create_many", "error", 403, json={"users": [ADA]})
