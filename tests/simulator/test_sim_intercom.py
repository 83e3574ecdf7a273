# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import gzip
import io
import time

import pytest


def contacts(*emails):
    return {"contacts": [{"email": email} for email in emails]}


def code_of(answer):
    body = answer.json()
    assert body["type"] == "error.list"
    return body["errors"][0]["code"]


def test_create_completes_and_counts_its_items(intercom, sim):
    answer = intercom("POST", "/contacts/bulk", json=contacts("a@example.com", "b@example.com"))
    assert answer.status_code == 202
    job = intercom("GET", f"/contacts/bulk/{answer.json()['id']}").json()
    assert (job["type"], job["state"]) == ("contacts.bulk.job", "completed")
    assert [task["item_count"] for task in job["tasks"]] == [2]
    assert job["completed_at"] >= job["created_at"]
    assert job["url"] == f"{sim.url_of('intercom')}/contacts/bulk/{job['id']}"
    assert sim.state()["intercom"]["contacts"] == {"total": 2, "distinct": 2}


@pytest.mark.parametrize(
    ("method", "path", "item", "state"),
    [
        ("POST", "/contacts/bulk", {"email": "nobody.example.com"}, "completed_with_errors"),
        ("POST", "/contacts/bulk", {"name": "Ann"}, "completed_with_errors"),
        ("POST", "/contacts/bulk", {"external_id": "8"}, "completed"),
        ("PUT", "/contacts/bulk", {"id": "7"}, "completed"),
        ("PUT", "/contacts/bulk", {"id": "8"}, "completed_with_errors"),
        ("POST", "/contacts/bulk/delete", {"id": "7"}, "completed"),
        ("POST", "/contacts/bulk/delete", {"id": "8"}, "completed_with_errors"),
        ("POST", "/companies/bulk", {"company_id": "8"}, "completed"),
        ("POST", "/companies/bulk", {"name": "Acme"}, "completed_with_errors"),
        ("PUT", "/companies/bulk", {"id": "8"}, "completed_with_errors"),
        ("POST", "/companies/bulk/delete", {"id": "7"}, "completed"),
    ],
)
def test_invalid_items_and_unknown_ids_fail_for_each_method(intercom, sim, method, path, item, state):
    noun = path.split("/")[1]
    sim.contacts("intercom", [{"id": "7"}], kind=noun)
    job = intercom(method, path, json={noun: [item]}).json()
    assert intercom("GET", f"/{noun}/bulk/{job['id']}").json()["state"] == state


def test_a_deleted_contact_can_be_created_again(intercom, sim):
    def state(path, **item):
        return intercom("POST", path, json={"contacts": [item]}).json()["state"]

    assert state("/contacts/bulk", email="a@example.com") == "completed"
    assert state("/contacts/bulk", email="A@example.com") == "completed_with_errors"
    [contact] = sim.contacts("intercom")
    assert state("/contacts/bulk/delete", id=contact["id"]) == "completed"
    assert state("/contacts/bulk/delete", id=contact["id"]) == "completed_with_errors"
    assert state("/contacts/bulk", email="a@example.com") == "completed"


def test_leads_may_share_an_address(intercom, sim):
    leads = {"contacts": [{"email": "a@example.com", "role": "lead"}] * 2}
    assert intercom("POST", "/contacts/bulk", json=leads).json()["state"] == "completed"
    assert len(sim.contacts("intercom")) == 2


def test_second_create_fails_for_contact_and_updates_company(intercom):
    for noun, item, second in [
        ("contacts", {"email": "a@example.com"}, "completed_with_errors"),
        ("companies", {"company_id": "7"}, "completed"),
    ]:
        states = [intercom("POST", f"/{noun}/bulk", json={noun: [item]}).json()["state"] for _ in range(2)]
        assert states == ["completed", second]


def test_append_to_open_job_only(intercom, sim):
    sim.settings(job_seconds=3600)
    job = intercom("POST", "/contacts/bulk", json=contacts("a@example.com")).json()
    longer = intercom("POST", "/contacts/bulk", json=contacts("b@example.com", "c") | {"job": {"id": job["id"]}})
    assert longer.status_code == 202
    assert longer.json()["id"] == job["id"]
    assert [task["item_count"] for task in longer.json()["tasks"]] == [1, 2]

    sim.settings(job_seconds=0)
    done = intercom("POST", "/contacts/bulk", json=contacts("d@example.com")).json()
    refused = intercom("POST", "/contacts/bulk", json=contacts("e@example.com") | {"job": {"id": done["id"]}})
    assert (refused.status_code, code_of(refused)) == (403, "forbidden")
    unknown = intercom("POST", "/contacts/bulk", json=contacts("e@example.com") | {"job": {"id": "job_v2_0"}})
    assert (unknown.status_code, code_of(unknown)) == (404, "job_not_found")
    # The rejected ones left no contacts behind.
    assert [contact["email"][0] for contact in sim.contacts("intercom")] == ["a", "b", "d"]
    assert sim.state()["intercom"]["contacts"]["total"] == 4


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("POST", {}, "field_not_found"),
        ("POST", {"contacts": {}}, "type_mismatch"),
        ("POST", {"contacts": ["a@example.com"]}, "type_mismatch"),
        ("POST", {"contacts": [{"email": "a@example.com"}] * 101}, "parameter_invalid"),
        ("PUT", {"contacts": [{"email": "a@example.com"}]}, "field_not_found"),
    ],
)
def test_invalid_request_is_rejected(intercom, sim, method, body, code):
    answer = intercom(method, "/contacts/bulk", json=body)
    assert (answer.status_code, code_of(answer)) == (422, code)
    assert sim.state()["intercom"]["jobs"] == []


@pytest.mark.parametrize(
    ("method", "path", "version", "status"),
    [
        ("POST", "/contacts/bulk", "Preview", 202),
        ("POST", "/contacts/bulk", "2.17", 202),
        ("POST", "/contacts/bulk", "2.15", 400),
        ("POST", "/contacts/bulk", "", 400),
        ("POST", "/contacts/bulk", None, 400),
        ("POST", "/contacts/bulk", "9.9", 400),
        ("GET", "/companies/bulk/job_v2_1", "2.15", 400),
        ("GET", "/jobs/status/1", "2.15", 404),
        ("GET", "/jobs/status/1", None, 400),
        ("GET", "/me", None, 200),
        ("GET", "/me", "2.11", 200),
        ("GET", "/me", "latest", 400),
    ],
)
def test_the_version_must_have_the_endpoint(intercom, sim, method, path, version, status):
    headers = {"Intercom-Version": version}
    body = contacts("a@example.com") if method == "POST" else None
    answer = intercom(method, path, headers=headers, authorized=True, json=body)
    assert answer.status_code == status
    if status == 400:
        assert code_of(answer) == "intercom_version_invalid"
        assert sim.state()["intercom"]["jobs"] == []


def test_bad_token_gets_no_rate_limit_headers(intercom):
    refused = intercom("GET", "/me", headers={"Authorization": "Bearer wrong"})
    assert (refused.status_code, code_of(refused)) == (401, "unauthorized")
    assert "X-RateLimit-Limit" not in refused.headers
    welcome = intercom("GET", "/me")
    assert welcome.json()["app"]["region"] == "US"
    assert int(welcome.headers["X-RateLimit-Reset"]) - time.time() <= 10


def test_ticket_job(intercom, sim):
    good = intercom("POST", "/tickets/enqueue", json={"ticket_type_id": "1", "contacts": [{"email": "a@example.com"}]})
    assert good.status_code == 200
    done = intercom("GET", f"/jobs/status/{good.json()['id']}").json()
    assert done["status"] == "success"
    assert done["resource_url"].endswith(f"/tickets/{done['resource_id']}")
    bad = intercom("POST", "/tickets/enqueue", json={"ticket_type_id": "1", "contacts": [{"id": "7"}]}).json()
    assert intercom("GET", f"/jobs/status/{bad['id']}").json()["status"] == "failed"
    sim.contacts("intercom", [{"id": "7"}])
    known = intercom("POST", "/tickets/enqueue", json={"ticket_type_id": "1", "contacts": [{"id": "7"}]}).json()
    assert known["status"] == "success"
    assert intercom("POST", "/tickets/enqueue", json={}).status_code == 400


def test_a_job_of_one_kind_is_unknown_to_the_others(intercom):
    job = intercom("POST", "/contacts/bulk", json=contacts("a@example.com")).json()
    for path in ("/companies/bulk", "/jobs/status", "/export/content/data"):
        answer = intercom("GET", f"{path}/{job['id']}")
        assert (answer.status_code, code_of(answer)) == (404, "job_not_found")


def test_export_to_its_download(intercom):
    span = {"created_at_after": 1, "created_at_before": 2}
    job = intercom("POST", "/export/content/data", json=span).json()
    done = intercom("GET", f"/export/content/data/{job['job_identifier']}").json()
    assert done["status"] == "completed"
    path = f"/download/content/data/{job['job_identifier']}"
    assert done["download_url"].endswith(path)
    for unsuited in ("application/json", None):
        refused = intercom("GET", path, headers={"Accept": unsuited}, authorized=True)
        assert (refused.status_code, code_of(refused)) == (406, "not_acceptable")
    accepted = ["*/*", "text/csv, */*;q=0.1", "application/octet-stream"]
    files = [intercom("GET", path, headers={"Accept": accept}, authorized=True) for accept in accepted]
    assert [file.status_code for file in files] == [200, 200, 200]
    file = files[0]
    assert next(csv.reader(io.StringIO(gzip.decompress(file.content).decode())))[0] == "id"
    nothing = intercom("POST", "/export/content/data", json={"created_at_after": 2, "created_at_before": 2})
    assert nothing.json()["status"] == "no_data"


def test_one_export_at_a_time_and_cancel(intercom, sim):
    sim.settings(job_seconds=3600, intercom_export_key="job_identfier")
    span = {"created_at_after": 1, "created_at_before": 2}
    first = intercom("POST", "/export/content/data", json=span).json()
    assert first["status"] == "pending"
    assert intercom("POST", "/export/content/data", json=span).status_code == 429
    assert intercom("POST", f"/export/cancel/{first['job_identfier']}").json()["status"] == "canceled"
    assert intercom("POST", "/export/content/data", json=span).status_code == 200
