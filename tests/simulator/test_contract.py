# SPDX-License-Identifier: Apache-2.0
"""Every response of the simulator has the documented format, in every job state."""

from __future__ import annotations

import pytest
import requests
from simulator.documented_form import check_form

SPAN = {"created_at_after": 1, "created_at_before": 2}
MIXED = {"contacts": [{"email": "a@example.com"}, {"email": "b@example.com"}, {"email": "nobody"}]}
BULK_STATES = ["pending", "running", "completed", "completed_with_errors"]


def check(vendor, form, answer, status=200):
    assert answer.status_code == status, answer.text
    check_form(vendor, form, answer.json())
    return answer.json()


SUBMITS = [
    ("intercom", "bulk", 202, "POST", "/contacts/bulk", MIXED),
    ("intercom", "bulk", 202, "PUT", "/contacts/bulk", {"contacts": [{"id": "1"}]}),
    ("intercom", "bulk", 202, "POST", "/contacts/bulk/delete", {"contacts": [{"id": "1"}]}),
    ("intercom", "bulk", 202, "POST", "/companies/bulk", {"companies": [{"company_id": "1"}]}),
    ("intercom", "bulk", 202, "PUT", "/companies/bulk", {"companies": [{"id": "1"}]}),
    ("intercom", "bulk", 202, "POST", "/companies/bulk/delete", {"companies": [{"id": "1"}]}),
    ("intercom", "job", 200, "POST", "/tickets/enqueue", {"ticket_type_id": "1", "contacts": [{"id": "1"}]}),
    ("intercom", "export", 200, "POST", "/export/content/data", SPAN),
    ("intercom", "error", 422, "POST", "/contacts/bulk", {}),
    ("intercom", "error", 404, "POST", "/contacts/bulk", MIXED | {"job": {"id": "nothing"}}),
    ("intercom", "error", 404, "GET", "/contacts/bulk/nothing", None),
    ("intercom", "error", 400, "POST", "/tickets/enqueue", {}),
    ("intercom", "me", 200, "GET", "/me", None),
    ("sendgrid", "submitted", 202, "PUT", "/v3/marketing/contacts", MIXED),
    ("sendgrid", "submitted", 202, "DELETE", "/v3/marketing/contacts?ids=1", None),
    (
        "sendgrid",
        "upload",
        200,
        "PUT",
        "/v3/marketing/contacts/imports",
        {"file_type": "csv", "field_mappings": ["w1"]},
    ),
    ("sendgrid", "export_started", 202, "POST", "/v3/marketing/contacts/exports", {}),
    ("sendgrid", "exports", 200, "GET", "/v3/marketing/contacts/exports", None),
    ("sendgrid", "error_400", 400, "PUT", "/v3/marketing/contacts", {}),
    ("sendgrid", "error_400", 400, "PUT", "/v3/marketing/contacts", []),
    ("sendgrid", "error", 404, "GET", "/v3/marketing/contacts/exports/nothing", None),
    ("sendgrid", "error", 404, "GET", "/v3/marketing/contacts/imports/nothing", None),
    ("sendgrid", "error", 404, "PUT", "/v3/marketing/contacts", MIXED | {"list_ids": ["nothing"]}),
    ("sendgrid", "scopes", 200, "GET", "/v3/scopes", None),
    ("activecampaign", "queued", 200, "POST", "/api/3/import/bulk_import", MIXED),
    ("activecampaign", "refused", 400, "POST", "/api/3/import/bulk_import", {"contacts": [{}]}),
    ("activecampaign", "refused", 400, "POST", "/api/3/import/bulk_import", {"contacts": []}),
    ("activecampaign", "refused", 400, "GET", "/api/3/import/info", None),
    ("activecampaign", "info", 200, "GET", "/api/3/import/info?batchId=nothing", None),
    ("activecampaign", "totals", 200, "GET", "/api/3/import/bulk_import", None),
    ("activecampaign", "me", 200, "GET", "/api/3/users/me", None),
    ("acquia", "submitted", 202, "POST", "/api/contacts/bulk/new", MIXED["contacts"]),
    ("acquia", "submitted", 202, "PATCH", "/api/contacts/bulk/edit", [{"id": 1}]),
    ("acquia", "submitted", 202, "PUT", "/api/contacts/bulk/edit", [{"id": 1}]),
    ("acquia", "error", 400, "POST", "/api/contacts/bulk/new", {}),
    ("acquia", "error", 404, "GET", "/api/contacts/job/nothing", None),
    ("acquia", "me", 200, "GET", "/api/users/self", None),
]


@pytest.mark.parametrize("job_seconds", [0, 3600])
@pytest.mark.parametrize(("vendor", "form", "status", "method", "path", "body"), SUBMITS)
def test_submits_and_reads(calls, sim, *, job_seconds, vendor, form, status, method, path, body):
    sim.settings(job_seconds=job_seconds)
    check(vendor, form, calls[vendor](method, path, json=body), status)


STATUSES = [
    ("intercom", "contacts", "bulk", "/contacts/bulk/{}", BULK_STATES),
    ("intercom", "companies", "bulk", "/companies/bulk/{}", BULK_STATES),
    ("intercom", "job", "job", "/jobs/status/{}", ["pending", "success", "failed"]),
    (
        "intercom",
        "export",
        "export",
        "/export/content/data/{}",
        ["pending", "in_progress", "completed", "no_data", "failed", "canceled"],
    ),
    (
        "sendgrid",
        "contacts",
        "import",
        "/v3/marketing/contacts/imports/{}",
        ["pending", "completed", "errored", "failed"],
    ),
    ("sendgrid", "export", "export", "/v3/marketing/contacts/exports/{}", ["pending", "ready", "failure"]),
    (
        "activecampaign",
        "contacts",
        "info",
        "/api/3/import/info?batchId={}",
        [False, "waiting", "claimed", "active", "completed", "failed", "interrupted"],
    ),
    ("acquia", "contacts", "job", "/api/contacts/job/{}", ["queued", "in_progress", "completed"]),
    ("acquia", "contacts", "job", "/api/contacts/job/{}?details=1", ["queued", "in_progress", "completed"]),
]


@pytest.mark.parametrize(("vendor", "kind", "form", "path", "states"), STATUSES)
def test_every_state_has_the_documented_form(calls, sim, *, vendor, kind, form, path, states):
    job_id = sim.job(vendor, kind, states=states, items=150, failed=60)
    for state in states:
        body = check(vendor, form, calls[vendor]("GET", path.format(job_id)))
        assert state in (body.get("state"), body.get("status"))


@pytest.mark.parametrize("vendor", ["intercom", "sendgrid", "activecampaign", "acquia"])
def test_errors_have_the_documented_form(calls, sim, vendor):
    path = {"intercom": "/me", "sendgrid": "/v3/scopes", "activecampaign": "/api/3/users/me"}.get(
        vendor, "/api/users/self"
    )
    for fault, status in [("rate_limit", 429), ("server_error", 500)]:
        sim.fault(vendor, fault, count=1)
        check(vendor, "error", calls[vendor]("GET", path), status)
    check(vendor, "error", calls[vendor]("GET", "/nowhere"), 404)
    form = "oauth_error" if vendor == "acquia" else "error"
    check(vendor, form, calls[vendor]("GET", path, headers={}), 403 if vendor == "activecampaign" else 401)


def test_import_error_is_an_object_only_with_400(sendgrid, sim):
    sim.settings(sendgrid_errors_shape="object")
    check("sendgrid", "import_error_400", sendgrid("GET", "/v3/marketing/contacts/imports/nothing"), 400)


def test_invalid_version_has_the_documented_form(intercom):
    answer = intercom("GET", "/contacts/bulk/1", headers={"Intercom-Version": "2.15"}, authorized=True)
    check("intercom", "error", answer, 400)


def test_tokens_have_the_documented_form(sim):
    form = {"grant_type": "client_credentials", "client_id": "acquia-client", "client_secret": "acquia-secret"}
    url = f"{sim.url_of('acquia')}/oauth/v2/token"
    check("acquia", "token", requests.post(url, data=form, timeout=10))
    check("acquia", "oauth_error", requests.post(url, data={}, timeout=10), 400)
