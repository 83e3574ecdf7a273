# SPDX-License-Identifier: Apache-2.0
"""The simulated Mailchimp has the documented formats, and operations whose outcomes are in an archive only."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest
import requests
from simulator.documented_form import check_form, checked_caller

KEY = ("anystring", "f0e1d2c3b4a5968778695a4b3c2d1e0f-us19")
STATES = ["pending", "preprocessing", "started", "finalizing", "finished"]


@pytest.fixture
def mailchimp(sim):
    return checked_caller(sim, "mailchimp", auth=KEY)


def operation(method, email, path="", audience="57afe96172", hashed=str.lower, **body):
    member = hashlib.md5(hashed(email).encode()).hexdigest()
    made = {"method": method, "path": f"/lists/{audience}/members/{member}{path}", "operation_id": email}
    return {**made, "body": json.dumps(body)} if body else made


def upsert(email, **how):
    return operation("PUT", email, email_address=email, status_if_new="subscribed", **how)


@pytest.fixture
def run_batch(mailchimp):
    """Run operations; return the counts of the batch, and its responses by the ids of the operations."""

    def run(*operations):
        batch = mailchimp("POST", "/3.0/batches", "batch", json={"operations": operations}).json()
        assert (batch["status"], batch["total_operations"]) == ("pending", 0)
        while batch["status"] != "finished":
            batch = mailchimp("GET", f"/3.0/batches/{batch['id']}", "batch").json()
        archive = requests.get(batch["response_body_url"], timeout=10).content
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
            responses = [each for member in files for each in json.load(files.extractfile(member))]
        for each in responses:
            check_form("mailchimp", "response", each)
            if each["status_code"] >= 400:
                check_form("mailchimp", "error", json.loads(each["response"]))
        counts = tuple(batch[f"{name}_operations"] for name in ("total", "finished", "errored"))
        return counts, {each["operation_id"]: each["status_code"] for each in responses}

    return run


@pytest.mark.parametrize(
    ("form", "status", "method", "path", "body"),
    [
        ("account", 200, "GET", "/3.0/?fields=account_id,account_name", None),
        ("batches", 200, "GET", "/3.0/batches?count=1&fields=total_items", None),
        ("batch", 200, "POST", "/3.0/batches", {"operations": []}),
        ("error", 400, "POST", "/3.0/batches", {}),
        ("error", 400, "POST", "/3.0/batches", []),
        ("error", 400, "POST", "/3.0/batches", {"operations": [{}] * 1001}),
        ("error", 404, "GET", "/3.0/batches/8b2428d747", None),
        ("error", 404, "DELETE", "/3.0/batches/8b2428d747", None),
        ("error", 404, "GET", "/3.0/nowhere", None),
    ],
)
def test_responses_have_the_documented_form(mailchimp, form, status, method, path, body):
    mailchimp(method, path, form, status, json=body)


def test_every_state_has_the_documented_form(mailchimp, sim):
    job_id = sim.job("mailchimp", states=STATES, items=4, failed=1)
    batches = [mailchimp("GET", f"/3.0/batches/{job_id}", "batch").json() for _ in STATES]
    assert [batch["status"] for batch in batches] == STATES
    assert [batch["total_operations"] for batch in batches] == [0, 0, 4, 4, 4]
    assert [batch["finished_operations"] for batch in batches] == [0, 0, 2, 4, 4]
    assert [batch["errored_operations"] for batch in batches] == [0, 0, 0, 1, 1]


def test_outcomes_are_in_the_archive_only(run_batch):
    counts, responses = run_batch(upsert("Ann@Example.com"), upsert("nobody"), upsert("b@example.com"))
    assert counts == (3, 3, 1)
    assert responses == {"Ann@Example.com": 200, "nobody": 400, "b@example.com": 200}


def test_contacts_are_found_by_the_hash_of_the_lower_case_address(run_batch, sim):
    counts, _ = run_batch(upsert("ann@example.com"))
    assert counts == (1, 1, 0)
    tags = {"tags": [{"name": "vip", "status": "active"}]}
    counts, responses = run_batch(
        operation("POST", "ANN@example.com", "/tags", **tags),
        operation("POST", "nobody@example.com", "/tags", **tags),
        operation("DELETE", "Ann@example.com", hashed=str),
    )
    assert (counts, list(responses.values())) == ((3, 3, 2), [204, 404, 404])
    assert sim.contacts("mailchimp")[0]["tags"] == tags["tags"]
    assert run_batch(upsert("Cid@example.com", hashed=str))[1] == {"Cid@example.com": 400}


def test_archived_contact_cannot_be_archived_again(run_batch, sim):
    run_batch(upsert("ann@example.com"))
    archive = operation("DELETE", "ann@example.com")
    assert run_batch(archive)[1] == {"ann@example.com": 204}
    assert run_batch(archive)[1] == {"ann@example.com": 404}
    assert sim.contacts("mailchimp") == []


def test_wrong_audience_fails_every_operation(run_batch):
    counts, responses = run_batch(upsert("a@example.com", audience="x"), upsert("b@example.com", audience="x"))
    assert (counts, set(responses.values())) == ((2, 2, 2), {404})


def test_canceled_batch_is_deleted(mailchimp, sim):
    job_id = sim.job("mailchimp", states=["started"])
    mailchimp("DELETE", f"/3.0/batches/{job_id}", status=204)
    mailchimp("GET", f"/3.0/batches/{job_id}", "error", 404)


def test_key_is_required_with_any_user(mailchimp):
    mailchimp("GET", "/3.0/", "account", auth=("somebody", KEY[1]))
    for auth in (None, ("anystring", "another-us19")):
        assert mailchimp("GET", "/3.0/", "error", 401, auth=auth).json()["title"] == "API Key Invalid"


def test_throttling_may_have_no_body(mailchimp, sim):
    sim.fault("mailchimp", "bare_403", count=1)
    assert mailchimp("GET", "/3.0/batches", status=403).content == b""
    sim.fault("mailchimp", "rate_limit", count=1)
    assert "Retry-After" not in mailchimp("GET", "/3.0/batches", "error", 429).headers
