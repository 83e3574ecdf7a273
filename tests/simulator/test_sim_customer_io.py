# SPDX-License-Identifier: Apache-2.0
"""The simulated Customer.io has the documented formats, and reads files from its own storage only."""

from __future__ import annotations

import pytest
import requests
from simulator.documented_form import checked_caller

KEY = {"Authorization": "Bearer customer-io-app-key"}
STATES = [
    *("preprocessing", "preprocessed", "validating", "validated", "importing"),
    *("imported", "failed", "canceled"),
]


@pytest.fixture
def customer_io(sim):
    return checked_caller(sim, "customer_io", headers=KEY)


@pytest.fixture
def file_url(sim):
    """Put a file into the simulated storage; return its URL."""

    def put(text, name="people.csv"):
        url = f"{sim.url}/customer_io-files/{name}"
        assert requests.put(url, data=text.encode(), timeout=10).status_code == 200
        return f"{url}?X-Amz-Signature=signed"

    return put


def people(url, **values):
    return {"import": {"name": "crm", "type": "people", "identifier": "email", "data_file_url": url, **values}}


@pytest.mark.parametrize(
    ("form", "status", "method", "path", "body"),
    [
        ("workspaces", 200, "GET", "/v1/workspaces", None),
        ("import", 200, "POST", "/v1/imports", people("https://bucket.example.com/a.csv")),
        ("import", 200, "POST", "/v1/imports", people("https://a.example.com", type="object", object_type_id="1")),
        ("errors", 422, "POST", "/v1/imports", {}),
        ("errors", 422, "POST", "/v1/imports", people(None)),
        ("errors", 422, "POST", "/v1/imports", people("https://a.example.com", identifier="cio_id")),
        ("errors", 422, "POST", "/v1/imports", people("https://a.example.com", type="object")),
        ("errors", 404, "GET", "/v1/imports/1", None),
        ("errors", 404, "GET", "/v1/exports/1/download", None),
    ],
)
def test_responses_have_the_documented_form(customer_io, form, status, method, path, body):
    customer_io(method, path, form, status, json=body)


def test_every_state_has_the_documented_form(customer_io, sim):
    job_id = sim.job("customer_io", states=STATES, items=2, failed=1)
    for state in STATES:
        assert customer_io("GET", f"/v1/imports/{job_id}", "import").json()["import"]["state"] == state


def test_failed_rows_are_in_a_report_at_a_signed_url(customer_io, file_url):
    url = file_url("email,plan\na@example.com,pro\nnobody,free\n")
    number = customer_io("POST", "/v1/imports", "import", json=people(url)).json()["import"]["id"]
    found = customer_io("GET", f"/v1/imports/{number}", "import").json()["import"]
    assert (found["state"], found["rows_to_import"], found["rows_imported"]) == ("imported", 2, 1)
    assert "data_file_url" not in found
    report = f"/v1/exports/{found['error_export_id']}/download"
    signed = customer_io("GET", report, "download").json()["url"]
    customer_io("GET", report, "errors", 401, headers={})
    assert requests.get(signed, headers=KEY, timeout=10).status_code == 400
    assert requests.get(signed, timeout=10).text.splitlines()[1].startswith("nobody,")


@pytest.mark.parametrize(
    ("text", "reason"),
    [(None, "The file could not be downloaded."), ("id\n1\n", "The file has no column with the identifier.")],
)
def test_file_is_read_after_the_submit(customer_io, file_url, text, reason):
    url = file_url(text) if text else "https://bucket.example.com/missing.csv"
    number = customer_io("POST", "/v1/imports", "import", json=people(url)).json()["import"]["id"]
    found = customer_io("GET", f"/v1/imports/{number}", "import").json()["import"]
    assert (found["state"], found["error"]) == ("failed", reason)


def test_contacts_file_is_always_there(customer_io, sim):
    url = f"{sim.url}/customer_io-files/contacts.csv"
    number = customer_io("POST", "/v1/imports", "import", json=people(url)).json()["import"]["id"]
    found = customer_io("GET", f"/v1/imports/{number}").json()["import"]
    assert (found["rows_to_import"], found["rows_imported"]) == (1000, 970)


def test_limit_has_no_headers(customer_io, sim):
    sim.settings(limits={"customer_io": {"requests": 1, "per_seconds": 10_000_000}})
    customer_io("GET", "/v1/workspaces")
    rejected = customer_io("GET", "/v1/workspaces", "errors", 429)
    assert not {name for name in rejected.headers if "limit" in name.lower() or name == "Retry-After"}


def test_missing_scope_has_the_other_form(customer_io, sim):
    sim.fault("customer_io", "server_error", status=403)
    customer_io("GET", "/v1/workspaces", status=403)
