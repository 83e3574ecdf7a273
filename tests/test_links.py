# SPDX-License-Identifier: Apache-2.0
"""The button to the vendor's own pages, and what a task says about itself."""

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from vendors.scripted import required_extra

from airflow_provider_bulkjobs import links
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.links import VendorPageLink, push_page_link
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator
from airflow_provider_bulkjobs.provider import get_provider_info
from airflow_provider_bulkjobs.sensors.bulk_job import BulkJobSensor
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.triggers.event import finished
from airflow_provider_bulkjobs.vendors import VENDORS

HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
KINDS = [(vendor, kind) for vendor in VENDORS for kind in vendor.kinds]


@pytest.fixture(scope="module")
def running_simulator():
    with Simulator(job_seconds=0) as sim:
        yield sim


class TaskInstance:
    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def account(vendor: Any, **values: Any) -> Any:
    good = {"conn_id": "mine", "login": "bot", "password": "secret-of-mine", "extra": required_extra(vendor)}
    return read_account(vendor.fields, **{**good, **values})


@pytest.mark.parametrize(
    ("conn_type", "kind", "values", "page"),
    [
        ("intercom", "contacts", {}, "https://app.intercom.com/a/apps/_/users/segments/all-users"),
        (
            "intercom",
            "contacts",
            {"host": "https://api.eu.intercom.io"},
            "https://app.eu.intercom.com/a/apps/_/users/segments/all-users",
        ),
        (
            "intercom",
            "contacts",
            {"extra": {"region": "au"}},
            "https://app.au.intercom.com/a/apps/_/users/segments/all-users",
        ),
        ("intercom", "job", {}, None),
        ("sendgrid", "contacts", {}, "https://mc.sendgrid.com/contacts"),
        ("sendgrid", "export", {}, "https://mc.sendgrid.com/contacts/exports"),
        ("activecampaign", "contacts", {"host": "me.api-us1.com/api/3"}, "https://me.activehosted.com/app/contacts"),
        ("activecampaign", "contacts", {"host": "me.activehosted.com"}, "https://me.activehosted.com/app/contacts"),
        (
            "activecampaign",
            "contacts",
            {"host": "https://me.api-us1.com:443/api/3"},
            "https://me.activehosted.com/app/contacts",
        ),
        (
            "intercom",
            "contacts",
            {"host": "api.eu.intercom.io", "port": 443},
            "https://app.eu.intercom.com/a/apps/_/users/segments/all-users",
        ),
        ("activecampaign", "contacts", {"host": "crm.example"}, None),
        ("activecampaign", "contacts", {"host": "me.api-us1.com.example"}, None),
        ("acquia_campaign_studio", "contacts", {"host": "me.mautic.net/api"}, "https://me.mautic.net/s/contacts"),
    ],
)
def test_the_page(conn_type: str, kind: str, values: dict[str, Any], page: str | None) -> None:
    vendor = HOOK_OF[conn_type].vendor
    found = next(each for each in vendor.kinds if each.name == kind)
    assert found.page(account(vendor, **values)) == page


@pytest.mark.parametrize(("vendor", "kind"), KINDS, ids=lambda each: getattr(each, "name", None) or each.conn_type)
def test_a_page_has_no_secret(vendor: Any, kind: Any) -> None:
    page = kind.page(account(vendor, host="https://api.example"))
    assert page is None or (page.startswith("https://") and "secret-of-mine" not in page)


def test_the_link_is_declared() -> None:
    assert f"{VendorPageLink.__module__}.{VendorPageLink.__qualname__}" in get_provider_info()["extra-links"]
    for task_class in (BulkJobSensor, BulkJobOperator):
        assert [type(link) for link in task_class.operator_extra_links] == [VendorPageLink]


@pytest.mark.parametrize(("noted", "link"), [("https://a.example", "https://a.example"), (None, "")])
def test_link_is_read_from_xcom(monkeypatch: pytest.MonkeyPatch, noted: str | None, link: str) -> None:
    monkeypatch.setattr(links, "xcom_value", lambda ti_key, key: noted if (ti_key, key) == ("ti", "vendor_page") else 1)
    assert VendorPageLink().get_link(None, ti_key="ti") == link


@pytest.mark.parametrize("page", ["https://a.example", ""])
def test_link_known_to_the_process_is_not_read(monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    monkeypatch.delattr(links, "xcom_value")
    assert VendorPageLink().get_link(SimpleNamespace(vendor_page=page), ti_key="ti") == page


def test_link_is_stored_where_airflow_stores_it() -> None:
    assert VendorPageLink().xcom_key == "vendor_page"


@pytest.mark.parametrize(("page", "link"), [("https://a.example", "https://a.example"), ("", ""), (None, "read")])
def test_resumed_task_has_the_link_of_the_event(monkeypatch: pytest.MonkeyPatch, page: str | None, link: str) -> None:
    monkeypatch.setattr(links, "xcom_value", lambda ti_key, key: "read")
    numbers = dict.fromkeys(("total", "failed", "succeeded", "created", "updated", "deleted"), 1) | {"failed": 0}
    result = {"vendor": "sendgrid", "state": "succeeded", "job_kind": "contacts", "jobs": [], "job_count": 1, **numbers}
    sensor = BulkJobSensor(task_id="gate", conn_id="mine", job_id="a", deferrable=True)
    sensor.execute_complete({}, finished(result, page))
    assert VendorPageLink().get_link(sensor, ti_key="ti") == link


@pytest.fixture
def sensor(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> BulkJobSensor:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(sim.connection("sendgrid")))
    job_id = sim.job("sendgrid", states=["pending", "completed"], items=3)
    return BulkJobSensor(task_id="gate", conn_id="mine", job_id=job_id, poke_interval=0.01, timeout=60)


def test_sensor_pushes_the_link_and_logs_progress(
    sensor: BulkJobSensor, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    task_instance = TaskInstance()
    with caplog.at_level(logging.INFO):
        sensor.execute({"ti": task_instance})
    assert task_instance.pushed == {"vendor_page": "https://mc.sendgrid.com/contacts"}
    output = capsys.readouterr().out + caplog.text  # Airflow 3 writes, Airflow 2 logs
    name = f"sendgrid contact import {sensor.job_id}"
    lines = [
        f"Waiting for {name} of connection 'mine', polling every 0.01 s until ",
        "Twilio SendGrid shows such jobs at https://mc.sendgrid.com/contacts",
        f"{name}: pending, 0 s after the wait started",
        f"{name}: completed, 0 s after the wait started",
        "Import accepted: nothing failed.",
    ]
    places = [output.find(line) for line in lines]
    assert places == sorted(places)
    assert -1 not in places


def test_submit_without_wait_pushes_the_link(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(sim.connection("sendgrid")))
    operator = BulkJobOperator(
        task_id="submit",
        conn_id="mine",
        operation="upsert",
        records=[{"email": "ann@example.com"}],
        wait_for_completion=False,
    )
    task_instance = TaskInstance()
    assert operator.execute({"ti": task_instance}) == task_instance.pushed["job_ids"]
    assert task_instance.pushed["vendor_page"] == "https://mc.sendgrid.com/contacts"


def test_nothing_is_pushed_without_a_page(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(sim.connection("activecampaign")))
    hook, task_instance = HOOK_OF["activecampaign"]("mine"), TaskInstance()
    assert push_page_link({"ti": task_instance}, hook, hook.job_kind(None)) == ""
    assert task_instance.pushed == {}


@pytest.mark.parametrize(
    ("allowed", "words"),
    [(0, "at most 0 items failed"), (0.05, "at most 0.05 of all items failed"), (None, "any number of failed items")],
)
def test_a_task_has_docs(allowed: Any, words: str) -> None:
    sensor = BulkJobSensor(task_id="gate", conn_id="mine", job_id="a", job_kind="export", allowed_failures=allowed)
    assert sensor.doc_md.startswith("Waits for export jobs of connection **mine**")
    assert words in sensor.doc_md


def test_docs_of_ones_own_stay() -> None:
    assert BulkJobSensor(task_id="gate", conn_id="mine", job_id="a", doc_md="My own.").doc_md == "My own."
    operator = BulkJobOperator(task_id="submit", conn_id="mine", records=[{"id": 1}], wait_for_completion=False)
    assert operator.doc_md.startswith("Submits the records as jobs of connection **mine**")
