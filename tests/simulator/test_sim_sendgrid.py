# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import gzip
import io
import time

import pytest
import requests

CONTACTS = "/v3/marketing/contacts"
IMPORTS = f"{CONTACTS}/imports"
EXPORTS = f"{CONTACTS}/exports"


def upsert(sendgrid, *emails):
    answer = sendgrid("PUT", CONTACTS, json={"contacts": [{"email": email} for email in emails]})
    assert answer.status_code == 202
    return sendgrid("GET", f"{IMPORTS}/{answer.json()['job_id']}").json()


def lines_of(answer):
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.text)))


def test_counts_created_and_updated(sendgrid):
    first = upsert(sendgrid, "a@example.com", "B@example.com")
    assert (first["status"], first["job_type"]) == ("completed", "upsert")
    assert first["results"] == {"requested_count": 2, "created_count": 2, "updated_count": 0, "errored_count": 0}
    second = upsert(sendgrid, "b@example.com", "c@example.com", "C@example.com")
    assert second["results"] == {"requested_count": 3, "created_count": 1, "updated_count": 2, "errored_count": 0}


def test_some_failures_and_all_failures(sendgrid):
    some = upsert(sendgrid, "a@example.com", "b.example.com")
    assert some["status"] == "errored"
    assert some["results"]["errored_count"] == 1
    assert lines_of(requests.get(some["results"]["errors_url"], timeout=10))[1][0] == "b.example.com"
    every = upsert(sendgrid, "b.example.com")
    assert every["status"] == "failed"
    assert every["results"].keys() == {"requested_count", "errored_count", "errors_url"}


def test_file_storage_rejects_api_key_and_bad_signature(sendgrid, sim):
    url = upsert(sendgrid, "nobody")["results"]["errors_url"]
    key = {"Authorization": "Bearer SG.sendgrid-key"}
    assert requests.get(url, headers=key, timeout=10).status_code == 400
    assert requests.get(f"{url}0", timeout=10).status_code == 403
    assert [("authorization" in request.headers) for request in sim.requests("sendgrid")[-2:]] == [True, False]


def open_import(sendgrid, fields=("_rf2_T", None)):
    answer = sendgrid("PUT", IMPORTS, json={"file_type": "csv", "field_mappings": list(fields)})
    assert answer.status_code == 200
    ticket = answer.json()
    headers = {line["header"]: line["value"] for line in ticket["upload_headers"]}
    return ticket["job_id"], ticket["upload_uri"], headers


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_csv_import(sendgrid, sim, pack):
    job_id, uri, headers = open_import(sendgrid)
    waiting = sendgrid("GET", f"{IMPORTS}/{job_id}").json()
    assert waiting["status"] == "pending"
    data = pack(b"email,name\na@example.com,Ann\nb.example.com,Bob\n")
    for _ in range(2):  # a retried upload changes nothing
        assert requests.put(uri, data=data, headers=headers, timeout=10).status_code == 200
    done = sendgrid("GET", f"{IMPORTS}/{job_id}").json()
    assert done["status"] == "errored"
    assert done["results"]["created_count"] == done["results"]["errored_count"] == 1
    assert sim.state()["sendgrid"]["contacts"]["total"] == 2


def test_upload_requires_exact_headers(sendgrid):
    job_id, uri, headers = open_import(sendgrid)
    assert requests.post(uri, data=b"a@example.com,A", headers=headers, timeout=10).status_code == 403
    for wrong in ({}, {**headers, "x-amz-acl": "private"}, dict.fromkeys(headers, "AES256")):
        assert requests.put(uri, data=b"a@example.com,A", headers=wrong, timeout=10).status_code == 403
    secret = {**headers, "Authorization": "Bearer SG.sendgrid-key"}
    assert requests.put(uri, data=b"a@example.com,A", headers=secret, timeout=10).status_code == 400
    assert sendgrid("GET", f"{IMPORTS}/{job_id}").json()["status"] == "pending"


@pytest.mark.parametrize(
    "data", [b"", b"a@example.com\n", b"a@example.com,A,B\n", b"\x1f\x8bnonsense", b"\xff\xfe@", b"email,name\n"]
)
def test_invalid_file_fails_import(sendgrid, data):
    job_id, uri, headers = open_import(sendgrid)
    requests.put(uri, data=data, headers=headers, timeout=10)
    assert sendgrid("GET", f"{IMPORTS}/{job_id}").json()["status"] == "failed"


def test_a_form_instead_of_the_file_fails_the_import(sendgrid, sim):
    job_id, uri, headers = open_import(sendgrid, ["_rf2_T"])
    form = {"file": ("contacts.csv", b"email\na@example.com\n")}
    assert requests.put(uri, files=form, headers=headers, timeout=10).status_code == 200
    assert sendgrid("GET", f"{IMPORTS}/{job_id}").json()["status"] == "failed"
    assert sim.contacts("sendgrid") == []


def test_delete(sendgrid, sim):
    upsert(sendgrid, "a@example.com", "b@example.com", "c@example.com")
    first = sim.contacts("sendgrid")[0]["id"]
    some = sendgrid("DELETE", CONTACTS, params={"ids": f"{first},unknown"}).json()
    some = sendgrid("GET", f"{IMPORTS}/{some['job_id']}").json()
    assert (some["job_type"], some["status"]) == ("delete", "errored")
    assert (some["results"]["deleted_count"], some["results"]["errored_count"]) == (1, 1)
    every = sendgrid("DELETE", CONTACTS, params={"delete_all_contacts": "true"}).json()
    every = sendgrid("GET", f"{IMPORTS}/{every['job_id']}").json()
    assert every["results"]["deleted_count"] == 2
    assert sendgrid("DELETE", CONTACTS).status_code == 400


def test_a_deleted_contact_is_gone_from_the_next_export(sendgrid, sim):
    def exported():
        job = sendgrid("POST", EXPORTS, json={}).json()
        done = sendgrid("GET", f"{EXPORTS}/{job['id']}").json()
        return [line[0] for line in lines_of(requests.get(done["urls"][0], timeout=10))[1:]]

    upsert(sendgrid, "a@example.com", "b@example.com")
    assert exported() == ["a@example.com", "b@example.com"]
    sendgrid("DELETE", CONTACTS, params={"ids": sim.contacts("sendgrid")[0]["id"]})
    assert exported() == ["b@example.com"]
    assert upsert(sendgrid, "a@example.com")["results"]["created_count"] == 1


def test_custom_fields_and_columns_are_ids_of_fields_that_exist(sendgrid):
    known = sendgrid("GET", "/v3/marketing/field_definitions").json()
    field = known["custom_fields"][0]
    columns = ["_rf2_T", field["id"]]
    for keys, mappings, status in [
        (field["id"], columns, (202, 200)),
        (field["name"], ["_rf2_T", field["name"]], (400, 400)),
        ("w999", ["_rf2_T", "w999"], (400, 400)),
    ]:
        contact = {"email": "a@example.com", "custom_fields": {keys: "9"}}
        submitted = sendgrid("PUT", CONTACTS, json={"contacts": [contact]})
        opened = sendgrid("PUT", IMPORTS, json={"file_type": "csv", "field_mappings": mappings})
        assert (submitted.status_code, opened.status_code) == status


def test_export(sendgrid):
    upsert(sendgrid, "a@example.com")
    answer = sendgrid("POST", EXPORTS, json={})
    assert answer.status_code == 202
    done = sendgrid("GET", f"{EXPORTS}/{answer.json()['id']}").json()
    assert (done["status"], done["contact_count"]) == ("ready", 1)
    assert lines_of(requests.get(done["urls"][0], timeout=10))[1][0] == "a@example.com"
    as_list = sendgrid("GET", EXPORTS).json()["result"]
    assert [export["id"] for export in as_list] == [done["id"]]
    as_json = sendgrid("POST", EXPORTS, json={"file_type": "json"}).json()
    url = sendgrid("GET", f"{EXPORTS}/{as_json['id']}").json()["urls"][0]
    assert requests.get(url, timeout=10).json()["email"] == "a@example.com"


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        (CONTACTS, {"contacts": []}, 400, "contacts"),
        (CONTACTS, {"contacts": [{"email": "a@b"}] * 30_001}, 400, "contacts"),
        (CONTACTS, {"contacts": [{"email": "a@b", "city": "x" * 6_300_000}]}, 400, "contacts"),
        (CONTACTS, {"contacts": [{"email": "a@b"}], "list_ids": ["bad-list"]}, 404, "list_ids"),
        (IMPORTS, {"file_type": "json", "field_mappings": ["_rf2_T"]}, 400, "file_type"),
        (IMPORTS, {"file_type": "csv", "field_mappings": [None]}, 400, "field_mappings"),
        (IMPORTS, {"file_type": "csv", "field_mappings": ["email"]}, 400, "field_mappings"),
        (CONTACTS, {"contacts": [{"email": "a@b", "custom_fields": ["w1"]}]}, 400, "custom_fields"),
    ],
)
def test_invalid_request_is_rejected(sendgrid, sim, *, path, body, status, field):
    answer = sendgrid("PUT", path, json=body)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["field"] == field
    assert sim.state()["sendgrid"]["jobs"] == []


def test_bad_key_and_unknown_job_in_both_error_formats(sendgrid, sim):
    assert sendgrid("GET", "/v3/scopes").json()["scopes"]
    refused = sendgrid("GET", "/v3/scopes", headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 401
    assert refused.json() == {"errors": [{"field": None, "message": "authorization required"}]}
    unknown = sendgrid("GET", f"{IMPORTS}/nothing")
    assert unknown.status_code == 404
    assert isinstance(unknown.json()["errors"], list)
    sim.settings(sendgrid_errors_shape="object")
    unknown = sendgrid("GET", f"{IMPORTS}/nothing")
    assert unknown.status_code == 400  # the only status with an object
    assert isinstance(unknown.json()["errors"], dict)


def test_reset_header_is_time_or_delay(sendgrid, sim):
    assert abs(int(sendgrid("GET", "/v3/scopes").headers["X-RateLimit-Reset"]) - time.time()) <= 61
    sim.settings(sendgrid_reset="delta")
    assert 0 < int(sendgrid("GET", "/v3/scopes").headers["X-RateLimit-Reset"]) <= 60
