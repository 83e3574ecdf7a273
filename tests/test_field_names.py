# SPDX-License-Identifier: Apache-2.0
"""Custom fields by name: their ids are requested once, before the submit; unknown and ambiguous names are refused."""

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from vendors.fixture_loader import VENDOR_SAMPLES
from vendors.in_memory import InMemoryTransport, play

from airflow_provider_bulkjobs.exceptions import BadArgumentError, VendorAPIError
from airflow_provider_bulkjobs.submitting.records import Row
from airflow_provider_bulkjobs.submitting.submission import Submission

EMAIL = "ada@example.com"
SENDGRID = {
    "custom_fields": [
        {"id": "w1", "name": "Plan", "field_type": "Text"},
        {"id": "e2", "name": "points", "field_type": "Number"},
        {"id": "w3", "name": "w4", "field_type": "Text"},
        {"id": "w4", "name": "other", "field_type": "Text"},
    ],
    "reserved_fields": [{"id": "_rf2_T", "name": "email"}],
}
ACTIVECAMPAIGN = {
    "fields": [
        {"id": "1", "title": "Plan", "perstag": "PLAN"},
        {"id": "2", "title": "Favorite color", "perstag": "FAV"},
        {"id": "3", "title": "Size", "perstag": "SIZE"},
        {"id": "4", "title": "Size", "perstag": "SIZE_2"},
    ]
}
LISTS = {
    "sendgrid": ("/v3/marketing/field_definitions", SENDGRID),
    "activecampaign": ("/api/3/fields?limit=100", ACTIVECAMPAIGN),
}


def prepare(conn_type: str, *records: Any, answers: Any = None) -> tuple[list[Any], InMemoryTransport]:
    """Check records; return them as they would be sent, and the transport with the requests."""
    of = VENDOR_SAMPLES[conn_type]
    transport, account = play(of, *([{"body": LISTS[conn_type][1]}] if answers is None else answers))
    client: Any = SimpleNamespace(vendor=of.vendor, account=account, conn_id="mine", transport=transport)
    kind = of.vendor.kinds[0]
    with Submission(client, kind.name, kind.operations[0], {}, logging.getLogger("tests")) as submission:
        rows = (Row(number, {"email": EMAIL, **record}) for number, record in enumerate(records, 1))
        submission.prepare(rows, None)
        sent = [each for batch in submission.batcher.batches() for each in json.loads(b"[%b]" % batch.payload.data)]
    return sent, transport


@pytest.mark.parametrize(
    ("conn_type", "record", "sent"),
    [
        ("sendgrid", {"plan": "gold", "city": "Ulm"}, {"city": "Ulm", "custom_fields": {"w1": "gold"}}),
        ("sendgrid", {"custom_fields": {"PLAN": "gold", "e2": 5}}, {"custom_fields": {"w1": "gold", "e2": 5}}),
        ("sendgrid", {"custom_fields": {"points": 5}, "w1": None}, {"custom_fields": {"e2": 5, "w1": None}}),
        ("activecampaign", {"plan": "gold", "tags": ["a"]}, {"tags": ["a"], "fields": [{"id": "1", "value": "gold"}]}),
        ("activecampaign", {"fav": ["red", "blue"]}, {"fields": [{"id": "2", "value": "red||blue"}]}),
        (
            "activecampaign",
            {"fields": [{"id": 9, "value": 1}], "Favorite Color": "red", "plan": None},
            {"fields": [{"id": 9, "value": 1}, {"id": "2", "value": "red"}]},
        ),
    ],
)
def test_names_become_ids(conn_type: str, record: Any, sent: Any) -> None:
    assert prepare(conn_type, record)[0] == [{"email": EMAIL, **sent}]


@pytest.mark.parametrize("conn_type", LISTS)
def test_ids_are_requested_once(conn_type: str) -> None:
    _, transport = prepare(conn_type, {}, {"plan": "a"}, {"plan": "b"})
    assert transport.requests == [("GET", LISTS[conn_type][0])]


@pytest.mark.parametrize(
    ("conn_type", "record"),
    [
        ("sendgrid", {"city": "Ulm", "custom_fields": {"w1": 5, "e2_T": 6}}),
        ("sendgrid", {"custom_fields": {}}),
        ("activecampaign", {"first_name": "Ada", "fields": [{"id": 1, "value": "x"}]}),
        ("activecampaign", {"anything": None}),
    ],
)
def test_without_names_nothing_is_requested(conn_type: str, record: Any) -> None:
    assert prepare(conn_type, record, answers=())[1].requests == []


@pytest.mark.parametrize(
    ("conn_type", "record", "problem"),
    [
        (
            "sendgrid",
            {"plann": 1},
            "line 1 has field 'plann', which is no field of Twilio SendGrid and no name",
        ),
        ("activecampaign", {"plann": 1}, "line 1 has field 'plann', which is no field of ActiveCampaign and no name"),
        (
            "activecampaign",
            {"size": 1},
            "line 1 has field 'size', which is the name of 2 custom fields in Active",
        ),
        ("sendgrid", {"w4": 1}, "line 1 has field 'w4', which is the name of 2 custom fields"),
        ("sendgrid", {"plan": 1, "PLAN": 2}, "line 1 has field 'PLAN' a second time, under another name"),
        ("sendgrid", {"plan": 1, "custom_fields": {"w1": 2}}, "line 1 has field 'plan' a second time"),
        ("sendgrid", {"plan": 1, "custom_fields": ["x"]}, "needs an object in field 'custom_fields'"),
        ("activecampaign", {"plan": 1, "fields": "x"}, "needs a list of custom fields"),
    ],
)
def test_wrong_names_are_refused(conn_type: str, record: Any, problem: str) -> None:
    with pytest.raises(BadArgumentError, match="nothing was sent") as caught:
        prepare(conn_type, record)
    assert problem in str(caught.value)


def test_name_that_may_be_personal_data_is_not_shown() -> None:
    with pytest.raises(BadArgumentError) as caught:
        prepare("sendgrid", {"bob@example.com": 1})
    assert "bob@" not in str(caught.value)


def test_all_pages_are_read() -> None:
    first = {"fields": [{"id": str(number), "title": f"f{number}"} for number in range(100)]}
    last = {"fields": [{"id": "100", "title": "Plan"}]}
    sent, transport = prepare("activecampaign", {"plan": "x"}, answers=({"body": first}, {"body": last}))
    assert sent[0]["fields"] == [{"id": "100", "value": "x"}]
    assert [path for _, path in transport.requests] == ["/api/3/fields?limit=100", "/api/3/fields?limit=100&offset=100"]


@pytest.mark.parametrize("conn_type", LISTS)
def test_list_that_is_refused_is_an_error(conn_type: str) -> None:
    with pytest.raises(VendorAPIError):
        prepare(conn_type, {"plan": 1}, answers=[{"status": 404, "body": {}}])
