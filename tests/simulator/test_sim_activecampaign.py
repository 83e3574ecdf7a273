# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

SUBMIT = "/api/3/import/bulk_import"
INFO = "/api/3/import/info"


def contacts(*emails):
    return {"contacts": [{"email": email} for email in emails]}


def test_import_lists_created_ids_and_failed_addresses(activecampaign):
    answer = activecampaign("POST", SUBMIT, json=contacts("a@example.com", "b@example.com", "c.example.com"))
    assert answer.status_code == 200
    assert (answer.json()["Success"], answer.json()["queued_contacts"]) == (1, 3)
    done = activecampaign("GET", INFO, params={"batchId": answer.json()["batchId"]}).json()
    assert done["status"] == "completed"
    assert len(done["success"]) == 2
    assert done["failure"] == ["c.example.com"]

    again = activecampaign("POST", SUBMIT, json=contacts("a@example.com", "d@example.com")).json()
    done = activecampaign("GET", INFO, params={"batchId": again["batchId"]}).json()
    assert len(done["success"]) == 1  # updated contacts are not listed


def test_completed_even_if_all_contacts_fail(activecampaign):
    batch = activecampaign("POST", SUBMIT, json=contacts("c.example.com")).json()["batchId"]
    done = activecampaign("GET", INFO, params={"batchId": batch}).json()
    assert done == {"status": "completed", "success": [], "failure": ["c.example.com"]}


def test_goes_through_every_state(activecampaign, sim):
    sim.settings(job_seconds=0.4)
    batch = activecampaign("POST", SUBMIT, json=contacts("a@example.com")).json()["batchId"]
    seen = []
    while "completed" not in seen:
        word = activecampaign("GET", INFO, params={"batchId": batch}).json()["status"]
        if word not in seen:
            seen.append(word)
    assert seen == [False, "waiting", "claimed", "active", "completed"]


def test_unknown_batch_is_false_and_expired_batch_is_404(activecampaign, sim):
    assert activecampaign("GET", INFO, params={"batchId": "nothing"}).json()["status"] is False
    missing = activecampaign("GET", INFO)
    assert missing.status_code == 400
    assert missing.json() == {"success": 0, "message": "'batchId' is a required field."}
    batch = activecampaign("POST", SUBMIT, json=contacts("a@example.com")).json()["batchId"]
    sim.expire(batch)
    assert activecampaign("GET", INFO, params={"batchId": batch}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"contacts": []},
        contacts(*["a@example.com"] * 251),
        {"contacts": [{"email": "a@example.com", "first_name": "x" * 400_000}]},
        {"contacts": [{"email": "a@example.com"}, {"phone": "1"}]},
        [],
    ],
)
def test_invalid_contact_rejects_whole_batch(activecampaign, sim, body):
    answer = activecampaign("POST", SUBMIT, json=body)
    assert answer.status_code == 400
    assert answer.json()["success"] == 0
    assert answer.json()["message"] == "JSON payload did not pass validation."
    assert answer.json()["failureReasons"]
    assert sim.state()["activecampaign"]["contacts"]["total"] == 0


def test_reason_names_the_contact(activecampaign):
    answer = activecampaign("POST", SUBMIT, json={"contacts": [{"email": "a@example.com"}, {"phone": "1"}]})
    assert [reason["contact"] for reason in answer.json()["failureReasons"]] == [1]


def test_a_bad_key_is_403(activecampaign):
    assert activecampaign("GET", "/api/3/users/me").json()["user"]["id"] == "1"
    assert activecampaign("GET", "/api/3/users/me", headers={"Api-Token": "wrong"}).status_code == 403
    assert activecampaign("GET", "/api/3/users/me", headers={}).status_code == 403


def test_rate_limit_is_429_and_import_limit_is_400(activecampaign, sim):
    hour = 3600
    sim.settings(limits={"activecampaign_imports": {"requests": 1, "per_seconds": hour}})
    assert activecampaign("POST", SUBMIT, json=contacts("a@example.com")).status_code == 200
    refused = activecampaign("POST", SUBMIT, json=contacts("a@example.com"))
    assert refused.status_code == 400
    assert refused.json()["message"] == "Rate limit exceeded."
    assert refused.json()["failureReasons"] == ["Up to 1 imports may be requested per minute."]

    sim.settings(limits={"activecampaign_imports": None, "activecampaign": {"requests": 2, "per_seconds": hour}})
    answers = [activecampaign("GET", "/api/3/users/me") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= hour
    assert "Retry-After" not in answers[1].headers


def test_totals_by_day(activecampaign, sim):
    activecampaign("POST", SUBMIT, json=contacts("a@example.com", "b@example.com"))
    sim.settings(job_seconds=3600)
    activecampaign("POST", SUBMIT, json=contacts("c@example.com"))
    totals = activecampaign("GET", SUBMIT).json()
    assert [(day["batches"], day["contacts"]) for day in totals["recentlyCompleted"]] == [("1", "2")]
    assert [(day["batches"], day["contacts"]) for day in totals["outstanding"]] == [("1", "1")]
