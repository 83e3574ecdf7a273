# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from simulator.test_contract import check

JOBS = "/api/profile-bulk-import-jobs"
JSON_API = {"Content-Type": "application/vnd.api+json"}
PROFILES = "/data/attributes/profiles/data"


def document(profiles, **changes):
    data = {"type": "profile-bulk-import-job", "attributes": {"profiles": {"data": profiles}}} | changes
    return {"data": data}


def profile(email=None, **attributes):
    return {"type": "profile", "attributes": ({"email": email} if email else {}) | attributes}


@pytest.fixture
def post(klaviyo):
    def post(body, **headers):
        headers = JSON_API | headers
        return klaviyo("POST", JOBS, data=json.dumps(body), headers=headers, authorized=True)

    return post


@pytest.fixture
def start(post):
    return lambda *profiles, **changes: check("klaviyo", "job", post(document(profiles, **changes)), 202)["data"]["id"]


def status(klaviyo, job_id):
    return check("klaviyo", "job", klaviyo("GET", f"{JOBS}/{job_id}"))["data"]["attributes"]


def counts(klaviyo, job_id):
    found = status(klaviyo, job_id)
    return tuple(found[name] for name in ("status", "total_count", "completed_count", "failed_count"))


def test_profiles_are_matched_by_any_identifier(klaviyo, start, sim):
    sim.contacts("klaviyo", [{"id": "01GD", "phone_number": "+15005550006"}])
    job_id = start(
        profile("a@example.com", first_name="Ann"),
        profile("A@example.com", external_id="7", first_name=None),
        profile(external_id="7", last_name="Lee"),
        profile(title="x") | {"id": "01GD"},
        relationships={"lists": {"data": [{"type": "list", "id": "Y6nRLr"}]}},
    )
    assert counts(klaviyo, job_id) == ("complete", 4, 4, 0)
    one, other = sim.contacts("klaviyo")
    assert (one["id"], one["title"]) == ("01GD", "x")
    assert (other["first_name"], other["last_name"], other["external_id"]) == ("Ann", "Lee", "7")  # null clears nothing


def test_complete_also_if_profiles_failed(klaviyo, start):
    job_id = start(profile("a@example.com"), profile("nobody", first_name="Bob"), profile(title="x") | {"id": "none"})
    assert counts(klaviyo, job_id) == ("complete", 3, 1, 2)
    page = check("klaviyo", "import_errors", klaviyo("GET", f"{JOBS}/{job_id}/import-errors"))
    errors = [error["attributes"] for error in page["data"]]
    assert [error["source"]["pointer"] for error in errors] == [f"{PROFILES}/1", f"{PROFILES}/2"]
    assert errors[0]["original_payload"] == {"email": "nobody", "first_name": "Bob"}
    assert errors[0]["detail"] == "A valid email is required."


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], None),
        ({"data": {"type": "profile"}}, "/data/type"),
        (document([]), PROFILES),
        (document([profile("a@example.com")] * 10_001), PROFILES),
        (document([profile("a@example.com"), {"type": "profile"}]), f"{PROFILES}/1"),
        (document([profile("a@example.com"), profile(first_name="Ann")]), f"{PROFILES}/1/attributes"),
        (document([profile("a@example.com", external_id=7)]), f"{PROFILES}/0/attributes/external_id"),
        (document([profile("a@example.com", title="x" * 100_000)]), f"{PROFILES}/0"),
        (document([profile("a@example.com", title="x" * 99_000)] * 51), "/data"),
        (document([profile("a@example.com")], relationships={"lists": {"data": [{"id": "Y6nRLr"}]}}), "/data/rel"),
    ],
)
def test_an_invalid_request_is_rejected_with_a_pointer_and_starts_nothing(post, sim, body, pointer):
    [error] = check("klaviyo", "error", post(body), 400)["errors"]
    assert error["source"]["pointer"].startswith(pointer or "/data")
    assert pointer in (None, "/data/rel", error["source"]["pointer"])
    assert sim.state()["klaviyo"]["jobs"] == sim.contacts("klaviyo") == []


def test_profiles_up_to_the_limits_are_accepted(klaviyo, start):
    job_id = start(*[profile(f"{n}@example.com") for n in range(10_000)])
    assert status(klaviyo, job_id)["completed_count"] == 10_000


def test_the_media_type_is_that_of_json_api(post, klaviyo):
    check("klaviyo", "error", post(document([profile("a@example.com")]), **{"Content-Type": "text/plain"}), 415)
    assert klaviyo("GET", "/api/accounts").headers["Content-Type"].startswith("application/vnd.api+json")


def test_import_errors_come_in_pages(klaviyo, sim):
    job_id = sim.job("klaviyo", states=["complete"], items=300, failed=250)
    url, sizes = f"{JOBS}/{job_id}/import-errors?page%5Bsize%5D=100", []
    while url:
        page = check("klaviyo", "import_errors", klaviyo("GET", url))
        sizes.append(len(page["data"]))
        url = (page["links"]["next"] or "").removeprefix(sim.url_of("klaviyo"))
    assert sizes == [100, 100, 50]
    assert len(klaviyo("GET", f"{JOBS}/{job_id}/import-errors").json()["data"]) == 20
    for bad in ("page[size]=0", "page[size]=101", "page[cursor]=x"):
        check("klaviyo", "error", klaviyo("GET", f"{JOBS}/{job_id}/import-errors?{bad}"), 400)


@pytest.mark.parametrize("word", ["queued", "processing", "complete", "cancelled"])
def test_every_state_has_the_documented_form(klaviyo, sim, word):
    job_id = sim.job("klaviyo", states=[word], items=3, failed=1)
    assert status(klaviyo, job_id)["status"] == word


def test_goes_through_every_state_and_has_errors_at_the_end(klaviyo, start, sim):
    sim.settings(job_seconds=1.5)
    job_id, seen = start(profile("nobody")), []
    while "complete" not in seen:
        errors = klaviyo("GET", f"{JOBS}/{job_id}/import-errors").json()["data"]
        found = status(klaviyo, job_id)
        assert found["failed_count"] == 1 if found["status"] == "complete" else not errors
        if found["status"] not in seen:
            seen.append(found["status"])
    assert seen == ["queued", "processing", "complete"]


def test_an_unknown_job_is_404(klaviyo):
    for path in ("none", "none/import-errors"):
        [error] = check("klaviyo", "error", klaviyo("GET", f"{JOBS}/{path}"), 404)["errors"]
        assert error["code"] == "not_found"


@pytest.mark.parametrize("revision", [None, "", "x", "2026", "2026-07-15x"])
def test_the_revision_is_required(klaviyo, revision):
    headers = {"Authorization": "Klaviyo-API-Key pk_klaviyo"} | ({} if revision is None else {"revision": revision})
    [error] = check("klaviyo", "error", klaviyo("GET", "/api/accounts", headers=headers), 400)["errors"]
    assert "is not a valid revision" in error["detail"]


def test_the_key_needs_its_scheme_and_tells_the_account(klaviyo):
    assert klaviyo("GET", "/api/accounts").json()["data"][0]["id"] == "AbC123"
    for value in ("pk_klaviyo", "Bearer pk_klaviyo", "Klaviyo-API-Key wrong"):
        headers = {"revision": "2026-07-15", "Authorization": value}
        [error] = check("klaviyo", "error", klaviyo("GET", "/api/accounts", headers=headers), 401)["errors"]
        assert error["code"] == "not_authenticated"


def test_a_rejection_by_the_rate_limit_has_a_retry_after_alone(klaviyo, sim):
    sim.settings(limits={"klaviyo": {"requests": 2, "per_seconds": 3600}})
    *good, refused = [klaviyo("GET", f"{JOBS}/none") for _ in range(3)]
    assert [answer.headers["RateLimit-Remaining"] for answer in good] == ["1", "0"]
    assert 0 < int(good[0].headers["RateLimit-Reset"]) <= 3600
    check("klaviyo", "error", refused, 429)
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert not [name for name in refused.headers if name.lower().startswith("ratelimit")]
