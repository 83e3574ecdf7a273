# SPDX-License-Identifier: Apache-2.0
"""The simulated Shopify has the documented formats; an operation runs the lines of a staged file."""

from __future__ import annotations

import json

import pytest
import requests
from simulator.documented_form import check_form, checked_caller

API = "/admin/api/2026-10/graphql.json"
TOKEN = {"X-Shopify-Access-Token": "shpat_simulator"}
CLIENT = {"grant_type": "client_credentials", "client_id": "shopify-client", "client_secret": "shopify-secret"}
FILE = {"resource": "BULK_MUTATION_VARIABLES", "filename": "f.jsonl", "mimeType": "text/jsonl", "httpMethod": "POST"}
STAGE = "mutation($input: [StagedUploadInput!]!) { stagedUploadsCreate(input: $input) { userErrors { message } } }"
RUN = (
    "mutation($mutation: String!, $path: String!) "
    "{ bulkOperationRunMutation(mutation: $mutation, stagedUploadPath: $path) { userErrors { code } } }"
)
SET = "mutation call($identifier: CustomerSetIdentifiers, $input: CustomerSetInput!) { customerSet(input: $input)"
SET += " { customer { id } userErrors { code field message } } }"
CREATE = "mutation call($input: CustomerInput!) { customerCreate(input: $input) { userErrors { field message } } }"
QUERY = "query($id: ID!) { bulkOperation(id: $id) { id status } }"
CANCEL = "mutation($id: ID!) { bulkOperationCancel(id: $id) { userErrors { field message } } }"
STATES = ["CREATED", "RUNNING", "COMPLETED", "CANCELED", "FAILED", "EXPIRED"]
CUSTOMERS = ({"email": "a@example.com"}, {"email": "nobody"}, {"email": "c@example.com"})


@pytest.fixture
def call(sim):
    checked = checked_caller(sim, "shopify")

    def call(text, variables=None, form="response", status=200, headers=TOKEN, path=API):
        return checked("POST", path, form, status, json={"query": text, "variables": variables}, headers=headers)

    return call


@pytest.fixture
def stage(call):
    """Stage a file; return its path in the storage."""

    def stage(customers=CUSTOMERS, headers=None, status=201, first=False):
        body = call(STAGE, {"input": [{**FILE, "fileSize": "100"}]}).json()
        [target] = body["data"]["stagedUploadsCreate"]["stagedTargets"]
        fields = [(each["name"], (None, each["value"])) for each in target["parameters"]]
        lines = "\n".join(json.dumps({"identifier": {}, "input": each}) for each in customers)
        file = ("file", ("f.jsonl", lines))
        parts = [file, *fields] if first else [*fields, file]
        response = requests.post(target["url"], files=parts, headers=headers, timeout=10)
        assert response.status_code == status, response.text
        return next(each["value"] for each in target["parameters"] if each["name"] == "key")

    return stage


@pytest.fixture
def start(call, stage):
    def start(mutation=SET, path=None):
        variables = {"mutation": mutation, "path": stage() if path is None else path}
        return call(RUN, variables).json()["data"]["bulkOperationRunMutation"]

    return start


@pytest.fixture
def operation(call):
    def operation(job_id):
        return call(QUERY, {"id": job_id}).json()["data"]["bulkOperation"]

    return operation


def test_every_state_has_the_documented_form(operation, sim):
    job_id = sim.job("shopify", states=STATES, items=2, failed=1)
    for state in STATES:
        found = operation(job_id)
        assert found["status"] == state
        assert (found["url"] is not None, found["partialDataUrl"] is not None) == (
            state == "COMPLETED",
            state in {"CANCELED", "FAILED"},
        )


@pytest.mark.parametrize(("mutation", "code"), [(SET, "INVALID"), (CREATE, None)])
def test_completed_operation_does_not_say_what_failed(start, operation, sim, mutation, code):
    found = operation(start(mutation)["bulkOperation"]["id"])
    assert (found["status"], found["objectCount"]) == ("COMPLETED", "3")
    rows = [json.loads(line) for line in requests.get(found["url"], timeout=10).text.splitlines()]
    for row in rows:
        check_form("shopify", "line", row)
    [bad] = [row for row in rows for each in row["data"].values() if each["userErrors"]]
    [result] = bad["data"].values()
    assert (bad["__lineNumber"], result["customer"]) == (1, None)
    assert result["userErrors"][0].get("code") == code
    assert len(sim.contacts("shopify")) == 2


def test_file_is_returned_in_pieces(start, operation):
    url = operation(start()["bulkOperation"]["id"])["url"]
    whole = requests.get(url, timeout=10).content
    piece = requests.get(url, headers={"Range": "bytes=5-9"}, timeout=10)
    assert (piece.status_code, piece.content) == (206, whole[5:10])
    assert piece.headers["Content-Range"] == f"bytes 5-9/{len(whole)}"
    rest = requests.get(url, headers={"Range": "bytes=10-99999"}, timeout=10)
    assert (rest.status_code, rest.content) == (206, whole[10:])
    assert requests.get(url, headers={"Range": "bytes=9999-99999"}, timeout=10).status_code == 416


def test_customers_are_found_by_email_or_created_once(start, stage, operation, sim):
    start(SET)
    start(SET)
    assert len(sim.contacts("shopify")) == 2
    url = operation(start(CREATE)["bulkOperation"]["id"])["url"]
    rows = [json.loads(line)["data"]["customerCreate"] for line in requests.get(url, timeout=10).text.splitlines()]
    assert [row["customer"] for row in rows] == [None] * 3


@pytest.mark.parametrize(
    ("mutation", "path", "code"),
    [
        ("mutation { productSet(input: $input) { userErrors { code } } }", None, "INVALID_MUTATION"),
        (SET.replace("userErrors { code field message } ", ""), None, "INVALID_MUTATION"),
        (SET, "tmp/other", "NO_SUCH_FILE"),
    ],
)
def test_refusals_have_status_200(start, mutation, path, code):
    refused = start(mutation, path)
    assert (refused["bulkOperation"], refused["userErrors"][0]["code"]) == (None, code)


@pytest.mark.parametrize("limit", [1, 5])
def test_operations_at_a_time_are_limited(start, sim, limit):
    sim.settings(job_seconds=60, shopify_operations=str(limit))
    started = [start() for _ in range(limit + 1)]
    assert [each["userErrors"][0]["code"] for each in started if each["userErrors"]] == ["OPERATION_IN_PROGRESS"]
    assert started[-1]["bulkOperation"] is None


def test_storage_takes_no_token_and_the_file_last(stage, start, operation):
    stage(headers=TOKEN, status=400)
    stage(first=True, status=403)
    url = operation(start()["bulkOperation"]["id"])["url"]
    assert requests.get(url, headers=TOKEN, timeout=10).status_code == 400


def test_cancel_is_asked_for_and_stops_later(start, call, operation, sim):
    sim.settings(job_seconds=60)
    job_id = start()["bulkOperation"]["id"]
    canceled = call(CANCEL, {"id": job_id}).json()["data"]["bulkOperationCancel"]
    assert canceled["bulkOperation"]["status"] == "CANCELING"
    assert operation(job_id)["status"] == "CANCELED"
    for each in (job_id, "gid://shopify/BulkOperation/1"):
        assert call(CANCEL, {"id": each}).json()["data"]["bulkOperationCancel"]["userErrors"]
    assert operation("gid://shopify/BulkOperation/1") is None


def test_shop_and_scopes(call, sim):
    assert call("{ shop { id name myshopifyDomain } }").json()["data"]["shop"]["name"] == "Example"
    sim.settings(shopify_scopes="read_customers")
    scopes = call("{ appInstallation { accessScopes { handle } } }").json()["data"]["appInstallation"]
    assert scopes == {"accessScopes": [{"handle": "read_customers"}]}
    call("{ foo }", form="errors")


def test_response_names_the_version_that_was_used(call, sim):
    assert call("{ shop { id } }").headers["X-Shopify-API-Version"] == "2026-10"
    sim.settings(shopify_version="2027-07")
    assert call("{ shop { id } }").headers["X-Shopify-API-Version"] == "2027-07"


def test_token_is_required(call, sim):
    call("{ shop { id } }", form="error_text", status=401, headers={})
    call("{ shop { id } }", form="error_text", status=401, headers={"Authorization": "Bearer shpat_simulator"})
    url = f"{sim.url_of('shopify')}/admin/oauth/access_token"
    body = requests.post(url, data=CLIENT, timeout=10).json()
    check_form("shopify", "token", body)
    call("{ shop { id } }", headers={"X-Shopify-Access-Token": body["access_token"]})
    assert requests.post(url, data={**CLIENT, "client_secret": "no"}, timeout=10).status_code == 400
    call("{ shop { id } }", form="error_text", status=404, path="/admin/graphql.json")


def test_throttled_query_has_status_200_and_its_cost(call, sim):
    sim.settings(limits={"shopify": {"requests": 1, "per_seconds": 10_000_000}})
    call("{ shop { id } }")
    rejected = call("{ shop { id } }", form="errors")
    assert rejected.json()["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert "Retry-After" not in rejected.headers
