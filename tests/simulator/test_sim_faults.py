# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time

import pytest
import requests

# Per vendor: a call that needs credentials, and the common part of its error bodies.
READS = {
    "intercom": ("/me", lambda body: body["type"] == "error.list"),
    "sendgrid": ("/v3/scopes", lambda body: body["errors"][0]["message"]),
    "activecampaign": ("/api/3/users/me", lambda body: body["message"]),
    "acquia": ("/api/users/self", lambda body: body.get("errors") or body["error"]),
}
VENDORS = list(READS)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(("fault", "status"), [("rate_limit", 429), ("server_error", 500), ("unauthorized", 401)])
def test_errors_have_vendor_format(calls, sim, vendor, fault, status):
    path, is_own_form = READS[vendor]
    sim.fault(vendor, fault, count=1)
    spoilt = calls[vendor]("GET", path)
    if (vendor, fault) == ("activecampaign", "unauthorized"):
        status = 403
    assert spoilt.status_code == status
    assert is_own_form(spoilt.json())
    assert calls[vendor]("GET", path).status_code == 200


@pytest.mark.parametrize("vendor", ["intercom", "sendgrid", "acquia"])
def test_429_has_vendor_rate_limit_header(calls, sim, vendor):
    header = "X-RateLimit-Reset"
    sim.fault(vendor, "rate_limit", count=1)
    plain = calls[vendor]("GET", READS[vendor][0])
    assert "Retry-After" not in plain.headers
    assert abs(int(plain.headers[header]) - time.time()) < 5
    sim.fault(vendor, "rate_limit", count=1, retry_after=100)
    response = calls[vendor]("GET", READS[vendor][0])
    assert response.headers["Retry-After"] == "100"
    assert 95 < int(response.headers[header]) - time.time() <= 101


def test_retry_after_may_be_a_date(activecampaign, sim):
    date = "Wed, 21 Oct 2026 07:28:00 GMT"
    sim.fault("activecampaign", "server_error", status=503, retry_after=date, count=1)
    answer = activecampaign("GET", "/api/3/users/me")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, date)


def test_fault_count_and_path(sendgrid, sim):
    sim.fault("sendgrid", "server_error", count=2, path="/imports/")
    assert sendgrid("GET", "/v3/scopes").status_code == 200
    statuses = [sendgrid("GET", "/v3/marketing/contacts/imports/x").status_code for _ in range(3)]
    assert statuses == [500, 500, 404]
    assert sim.state()["faults"] == []


def test_fault_without_vendor_applies_until_cleared(calls, sim):
    sim.fault(None, "not_json")
    for vendor in VENDORS:
        answer = calls[vendor]("GET", READS[vendor][0])
        assert answer.headers["Content-Type"].startswith("text/html")
    assert len(sim.state()["faults"]) == 1
    sim.clear_faults()
    assert all(calls[vendor]("GET", READS[vendor][0]).json() for vendor in VENDORS)


@pytest.mark.parametrize("fault", ["reset", "outage"])
def test_connections_are_reset(calls, sim, fault):
    sim.fault("acquia", fault)
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            calls["acquia"]("GET", "/api/users/self")
    assert calls["sendgrid"]("GET", "/v3/scopes").status_code == 200
    assert sim.state()["acquia"]["statuses"] == {"reset": 2}
    sim.clear_faults()
    assert calls["acquia"]("GET", "/api/users/self").status_code == 200


def test_response_lost_after_execution(sendgrid, sim):
    body = {"contacts": [{"email": "a@example.com"}]}
    for after in (False, True):
        sim.fault("sendgrid", "reset", count=1, after=after)
        with pytest.raises(requests.ConnectionError):
            sendgrid("PUT", "/v3/marketing/contacts", json=body)
        assert sim.state()["sendgrid"]["contacts"]["total"] == int(after)


def test_half_body(intercom, sim):
    whole = len(intercom("GET", "/me").content)
    sim.fault("intercom", "half_body", count=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
        intercom("GET", "/me")
    assert f"{whole // 2} bytes read" in str(caught.value)


@pytest.mark.parametrize("after", [False, True])
def test_slow(intercom, sim, after):
    sim.fault("intercom", "slow", seconds=0.2, count=1, after=after)
    start = time.monotonic()
    assert intercom("GET", "/me").json()["type"] == "admin"
    assert time.monotonic() - start >= 0.2


def test_disconnected_client_is_not_concurrent(intercom, sim):
    sim.fault("intercom", "slow", seconds=60)
    for _ in range(3):
        with pytest.raises(requests.Timeout):
            requests.get(f"{sim.url_of('intercom')}/me", timeout=0.05)
    sim.clear_faults()
    assert intercom("GET", "/me").status_code == 200
    assert sim.state()["intercom"]["max_concurrent"] <= 2


def test_redirect_target_records_requests(intercom, sim):
    sim.fault("intercom", "redirect", status=307, count=2)
    stays = intercom("GET", "/me", allow_redirects=False)
    assert stays.status_code == 307
    assert sim.requests("elsewhere") == []
    assert intercom("GET", "/me").json()["id"] == "elsewhere"
    visitor = sim.requests("elsewhere")[0]
    assert visitor.path_qs == "/elsewhere/intercom/me"
    assert "authorization" not in visitor.headers  # requests drops it on the way to another host


def test_huge_body_can_be_aborted(intercom, sim):
    sim.fault("intercom", "huge_body", count=1)
    with requests.get(f"{sim.url_of('intercom')}/me", stream=True, timeout=10) as answer:
        assert sum(map(len, answer.iter_content(1 << 20))) > 16 * 1024 * 1024
    sim.fault("intercom", "huge_body", count=1)
    with requests.get(f"{sim.url_of('intercom')}/me", stream=True, timeout=10) as answer:
        assert next(answer.iter_content(10)) == b'{"padding"'
    assert intercom("GET", "/me").status_code == 200  # the server still responds after the disconnect


def test_import_limit_applies_to_submits_only(activecampaign, sim):
    sim.fault("activecampaign", "import_limit", count=1)
    assert activecampaign("GET", "/api/3/import/info", params={"batchId": "x"}).status_code == 200
    refused = activecampaign("POST", "/api/3/import/bulk_import", json={"contacts": [{"email": "a@example.com"}]})
    assert (refused.status_code, refused.json()["message"]) == (400, "Rate limit exceeded.")
