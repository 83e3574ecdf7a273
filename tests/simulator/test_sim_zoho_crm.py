# SPDX-License-Identifier: Apache-2.0
"""The simulated Zoho CRM has the documented formats: zipped uploads, failures with status 200, zipped results."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest
import requests
from simulator.documented_form import check_form

from airflow_provider_bulkjobs.vendors.zoho_crm import simulated

REFRESH = {
    "grant_type": "refresh_token",
    "refresh_token": "1000.zoho-refresh",
    "client_id": "zoho-client",
    "client_secret": "zoho-secret",
}
TOKEN, UPLOAD, WRITE = "/oauth/v2/token", "/crm/v8/upload", "/crm/bulk/v8/write"
UPLOAD_HEADERS = {"feature": "bulk-write", "X-CRM-ORG": "60001234567"}
ROWS = "Last_Name,Email,Phone,City\nA,a@example.com,1,Turin\nB,nobody,2,Rome\nC,,3,Bari\n"
FIELDS = ["Last_Name", "Email", "Phone", "City"]


def zipped(text):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("contacts.csv", text)
    return data.getvalue()


def resource(file_id, fields=FIELDS, **more):
    mappings = [{"api_name": name, "index": index} for index, name in enumerate(fields)]
    contacts = {"type": "data", "module": {"api_name": "Contacts"}, "field_mappings": mappings}
    return {**contacts, "file_id": file_id, "find_by": "Email", **more}


@pytest.fixture
def zoho(sim):
    token = requests.post(sim.url_of("zoho_crm") + TOKEN, data=REFRESH, timeout=10).json()["access_token"]

    def call(method, path, form=None, status=200, headers=None, scheme="Zoho-oauthtoken", **body):
        url = path if path.startswith("http") else sim.url_of("zoho_crm") + path
        headers = {"Authorization": f"{scheme} {token}", **(headers or {})}
        response = requests.request(method, url, headers=headers, timeout=10, **body)
        assert response.status_code == status, response.text
        if form:
            check_form("zoho_crm", form, response.json())
        return response

    return call


@pytest.fixture
def upload(zoho):
    def send(form, data, headers=UPLOAD_HEADERS):
        return zoho("POST", UPLOAD, form, headers=headers, files={"file": ("a.zip", data, "application/zip")}).json()

    return send


@pytest.fixture
def create(zoho, upload):
    def create(text=ROWS, operation="upsert", **more):
        file_id = upload("uploaded", zipped(text))["details"]["file_id"]
        fields = text.partition("\n")[0].split(",")
        body = {"operation": operation, "resource": [resource(file_id, fields, **more)]}
        return zoho("POST", WRITE, "created", 201, json=body).json()["details"]["id"]

    return create


def counts_of(job):
    file = job["resource"][0]["file"]
    return [file[f"{name}_count"] for name in ("added", "updated", "skipped", "total")]


def rows_of(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        [name] = files.namelist()
        assert name.endswith(".csv")
        return list(csv.reader(io.StringIO(files.read(name).decode(), newline="")))


def test_job_has_counts_and_a_zipped_result_with_three_columns(zoho, create):
    job = zoho("GET", f"{WRITE}/{create()}", "job").json()
    assert (job["status"], counts_of(job)) == ("COMPLETED", [1, 0, 2, 3])
    result = zoho("GET", job["result"]["download_url"])
    assert result.headers["Content-Type"] == "application/octet-stream"
    header, *rows = rows_of(result.content)
    assert header == ["Last_Name", "Email", "Phone", "STATUS", "RECORD_ID", "ERRORS"]
    assert [(row[1], row[3], bool(row[4]), row[5]) for row in rows] == [
        ("a@example.com", "ADDED", True, ""),
        ("nobody", "SKIPPED", False, "INVALID_DATA-Email"),
        ("", "SKIPPED", False, "MANDATORY_NOT_FOUND-Email"),
    ]


def test_result_needs_the_token(zoho, create):
    url = zoho("GET", f"{WRITE}/{create()}").json()["result"]["download_url"]
    assert zoho("GET", url, "error", 401, scheme="Bearer").json()["code"] == "INVALID_TOKEN"


def test_every_state_has_the_documented_form(zoho, sim):
    states = ["ADDED", "IN PROGRESS", "COMPLETED", "FAILED", "SKIPPED"]
    job_id = sim.job("zoho_crm", states=states, items=3, failed=1)
    for state in states:
        job = zoho("GET", f"{WRITE}/{job_id}", "job").json()
        assert job["status"] == (state if state in states[:3] else "COMPLETED")
        assert job["resource"][0]["status"] == job["resource"][0]["file"]["status"] == state
        assert ("result" in job) is (state == "COMPLETED")


@pytest.mark.parametrize(("operation", "expected"), [("insert", [1, 0]), ("upsert", [0, 1]), ("update", [0, 1])])
def test_operation_decides_what_happens_to_a_record_that_exists(operation, expected, zoho, create):
    create("Email\na@example.com\n")
    job = zoho("GET", f"{WRITE}/{create(f'Email{chr(10)}a@example.com{chr(10)}', operation)}").json()
    assert counts_of(job)[:2] == expected


def test_update_finds_records_by_id(zoho, sim, create):
    [known] = sim.contacts("zoho_crm", [{"Last_Name": "A"}])
    job_id = create(f"id,City\n{known['id']},Turin\n4876876000000999999,Rome\n", "update", find_by="id")
    job = zoho("GET", f"{WRITE}/{job_id}").json()
    assert counts_of(job) == [0, 1, 1, 2]
    assert rows_of(zoho("GET", job["result"]["download_url"]).content)[2][-1] == "RESOURCE_NOT_FOUND-id"


def test_blanks_overwrite_unless_they_are_ignored(zoho, sim, create, upload):
    create("Email,City\na@example.com,Turin\n")
    for ignored, city in ((True, "Turin"), (False, "")):
        file_id = upload("uploaded", zipped("Email,City\na@example.com,\n"))["details"]["file_id"]
        one = resource(file_id, ["Email", "City"])
        body = {"operation": "upsert", "ignore_empty": ignored, "resource": [one]}
        zoho("POST", WRITE, "created", 201, json=body)
        assert sim.contacts("zoho_crm")[0]["City"] == city


def test_file_may_have_several_jobs(zoho, upload):
    file_id = upload("uploaded", zipped(ROWS))["details"]["file_id"]
    body = {"operation": "insert", "resource": [resource(file_id)]}
    first, second = (zoho("POST", WRITE, "created", 201, json=body).json() for _ in range(2))
    assert first["details"]["id"] != second["details"]["id"]


def test_refused_upload_has_status_200(upload, monkeypatch):
    assert upload("upload_error", zipped(ROWS), headers={"feature": "bulk-write"})["ERROR_CODE"] == 400
    assert upload("error", b"Email\na@example.com\n")["code"] == "INVALID_FILE_FORMAT"
    wide = ",".join(f"F{number}" for number in range(201))
    assert upload("error", zipped(f"{wide}\n{wide}\n"))["code"] == "FILE_NOT_SUPPORTED"
    assert upload("error", zipped("Email\n" + "a\n" * 25_001))["code"] == "FILE_NOT_SUPPORTED"
    upload("uploaded", zipped("Email\n" + "a\n" * 25_000))
    assert simulated.MAX_BYTES == 25_000_000
    monkeypatch.setattr(simulated, "MAX_BYTES", 10)
    assert upload("error", zipped(ROWS))["code"] == "FILE_TOO_LARGE"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"resource": [{}]}, "MANDATORY_NOT_FOUND"),
        ({"operation": "upsert", "resource": [{"file_id": "1"}]}, "MANDATORY_NOT_FOUND"),
        ({"operation": "insert", "resource": [{"file_id": "1"}]}, "INVALID_FILE_ID"),
    ],
)
def test_refused_job_has_status_400(body, code, zoho):
    assert zoho("POST", WRITE, "error", 400, json=body).json()["code"] == code


def test_column_that_the_file_does_not_have_is_refused(zoho, upload):
    file_id = upload("uploaded", zipped("Email\na@example.com\n"))["details"]["file_id"]
    body = {"operation": "insert", "resource": [resource(file_id, ["Email", "City"])]}
    assert zoho("POST", WRITE, "error", 400, json=body).json()["code"] == "COLUMN_INDEX_NOT_FOUND"


def test_unknown_job_has_status_400(zoho):
    assert zoho("GET", f"{WRITE}/1", "error", 400).json()["code"] == "RESOURCE_NOT_FOUND"
    assert zoho("GET", "/crm/v8/nowhere", "error", 404).json()["code"] == "INVALID_URL_PATTERN"


def test_token_comes_with_the_address_of_the_api(sim, zoho):
    url = sim.url_of("zoho_crm") + TOKEN
    body = requests.post(url, data=REFRESH, timeout=10).json()
    check_form("zoho_crm", "token", body)
    assert body["api_domain"] == sim.url_of("zoho_crm")
    refused = requests.post(url, data={**REFRESH, "refresh_token": "wrong"}, timeout=10)
    assert (refused.status_code, refused.json()) == (200, {"error": "invalid_code"})
    assert zoho("GET", "/crm/v8/org", "organization").json()["org"][0]["zgid"] == "60001234567"


def test_job_costs_as_much_as_500_other_requests(zoho, sim, create):
    limits = {limit.name: limit.limit.requests for limit in simulated.SimulatedZohoCRM.limits}
    assert limits[""] == 500 * limits["zoho_crm_jobs"]
    sim.settings(limits={"zoho_crm_jobs": {"requests": 1, "per_seconds": 86_400}})
    create()
    response = zoho("POST", WRITE, "error", 429, json={})
    assert response.json()["code"] == "TOO_MANY_REQUESTS"
    assert "Retry-After" not in response.headers


def test_credits_are_in_a_header_once_half_are_used(zoho, sim):
    sim.settings(limits={"zoho_crm": {"requests": 4, "per_seconds": 86_400}})
    found = [zoho("GET", "/crm/v8/org").headers.get("X-API-CREDITS-REMAINING") for _ in range(3)]
    assert found == [None, "2", "1"]


def test_faults_have_the_documented_form(zoho, sim):
    for fault, status, code in (
        ("rate_limit", 429, "TOO_MANY_REQUESTS"),
        ("unauthorized", 401, "INVALID_TOKEN"),
        ("scope_mismatch", 401, "OAUTH_SCOPE_MISMATCH"),
        ("server_error", 500, "INTERNAL_ERROR"),
    ):
        sim.fault("zoho_crm", fault, count=1)
        assert zoho("GET", "/crm/v8/org", "error", status).json()["code"] == code
