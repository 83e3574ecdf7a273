# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter
from urllib.parse import urljoin

import pytest
import requests

JOB = "/api/contacts/job"
FORM = {"grant_type": "client_credentials", "client_id": "acquia-client", "client_secret": "acquia-secret"}


def submit(acquia, contacts, method="POST", action="new"):
    answer = acquia(method, f"/api/contacts/bulk/{action}", json=contacts)
    assert answer.status_code == 202
    return answer.json()["id"]


def outcomes(acquia, job_id):
    path = f"{JOB}/{job_id}?details=1"
    pages, found = 0, []
    while path:
        details = acquia("GET", path).json()["details"]
        found += details["contacts"]
        path = details.get("next-page")
        pages += 1
    return pages, found


def test_details_report_outcome_of_each_contact(acquia):
    job_id = submit(acquia, [{"email": "a@example.com"}, {"email": "b.example.com"}, {"email": "A@example.com"}])
    assert acquia("GET", f"{JOB}/{job_id}").json() == {"status": "completed"}
    _, found = outcomes(acquia, job_id)
    assert [contact["statusCode"] for contact in found] == [201, 400, 200]
    assert found[1]["errors"]["details"] == {"email": ["A valid email is required."]}


@pytest.mark.parametrize(("items", "pages"), [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_details_come_in_pages(acquia, items, pages):
    job_id = submit(acquia, [{"email": f"{n}@example.com" if n % 10 else "none"} for n in range(items)])
    asked, found = outcomes(acquia, job_id)
    assert asked == pages
    codes = Counter(contact["statusCode"] for contact in found)
    assert (codes[201], codes[400]) == (items - -(-items // 10), -(-items // 10))


def test_next_page_also_works_relative_to_host(acquia, sim):
    job_id = submit(acquia, [{"email": f"{n}@example.com"} for n in range(101)])
    page = acquia("GET", f"{JOB}/{job_id}?details=1").json()["details"]["next-page"]
    assert page.startswith("/api/")
    answer = requests.get(urljoin(sim.url, page), auth=("api-bot", "acquia-password"), timeout=10)
    assert len(answer.json()["details"]["contacts"]) == 1


@pytest.mark.parametrize(("method", "unknown"), [("PUT", 201), ("PATCH", 400)])
def test_edit_of_an_unknown_id_creates_or_fails(acquia, sim, method, unknown):
    sim.contacts("acquia", [{"id": 7, "email": "a@example.com"}])
    job_id = submit(acquia, [{"id": 7}, {"id": 8, "email": "b@example.com"}, {"firstname": "Ann"}], method, "edit")
    _, found = outcomes(acquia, job_id)
    assert [contact["statusCode"] for contact in found] == [200, unknown, 400]
    assert found[0]["id"] == 7
    assert len(sim.contacts("acquia")) == (2 if unknown == 201 else 1)


def test_no_details_before_completion_and_404_after_delete(acquia, sim):
    sim.settings(job_seconds=3600)
    job_id = submit(acquia, [{"email": "a@example.com"}])
    assert acquia("GET", f"{JOB}/{job_id}?details=1").json() == {"status": "queued"}
    assert acquia("DELETE", f"{JOB}/{job_id}").status_code == 200
    for method in ("GET", "DELETE"):
        assert acquia(method, f"{JOB}/{job_id}").status_code == 404


@pytest.mark.parametrize("body", [{}, [], ["a@example.com"], [{"email": "a@example.com"}] * 10_001])
def test_invalid_body_is_rejected(acquia, sim, body):
    answer = acquia("POST", "/api/contacts/bulk/new", json=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == 400
    assert sim.state()["acquia"]["jobs"] == []


def test_accepts_documented_maximum(acquia, sim):
    submit(acquia, [{"email": f"{n}@example.com"} for n in range(10_000)])
    assert sim.state()["acquia"]["contacts"] == {"total": 10_000, "distinct": 10_000}


def token(sim):
    answer = requests.post(f"{sim.url_of('acquia')}/oauth/v2/token", data=FORM, timeout=10)
    assert answer.status_code == 200
    return answer.json()


def test_token_issue_expiry_and_revocation(acquia, sim):
    def ask(with_token):
        return acquia("GET", "/api/users/self", headers={"Authorization": f"Bearer {with_token}"})

    first = token(sim)
    assert (first["expires_in"], first["token_type"]) == (3600, "bearer")
    assert ask(first["access_token"]).json()["username"] == "api-bot"
    sim.revoke_tokens()
    revoked = ask(first["access_token"])
    assert (revoked.status_code, revoked.json()["error"]) == (401, "invalid_grant")

    sim.settings(token_seconds=1e-6)
    expired = ask(token(sim)["access_token"])
    assert expired.status_code == 401
    assert expired.json() == {
        "error": "invalid_grant",
        "error_description": "The access token provided has expired.",
    }
    assert sim.state()["acquia"]["tokens_issued"] == 2


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
    ],
)
def test_invalid_token_request_is_400(sim, change, error):
    answer = requests.post(f"{sim.url_of('acquia')}/oauth/v2/token", data=FORM | change, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    in_query = requests.post(f"{sim.url_of('acquia')}/oauth/v2/token", params=FORM, timeout=10)
    assert (in_query.status_code, in_query.json()["error"]) == (400, "invalid_request")
    assert sim.state()["acquia"]["tokens_issued"] == 0


@pytest.mark.parametrize(("secret", "status"), [("acquia-secret", 200), ("wrong", 400)])
def test_the_client_may_come_by_basic_authentication(sim, secret, status):
    url = f"{sim.url_of('acquia')}/oauth/v2/token"
    grant = {"grant_type": "client_credentials"}
    answer = requests.post(url, data=grant, auth=("acquia-client", secret), timeout=10)
    assert answer.status_code == status


def test_bad_password_in_both_error_formats(acquia, sim):
    wrong = {"Authorization": "Basic d3Jvbmc6d3Jvbmc="}
    new = acquia("GET", "/api/users/self", headers=wrong)
    assert (new.status_code, new.json()["errors"][0]["code"]) == (401, 401)
    sim.settings(acquia_error_shape="old")
    assert acquia("GET", "/api/users/self", headers=wrong).json()["error"]["code"] == 401
    assert acquia("GET", "/api/users/self", headers={}).json()["error"] == "access_denied"


def test_rate_limit_headers_only_with_limit(acquia, sim):
    without = acquia("GET", "/api/users/self")
    assert not any("ratelimit" in name.lower() for name in without.headers)
    assert without.headers["Mautic-Version"]
    sim.settings(limits={"acquia": {"requests": 1, "per_seconds": 3600}})
    assert acquia("GET", "/api/users/self").headers["X-RateLimit-Remaining"] == "0"
    refused = acquia("GET", "/api/users/self")
    assert refused.status_code == 429
    assert "rate limit of 1 API calls per hour" in refused.json()["errors"][0]["message"]
