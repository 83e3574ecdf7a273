# SPDX-License-Identifier: Apache-2.0
"""A batch that the vendor refuses for single records: the error has their lines and fields, but no values."""

import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from vendors.scripted import SECRET, Script, ScriptedHandler, make_account, serving

from airflow_provider_bulkjobs.exceptions import InvalidItem, VendorAPIError
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.http import retry as policy
from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint
from airflow_provider_bulkjobs.submitting.records import Row
from airflow_provider_bulkjobs.submitting.submission import Submission
from airflow_provider_bulkjobs.vendors import VENDORS

VENDOR_OF = {vendor.conn_type: vendor for vendor in VENDORS}
HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
WRONG = "is not valid"


class NoLedger:
    def save(self, progress: Checkpoint) -> None:
        """Keep nothing."""


@pytest.fixture(autouse=True)
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy.random, "uniform", lambda *_: 0.001)


@pytest.fixture
def script() -> Iterator[Script]:
    with serving(ScriptedHandler) as script:
        yield script


def klaviyo(*items: tuple[int, str]) -> Any:
    pointer = "/data/attributes/profiles/data/{}/attributes/{}"
    return {"errors": [{"detail": WRONG, "source": {"pointer": pointer.format(*item)}} for item in items]}


def sendgrid(*items: tuple[int, str]) -> Any:
    return {"errors": [{"message": WRONG, "field": f"contacts[{index}].{field}"} for index, field in items]}


def activecampaign(*items: tuple[int, str]) -> Any:
    return {
        "success": 0,
        "message": "not valid",
        "failureReasons": [{"contact": index, "failureReason": WRONG} for index, _ in items],
    }


REFUSALS = {"klaviyo": klaviyo, "sendgrid": sendgrid, "activecampaign": activecampaign}
each_vendor = pytest.mark.parametrize("conn_type", REFUSALS)


def refused(script: Script, conn_type: str, rows: list[Row], *answers: dict[str, Any], size: int = 250) -> str:
    """Submit rows in batches of ``size``; return the message of the error and its attribute ``vendor_message``."""
    hook = HOOK_OF[conn_type]("mine")
    hook.account = make_account(hook.vendor, script.url())
    kind = hook.vendor.kinds[0]
    operation = replace(kind.operations[0], max_items=size)
    script.play(answers)
    with Submission(hook, kind.name, operation, {}, logging.getLogger("tests")) as submission:
        submission.prepare((row for row in rows if not row.problem), None)
        with pytest.raises(VendorAPIError) as caught:
            submission.send(NoLedger())
    hook.transport.close()
    return f"{caught.value} {caught.value.vendor_message}"


def people(*lines: int, **values: Any) -> list[Row]:
    return [Row(line, {"email": f"person-{line}@example.com", **values}) for line in lines]


# --- which records


@pytest.mark.parametrize(
    ("conn_type", "body", "items"),
    [
        ("klaviyo", klaviyo((3, "phone_number")), [InvalidItem(3, "phone_number", WRONG)]),
        ("klaviyo", klaviyo((3, "location/city")), [InvalidItem(3, "location.city", WRONG)]),
        (
            "klaviyo",
            {"errors": [{"title": "Invalid", "source": {"pointer": "/data/attributes/profiles/data/0"}}]},
            [InvalidItem(0, None, "Invalid")],
        ),
        (
            "klaviyo",
            {"errors": [{"source": {"pointer": "/data/attributes/profiles/data/7/id"}}]},
            [InvalidItem(7, "id", None)],
        ),
        (
            "sendgrid",
            sendgrid((3, "email"), (4, "city")),
            [InvalidItem(3, "email", WRONG), InvalidItem(4, "city", WRONG)],
        ),
        ("sendgrid", {"errors": {"field": "contacts[0]", "message": WRONG}}, [InvalidItem(0, None, WRONG)]),
        ("activecampaign", activecampaign((230, "")), [InvalidItem(230, None, WRONG)]),
        ("activecampaign", {"failureReasons": [{"contact": "4"}]}, [InvalidItem(4, None, None)]),
        ("hubspot", {"errors": [{"message": WRONG}]}, []),
        ("intercom", {"errors": [{"code": "parameter_invalid", "field": "contacts"}]}, []),
        ("acquia_campaign_studio", {"errors": [{"code": 400, "message": WRONG}]}, []),
    ],
)
def test_invalid_items_are_read(conn_type: str, body: Any, items: list[InvalidItem]) -> None:
    assert VENDOR_OF[conn_type].invalid_items(body) == items


@pytest.mark.parametrize("conn_type", VENDOR_OF)
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"errors": None, "failureReasons": None},
        {"errors": "x", "failureReasons": "x"},
        {"errors": [1, None, {}], "failureReasons": [1, None, {}, "x"]},
        {"errors": [{"source": 5, "field": 5}], "failureReasons": [{"contact": -1}, {"contact": True}]},
        {"errors": [{"source": {"pointer": None}, "field": None}], "failureReasons": [{"contact": "x@example.com"}]},
        {"errors": [{"source": {"pointer": "/data/attributes"}, "field": "list_ids[0]"}]},
        {"errors": [{"source": {"pointer": "/data/attributes/profiles/data/x"}, "field": "contacts[x].email"}]},
    ],
    ids=str,
)
def test_body_that_names_no_items_has_none(conn_type: str, body: Any) -> None:
    assert VENDOR_OF[conn_type].invalid_items(body) == []


# --- in the message


@each_vendor
@pytest.mark.parametrize("status", [400, 422])
def test_refused_record_is_named_by_its_line(script: Script, conn_type: str, status: int) -> None:
    body = REFUSALS[conn_type]((1, "phone_number"))
    message = refused(script, conn_type, people(1, 2, 3), {"status": status, "body": body})
    field = "" if conn_type == "activecampaign" else ", field 'phone_number'"
    assert f"Rejected records: line 2{field}: {WRONG}. Correct them in the source." in message


@each_vendor
def test_lines_of_records_that_were_left_out_are_not_counted(script: Script, conn_type: str) -> None:
    rows = [*people(2, 3), Row(4, {}, "is not JSON"), *people(7, 8, 9)]
    body = REFUSALS[conn_type]((2, "email"))
    assert "line 7" in refused(script, conn_type, rows, {"status": 400, "body": body})


@each_vendor
def test_positions_count_from_the_beginning_of_the_batch(script: Script, conn_type: str) -> None:
    accepted = {"job_id": "j-1", "batchId": "j-1", "data": {"id": "j-1"}}
    answers = {"status": 200, "body": accepted}, {"status": 400, "body": REFUSALS[conn_type]((1, "email"))}
    message = refused(script, conn_type, people(*range(1, 4), *range(11, 14)), *answers, size=4)
    assert "line 13" in message


def test_refusal_with_status_200_names_records_too(script: Script) -> None:
    assert "line 2: is not valid" in refused(
        script, "activecampaign", people(1, 2), {"status": 200, "body": activecampaign((1, ""))}
    )


@each_vendor
def test_many_refused_records_are_cut(script: Script, conn_type: str) -> None:
    body = REFUSALS[conn_type](*((index, "email") for index in range(30)))
    message = refused(script, conn_type, people(*range(1, 31)), {"status": 400, "body": body})
    assert "line 10" in message
    assert "; and 20 more" in message
    assert "line 11" not in message


@each_vendor
def test_position_outside_the_batch_is_ignored(script: Script, conn_type: str) -> None:
    body = REFUSALS[conn_type]((3, "email"))
    assert "Rejected records" not in refused(script, conn_type, people(1, 2, 3), {"status": 400, "body": body})


# --- people


QUOTING = {
    "klaviyo": lambda words: {"errors": [{"detail": words}]},
    "sendgrid": lambda words: {"errors": [{"message": words}]},
    "activecampaign": lambda words: {"success": 0, "message": words},
    "intercom": lambda words: {"errors": [{"code": "x", "message": words}]},
    "acquia_campaign_studio": lambda words: {"errors": [{"message": words}]},
    "hubspot": lambda words: {"message": words},
}
NAME_FIELD = {"intercom": "name", "acquia_campaign_studio": "lastname", "hubspot": "lastname"}


@pytest.mark.parametrize("conn_type", QUOTING)
@pytest.mark.parametrize("name", ["Lovelace", "Ada Maria Lovelace", 'Ada "Countess" Lovelace', "Łukasz-Żak"])
def test_values_of_the_records_are_cut_from_the_vendors_words(script: Script, conn_type: str, name: str) -> None:
    rows = people(1, 2, **{NAME_FIELD.get(conn_type, "last_name"): name})
    body = QUOTING[conn_type](f"The name {name} is too long")
    message = refused(script, conn_type, rows, {"status": 400, "body": body})
    assert "The name <value> is too long" in message
    assert name not in message


@each_vendor
def test_nothing_private_is_in_the_words_about_a_record(script: Script, conn_type: str) -> None:
    body = json.dumps(REFUSALS[conn_type]((1, "email")))
    body = body.replace(WRONG, f"Lovelace of ada@example.com, 0151 12345678, {SECRET}")
    message = refused(script, conn_type, people(1, 2, last_name="Lovelace"), {"status": 400, "body": body})
    assert "line 2" in message
    for private in ("Lovelace", "ada@", "12345678", SECRET):
        assert private not in message


def test_values_are_cut_from_the_words_of_an_outage_too(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    outage = {"status": 503, "body": {"errors": [{"message": "no worker for Lovelace"}]}}
    words = sendgrid((0, "email"))
    message = refused(script, "sendgrid", people(1, last_name="Lovelace"), outage, {"status": 400, "body": words})
    assert "no worker for <value>" in caplog.text
    assert "Lovelace" not in message + caplog.text


def test_number_of_a_record_is_cut(script: Script) -> None:
    row = Row(1, {"email": "ada@example.com", "phone": 4915112345678})
    body = {"success": 0, "message": "4915112345678 is taken"}
    assert "<value> is taken" in refused(script, "activecampaign", [row], {"status": 400, "body": body})


@each_vendor
def test_traceback_has_no_value_of_a_record(script: Script, conn_type: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hook = HOOK_OF[conn_type]("mine")
    hook.account = make_account(hook.vendor, script.url())
    kind, words = hook.vendor.kinds[0], "no such person: Zoë Quackenbush"
    body = {"errors": [{"detail": words, "message": words}], "message": words}
    script.play([{"status": 400, "body": body}])
    with Submission(hook, kind.name, kind.operations[0], {}, logging.getLogger("tests")) as submission:
        submission.prepare(people(1, first_name="Zoë Quackenbush"), None)
        with pytest.raises(VendorAPIError) as caught:
            submission.send(NoLedger())
    hook.transport.close()
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "no such person: <value>" in told
    assert "Quackenbush" not in told
