# SPDX-License-Identifier: Apache-2.0
"""The simulated Eloqua has the documented formats, stages data until a sync, and accepts a refresh token once."""

from __future__ import annotations

import pytest
from simulator.documented_form import checked_caller

API = "/api/bulk/2.0"
IMPORTS, SYNCS = f"{API}/contacts/imports", f"{API}/syncs"
BASIC = (r"Acme\Ann.Api", "eloqua-password")
CSV = {"Content-Type": "text/csv"}
IMPORT = {
    "name": "crm",
    "fields": {"email": "{{Contact.Field(C_EmailAddress)}}", "first": "{{Contact.Field(C_FirstName)}}"},
    "identifierFieldName": "email",
    "isSyncTriggeredOnImport": False,
}
ROWS = "email,first\r\nann@example.com,Ann\r\nnobody,Bob\r\n"
REFRESH = {"grant_type": "refresh_token", "redirect_uri": "https://example.com/oauth", "scope": "full"}


@pytest.fixture
def eloqua(sim):
    return checked_caller(sim, "eloqua", auth=BASIC)


@pytest.fixture
def imported(eloqua):
    """Define an import, stage rows and sync; return the path of the sync."""

    def run(rows=ROWS):
        uri = eloqua("POST", IMPORTS, "import", 201, json=IMPORT).json()["uri"]
        eloqua("POST", f"{API}{uri}/data", status=204, data=rows, headers=CSV)
        return API + eloqua("POST", SYNCS, "sync", 201, json={"syncedInstanceUri": uri}).json()["uri"]

    return run


@pytest.mark.parametrize(
    ("form", "status", "method", "path", "body"),
    [
        ("identity", 200, "GET", "/id", None),
        ("fields", 200, "GET", f"{API}/contacts/fields?limit=1", None),
        ("syncs", 200, "GET", f"{SYNCS}?limit=1000&orderBy=createdAt%20DESC", None),
        ("import", 201, "POST", IMPORTS, IMPORT),
        ("failures", 400, "POST", IMPORTS, IMPORT | {"identifierFieldName": "mail"}),
        ("failures", 400, "POST", IMPORTS, IMPORT | {"fields": {f"f{n}": "{{Contact.Id}}" for n in range(101)}}),
        ("failures", 404, "POST", SYNCS, {"syncedInstanceUri": "/contacts/imports/1"}),
        ("failures", 404, "GET", f"{SYNCS}/1", None),
        ("failures", 404, "DELETE", f"{IMPORTS}/1", None),
        ("failures", 404, "GET", "/nowhere", None),
    ],
)
def test_responses_have_the_documented_form(eloqua, form, status, method, path, body):
    eloqua(method, path, form, status, json=body)


def test_every_state_has_the_documented_form(eloqua, sim):
    states = ["pending", "active", "success", "warning", "error"]
    job_id = sim.job("eloqua", states=states, items=2, failed=1)
    sync = job_id.partition(":")[2]
    for state in states:
        assert eloqua("GET", f"{SYNCS}/{sync}", "sync").json()["status"] == state


def test_rejected_records_are_counted_in_the_logs(eloqua, imported):
    sync = imported()
    assert eloqua("GET", sync, "sync").json()["status"] == "warning"
    logs = eloqua("GET", f"{sync}/logs", "logs").json()["items"]
    assert {log["statusCode"]: log["count"] for log in logs} == {
        "ELQ-00001": 2,
        "ELQ-00004": 1,
        "ELQ-00022": 0,
        "ELQ-00002": 1,
    }
    [reject] = eloqua("GET", f"{sync}/rejects", "rejects").json()["items"]
    assert reject["fieldValues"] == {"email": "nobody", "first": "Bob"}


def test_lists_have_pages(eloqua, imported):
    sync = imported("email\r\n" + "nobody\r\n" * 3)
    first = eloqua("GET", f"{sync}/rejects?limit=2", "rejects").json()
    second = eloqua("GET", f"{sync}/rejects?limit=2&offset=2", "rejects").json()
    assert [(page["count"], page["hasMore"], page["totalResults"]) for page in (first, second)] == [
        *((2, True, 3), (1, False, 3))
    ]


def test_data_is_imported_by_one_sync(eloqua, imported, sim):
    sync = imported()
    uri = eloqua("GET", sync).json()["syncedInstanceUri"]
    second = eloqua("POST", SYNCS, "sync", 201, json={"syncedInstanceUri": uri}).json()["uri"]
    assert eloqua("GET", f"{API}{second}").json()["status"] == "error"
    assert eloqua("GET", f"{API}{second}/logs", "logs").json()["items"][0]["statusCode"] == "ELQ-00124"
    newest = eloqua("GET", SYNCS, "syncs").json()["items"]
    assert [f"{API}{each['uri']}" for each in newest] == [f"{API}{second}", sync]
    assert len(sim.contacts("eloqua")) == 1


def test_deleted_import_has_no_data(eloqua, sim):
    uri = eloqua("POST", IMPORTS, "import", 201, json=IMPORT).json()["uri"]
    eloqua("POST", f"{API}{uri}/data", status=204, data=ROWS, headers=CSV)
    eloqua("DELETE", f"{API}{uri}", status=204)
    eloqua("POST", SYNCS, "failures", 404, json={"syncedInstanceUri": uri})
    assert not sim.contacts("eloqua")


@pytest.mark.parametrize(
    ("status", "data", "headers"),
    [
        (404, "email\r\n" + "x" * 32_000_000, CSV),  # and not 413
        (400, ROWS, {"Content-Type": "application/octet-stream"}),
        (400, "mail\r\nann@example.com\r\n", CSV),
    ],
    ids=["too large", "content type", "unknown field"],
)
def test_refused_data(eloqua, status, data, headers):
    uri = eloqua("POST", IMPORTS, "import", 201, json=IMPORT).json()["uri"]
    eloqua("POST", f"{API}{uri}/data", "failures", status, data=data, headers=headers)


def test_login_host_refuses_with_status_200(eloqua):
    eloqua("GET", "/id", "not_authenticated", auth=(BASIC[0], "wrong"))
    eloqua("GET", f"{API}/contacts/fields", "failures", 401, auth=(BASIC[0], "wrong"))


def test_refresh_token_is_accepted_once(eloqua):
    client = ("eloqua-client", "eloqua-secret")
    used = REFRESH | {"refresh_token": "eloqua-refresh"}
    body = eloqua("POST", "/auth/oauth2/token", "token", auth=client, data=used).json()
    eloqua("POST", "/auth/oauth2/token", "token_error", 401, auth=client, data=used)
    token = {"Authorization": f"Bearer {body['access_token']}"}
    eloqua("GET", "/id", "identity", auth=None, headers=token)
    eloqua("POST", "/auth/oauth2/token", "token", auth=client, data=REFRESH | {"refresh_token": body["refresh_token"]})
