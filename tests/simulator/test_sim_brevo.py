# SPDX-License-Identifier: Apache-2.0
"""The simulated Brevo has the documented formats, and its limits, reports and credentials."""

from __future__ import annotations

import pytest
import requests
from simulator.documented_form import checked_caller

KEY = {"api-key": "xkeysib-brevo"}
CLIENT = {"grant_type": "client_credentials", "client_id": "brevo-client", "client_secret": "brevo-secret"}
IMPORT = {"jsonBody": [{"email": "a@example.com", "attributes": {"FNAME": "A"}}, {"email": "nobody"}], "listIds": [12]}
STATES = ["queued", "in_process", "processing", "completed", "failed", "cancelled"]


@pytest.fixture
def brevo(sim):
    return checked_caller(sim, "brevo", headers=KEY)


@pytest.mark.parametrize(
    ("form", "status", "method", "path", "body"),
    [
        ("account", 200, "GET", "/v3/account", None),
        ("processes", 200, "GET", "/v3/processes", None),
        ("started", 202, "POST", "/v3/contacts/import", IMPORT),
        ("error", 400, "POST", "/v3/contacts/import", {}),
        ("error", 400, "POST", "/v3/contacts/import", {"jsonBody": ["a@example.com"]}),
        ("error", 400, "POST", "/v3/contacts/import", IMPORT | {"listIds": "12"}),
        ("error", 400, "POST", "/v3/contacts/import", IMPORT | {"notifyUrl": "x" * 10_000_000}),
        ("error", 404, "GET", "/v3/processes/1", None),
        ("error", 404, "GET", "/nowhere", None),
    ],
)
def test_responses_have_the_documented_form(brevo, form, status, method, path, body):
    brevo(method, path, form, status, json=body)


def test_every_state_has_the_documented_form(brevo, sim):
    job_id = sim.job("brevo", states=STATES, items=2, failed=1)
    for state in STATES:
        assert brevo("GET", f"/v3/processes/{job_id}", "process").json()["status"] == state


def test_list_has_the_newest_first_and_no_reports(brevo, sim):
    job_ids = [int(sim.job("brevo", states=["completed"])) for _ in range(60)]
    first = brevo("GET", "/v3/processes?limit=99&sort=desc", "processes").json()
    second = brevo("GET", "/v3/processes?limit=50&offset=50&sort=desc", "processes").json()
    assert [each["id"] for each in first["processes"] + second["processes"]] == job_ids[::-1]
    assert first["count"] == 60
    assert all("info" not in each for each in first["processes"])


def test_failed_rows_are_only_in_a_report(brevo):
    number = brevo("POST", "/v3/contacts/import", status=202, json=IMPORT).json()["processId"]
    reports = brevo("GET", f"/v3/processes/{number}", "process").json()["info"]["import"]
    urls = {name: url for name, url in reports.items() if url}
    assert set(urls) == {"invalid_emails"}
    assert requests.get(urls["invalid_emails"], timeout=10).text == "EMAIL\r\nnobody\r\n"


def test_key_or_token_is_required(brevo):
    assert brevo("GET", "/v3/account", "error", 401, headers={}).json()["message"] == "Key not found"
    token = brevo("POST", "/realms/partner/oauth/token", "token", headers={}, data=CLIENT).json()["access_token"]
    brevo("GET", "/v3/account", "account", headers={"Authorization": f"Bearer {token}"})
    brevo("POST", "/realms/partner/oauth/token", status=400, headers={}, data=CLIENT | {"client_secret": "wrong"})


def test_address_may_not_be_approved(brevo, sim):
    sim.fault("brevo", "ip_not_allowed", count=1)
    assert "IP" in brevo("GET", "/v3/account", "error", 401).json()["message"]


def test_status_has_a_limit_of_its_own(brevo, sim):
    sim.settings(limits={"brevo": {"requests": 2, "per_seconds": 10_000_000}})
    left = [brevo("GET", "/v3/processes").headers["x-sib-ratelimit-remaining"] for _ in range(2)]
    assert left == ["1", "0"]
    rejected = brevo("GET", "/v3/processes", "error", 429)
    assert int(rejected.headers["x-sib-ratelimit-reset"]) <= 10_000_000
    assert "Retry-After" not in rejected.headers
    brevo("POST", "/v3/contacts/import", "started", 202, json=IMPORT)
