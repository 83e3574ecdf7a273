# SPDX-License-Identifier: Apache-2.0
"""The simulated Marketo has the documented formats: failures with status 200, three families, two files, a queue."""

from __future__ import annotations

import pytest
import requests
from simulator.documented_form import check_form, checked_caller

from airflow_provider_bulkjobs.vendors.marketo import simulated

CLIENT = {"grant_type": "client_credentials", "client_id": "marketo-client", "client_secret": "marketo-secret"}
TOKEN = "/identity/oauth/token"
LEADS = "/bulk/v1/leads.json?format=csv"
MEMBERS = "/bulk/v1/program/1044/members/import.json?format=CSV"
OBJECTS = "/bulk/v1/customobjects/vehicle_c/import.json?format=csv"
SUBMITS = {
    "leads": (LEADS, "/bulk/v1/leads/batch/{}{}"),
    "program_members": (f"{MEMBERS}&programMemberStatus=On+List", "/bulk/v1/program/members/import/{}{}"),
    "custom_objects": (OBJECTS, "/bulk/v1/customobjects/vehicle_c/import/{}{}"),
}
STATUS = {"leads": ".json", "program_members": "/status.json", "custom_objects": "/status.json"}
STATES = ["Queued", "Importing", "Complete", "Failed"]
ROWS = "email,vin,leadScore\na@example.com,1,12\nb@example.com,2,high\nnobody,3,1\n,,5\n"


@pytest.fixture
def marketo(sim):
    token = requests.post(sim.url_of("marketo") + TOKEN, params=CLIENT, timeout=10).json()["access_token"]
    checked = checked_caller(sim, "marketo", headers={"Authorization": f"Bearer {token}"})

    def call(*arguments, csv=None, **how):
        return checked(*arguments, files=None if csv is None else {"file": ("records.csv", csv, "text/csv")}, **how)

    return call


def code_of(response):
    return response.json()["errors"][0]["code"]


@pytest.mark.parametrize("kind", SUBMITS)
def test_import_has_counts_and_files(marketo, kind):
    submit, path = SUBMITS[kind]
    job_id = marketo("POST", submit, kind, csv=ROWS).json()["result"][0]["batchId"]
    [result] = marketo("GET", path.format(job_id, STATUS[kind]), kind).json()["result"]
    processed = result.get("numOfLeadsProcessed", result.get("numOfObjectsProcessed"))
    assert (result["status"], processed, result["numOfRowsFailed"], result["numOfRowsWithWarning"]) == (
        "Complete",
        2,
        2,
        1,
    )
    failures = marketo("GET", path.format(job_id, "/failures.json"))
    assert failures.headers["Content-Type"].startswith("text/csv")
    assert failures.text.splitlines() == [
        "email,vin,leadScore,Import Failure Reason",
        "b@example.com,2,high,Invalid data type in field Lead Score",
        ",,5,missing.dedupe.fields",
    ]
    warnings = marketo("GET", path.format(job_id, "/warnings.json")).text
    assert warnings.splitlines()[1:] == ["nobody,3,1,Invalid email address"]


@pytest.mark.parametrize("kind", SUBMITS)
def test_every_state_has_the_documented_form(marketo, sim, kind):
    job_id = sim.job("marketo", kind, states=STATES, items=3, failed=1)
    for state in STATES:
        [result] = marketo("GET", SUBMITS[kind][1].format(job_id, STATUS[kind]), kind).json()["result"]
        assert result["status"] == state
        assert ("numOfRowsFailed" in result) is (state != "Queued")


def test_import_without_failures_has_no_file(marketo):
    job_id = marketo("POST", LEADS, csv="email\na@example.com\n").json()["result"][0]["batchId"]
    for file in ("failures", "warnings"):
        assert marketo("GET", f"/bulk/v1/leads/batch/{job_id}/{file}.json", status=404).text == ""


@pytest.mark.parametrize(
    ("code", "method", "path", "csv"),
    [
        ("1002", "POST", "/bulk/v1/leads.json", ROWS),
        ("1002", "POST", MEMBERS, ROWS),
        ("1003", "POST", LEADS, "email\n"),
        ("610", "GET", "/bulk/v1/leads/batch/1.json", None),
        ("610", "GET", "/nowhere", None),
    ],
)
def test_failure_has_status_200(marketo, code, method, path, csv):
    assert code_of(marketo(method, path, "error", csv=csv)) == code


def test_file_of_ten_megabytes_is_too_large(marketo, monkeypatch):
    assert simulated.MAX_BYTES == 10_000_000
    monkeypatch.setattr(simulated, "MAX_BYTES", 1000)
    marketo("POST", LEADS, "leads", csv="email\n" + "x" * 993)
    marketo("POST", LEADS, status=413, csv="email\n" + "x" * 994)


def test_object_is_a_part_of_the_address(marketo):
    job_id = marketo("POST", OBJECTS, csv="vin\n1\n").json()["result"][0]["batchId"]
    assert code_of(marketo("GET", f"/bulk/v1/customobjects/other_c/import/{job_id}/status.json", "error")) == "610"


def test_ids_only_update_leads(marketo, sim):
    [lead] = sim.contacts("marketo", [{"email": "a@example.com"}])
    rows = f"id,city\n{lead['id']},Turin\n999,Rome\n"
    job_id = marketo("POST", f"{LEADS}&lookupField=id", csv=rows).json()["result"][0]["batchId"]
    [result] = marketo("GET", f"/bulk/v1/leads/batch/{job_id}.json").json()["result"]
    assert (result["numOfLeadsProcessed"], result["numOfRowsFailed"]) == (1, 1)


def test_two_imports_run_and_ten_are_queued(marketo, sim):
    sim.settings(job_seconds=3600)
    for _ in range(10):
        marketo("POST", LEADS, "leads", csv="email\na@example.com\n")
    assert code_of(marketo("POST", LEADS, "error", csv="email\na@example.com\n")) == "1016"


def test_third_import_begins_after_the_first(marketo, sim):
    sim.settings(job_seconds=0.6)
    ids = [marketo("POST", LEADS, csv="email\na@example.com\n").json()["result"][0]["batchId"] for _ in range(3)]

    def states():
        return [marketo("GET", f"/bulk/v1/leads/batch/{each}.json").json()["result"][0]["status"] for each in ids]

    seen = [states()]
    while seen[-1] != ["Complete"] * 3:
        seen.append(states())
    assert all(third == "Queued" for first, _, third in seen if first != "Complete")


def test_token_is_the_same_until_it_expires(marketo, sim):
    url = sim.url_of("marketo") + TOKEN
    first, second = (requests.get(url, params=CLIENT, timeout=10).json() for _ in range(2))
    check_form("marketo", "token", first)
    assert first["access_token"] == second["access_token"]
    assert second["expires_in"] <= first["expires_in"]
    sim.revoke_tokens()
    assert code_of(marketo("GET", "/rest/v1/stats/usage.json", "error")) == "601"
    assert requests.get(url, params=CLIENT, timeout=10).json()["access_token"] != first["access_token"]


def test_client_secret_and_token_are_required(marketo):
    query = "?grant_type=client_credentials&client_id=marketo-client&client_secret=wrong"
    marketo("GET", TOKEN + query, "token_error", status=401, headers={})
    assert code_of(marketo("GET", "/rest/v1/stats/usage.json", "error", headers={})) == "601"
    marketo("GET", "/rest/v1/stats/usage.json", "usage")


def test_faults_have_the_documented_form(marketo, sim):
    for fault, code in (("rate_limit", "606"), ("access_denied", "603"), ("unauthorized", "601")):
        sim.fault("marketo", fault, count=1)
        response = marketo("GET", "/rest/v1/stats/usage.json", "error")
        assert code_of(response) == code
        assert "Retry-After" not in response.headers
    sim.fault("marketo", "queue_full", count=1)
    assert code_of(marketo("POST", LEADS, "error", csv=ROWS)) == "1016"
    sim.fault("marketo", "server_error", count=1)
    marketo("GET", "/rest/v1/stats/usage.json", status=500)
