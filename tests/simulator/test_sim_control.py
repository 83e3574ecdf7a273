# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests


def control(sim, method, path, body=None):
    return requests.request(method, f"{sim.url}/control/{path}", json=body, timeout=10)


STATUS_PATHS = [
    ("intercom", "contacts", "/contacts/bulk/{}", "state"),
    ("intercom", "companies", "/companies/bulk/{}", "state"),
    ("intercom", "job", "/jobs/status/{}", "status"),
    ("intercom", "export", "/export/content/data/{}", "status"),
    ("sendgrid", "contacts", "/v3/marketing/contacts/imports/{}", "status"),
    ("sendgrid", "export", "/v3/marketing/contacts/exports/{}", "status"),
    ("activecampaign", "contacts", "/api/3/import/info?batchId={}", "status"),
    ("acquia", "contacts", "/api/contacts/job/{}", "status"),
]


@pytest.mark.parametrize(("vendor", "kind", "path", "key"), STATUS_PATHS)
def test_scripted_job_returns_its_states(calls, sim, *, vendor, kind, path, key):
    job_id = sim.job(vendor, kind, states=["one", False, "exploded"], items=5, failed=2)
    described = {"job_id": job_id, "job_kind": kind, "state": "one", "items": 5, "polls": 0}
    assert sim.state()[vendor]["jobs"] == [described]  # reading the state is not a poll
    words = [calls[vendor]("GET", path.format(job_id)).json()[key] for _ in range(4)]
    assert words == ["one", False, "exploded", "exploded"]
    sim.expire(job_id)
    assert calls[vendor]("GET", path.format(job_id)).status_code == 404


@pytest.mark.parametrize(("vendor", "kind", "path", "key"), STATUS_PATHS)
@pytest.mark.parametrize("body", [{"surprise": 1}, {}, [], "text", 0])
def test_scripted_body_is_returned_unchanged(calls, sim, *, vendor, kind, path, key, body):
    job_id = sim.job(vendor, kind, body=body)
    assert calls[vendor]("GET", path.format(job_id)).json() == body


def test_scripted_items_and_failures_in_vendor_format(calls, sim):
    ids = {vendor: sim.job(vendor, states=["completed"], items=5, failed=2) for vendor in calls}
    bulk = calls["intercom"]("GET", f"/contacts/bulk/{ids['intercom']}").json()
    assert bulk["tasks"][0]["item_count"] == 5
    results = calls["sendgrid"]("GET", f"/v3/marketing/contacts/imports/{ids['sendgrid']}").json()["results"]
    assert (results["requested_count"], results["errored_count"]) == (5, 2)
    info = calls["activecampaign"]("GET", f"/api/3/import/info?batchId={ids['activecampaign']}").json()
    assert (len(info["success"]), len(info["failure"])) == (3, 2)
    details = calls["acquia"]("GET", f"/api/contacts/job/{ids['acquia']}?details=1").json()["details"]
    assert [contact["statusCode"] for contact in details["contacts"]] == [201, 201, 201, 400, 400]


def test_control_api_matches_python_methods(calls, sim):
    job = control(sim, "POST", "jobs", {"vendor": "acquia", "states": ["queued", "completed"]}).json()["job_id"]
    assert control(sim, "POST", "faults", {"vendor": "acquia", "fault": "server_error", "count": 1}).status_code == 200
    statuses = [calls["acquia"]("GET", f"/api/contacts/job/{job}").status_code for _ in range(2)]
    assert statuses == [500, 200]
    assert control(sim, "DELETE", f"jobs/{job}").json() == {"expired": job}
    assert control(sim, "DELETE", f"jobs/{job}").status_code == 404
    assert control(sim, "POST", "settings", {"speed": 2}).json()["settings"]["speed"] == 2
    control(sim, "POST", "faults", {"fault": "outage"})
    assert control(sim, "DELETE", "faults").json() == {"faults": []}
    assert control(sim, "POST", "tokens/revoke").json() == {"revoked": 0}
    state = control(sim, "GET", "state").json()
    assert state == sim.state()
    assert state["acquia"]["requests"] == {"GET /api/contacts/job/{id}": 2}
    assert state["acquia"]["statuses"] == {"500": 1, "200": 1}
    control(sim, "POST", "reset")
    assert sim.state()["acquia"]["requests"] == {}
    assert sim.state()["settings"]["speed"] == 1


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("faults", {"fault": "rain"}, ["'fault'", '"rain"', "rate_limit", "outage"]),
        ("faults", {}, ["'fault'", "null", "rate_limit"]),
        ("faults", {"vendor": "pipedrive", "fault": "reset"}, ["'vendor'", '"pipedrive"', "sendgrid"]),
        ("faults", {"vendor": ["sendgrid"], "fault": "reset"}, ["'vendor'", "sendgrid"]),
        ("faults", {"vendor": "sendgrid", "fault": "import_limit"}, ["'vendor'", '"sendgrid"', "activecampaign"]),
        ("faults", {"fault": "reset", "times": 3}, ["'times'", "count"]),
        ("faults", {"fault": "reset", "count": 0}, ["'count'", "0"]),
        ("faults", {"fault": "slow", "seconds": -1}, ["'seconds'", "-1"]),
        ("faults", {"fault": "reset", "after": "yes"}, ["'after'", '"yes"', "true"]),
        ("faults", [], ["JSON object"]),
        ("jobs", {"vendor": "sendgrid", "job_kind": "companies"}, ["'job_kind'", '"companies"', "export"]),
        ("jobs", {"vendor": "sendgrid", "states": "pending"}, ["'states'", "pending"]),
        ("jobs", {"vendor": "sendgrid", "states": []}, ["'states'"]),
        ("jobs", {"vendor": "sendgrid", "items": 2, "failed": 3}, ["'failed'", "3", "2"]),
        ("settings", {"speed": 0}, ["'speed'", "0"]),
        ("settings", {"sendgrid_reset": "date"}, ["'sendgrid_reset'", '"date"', "delta"]),
        ("settings", {"limits": {"pipedrive": None}}, ["'pipedrive'", "activecampaign_imports"]),
        ("settings", {"limits": {"acquia": {"requests": 5}}}, ["'acquia'", "per_seconds"]),
    ],
)
def test_invalid_control_request_names_field_value_and_choices(sim, path, body, words):
    before = sim.state()
    answer = control(sim, "POST", path, body)
    assert answer.status_code == 400
    for word in words:
        assert word in answer.json()["error"]
    assert sim.state() == before


def test_invalid_settings_change_nothing(sim):
    with pytest.raises(ValueError, match="'speed'"):
        sim.settings(token_seconds=5, speed=-1)
    assert sim.state()["settings"]["token_seconds"] == 3600


def test_not_json(sim):
    answer = requests.post(f"{sim.url}/control/faults", data=b"{", timeout=10)
    assert (answer.status_code, answer.json()) == (400, {"error": "the body is not JSON"})


def test_counts_concurrency_and_rate(intercom, sim):
    sim.fault("intercom", "slow", seconds=0.3)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: requests.get(f"{sim.url_of('intercom')}/me", timeout=10), range(4)))
    assert {answer.status_code for answer in answers} == {401}
    books = sim.state()["intercom"]
    assert books["max_concurrent"] == 4
    assert books["max_per_second"] == books["total_requests"] == 4
    assert books["statuses"] == {"401": 4}


def test_records_requests(sendgrid, sim):
    sendgrid("GET", "/v3/scopes?a=%20b")
    sendgrid("GET", "/nowhere")
    first, second = sim.requests("sendgrid")
    assert (first.method, first.path_qs) == ("GET", "/sendgrid/v3/scopes?a=%20b")
    assert first.headers["authorization"] == "Bearer SG.sendgrid-key"
    assert first.time <= second.time
    assert sim.state()["sendgrid"]["requests"] == {"GET /v3/scopes": 1, "unknown path": 1}


def test_unknown_path_is_vendor_404(calls, sim):
    for call in calls.values():
        answer = call("GET", "/nowhere")
        assert answer.status_code == 404
        assert answer.json()
    assert requests.get(f"{sim.url}/nowhere", timeout=10).status_code == 404


def test_help_page(sim):
    page = requests.get(sim.url, timeout=10).text
    for word in ("intercom-token", "SG.sendgrid-key", "activecampaign-key", "acquia-password", "/control/faults"):
        assert word in page
