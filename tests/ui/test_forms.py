# SPDX-License-Identifier: Apache-2.0
"""Fill in the form of each connection type, save it, open it again and test it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from local_airflow import LocalAirflow
from ui.conftest import HOME
from ui.forms import Form

from airflow_provider_bulkjobs._airflow import HAS_FLASK_FORMS
from airflow_provider_bulkjobs.hooks.connection_form import form_behaviour, help_of
from airflow_provider_bulkjobs.vendors import VENDORS

PICTURES = Path(os.environ.get("PICTURES", HOME / "pictures"))


def with_new_fields():
    """Yield the vendors that have a kind of field that no vendor before them has."""
    known = set()
    for vendor in VENDORS:
        kinds = {(field.is_standard, field.type, field.is_secret, bool(field.choices)) for field in vendor.fields}
        if not kinds <= known:
            yield vendor
        known |= kinds


SAVED = list(with_new_fields()) if os.environ.get("UI_SHORT") else VENDORS
each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
each_saved = pytest.mark.parametrize("vendor", SAVED, ids=lambda vendor: vendor.conn_type)


@pytest.fixture
def values(vendor, simulator):
    """The values that connect to the simulator."""
    if (conn_id := f"{vendor.conn_type}_default") not in simulator.connections:
        pytest.skip(f"{vendor.label} is not simulated")
    connection = simulator.connections[conn_id]
    needed = [field.name for field in vendor.fields if field.required and not field.is_standard]
    return {name: connection[name] for name in ("host", "login", "password") if connection[name]} | {
        name: connection["extra"][name] for name in needed
    }


@pytest.fixture(scope="session")
def refusals() -> list[str]:
    return []


@pytest.fixture
def press_test(form: Form, airflow: LocalAirflow, refusals: list[str]) -> Callable[[str, str, dict[str, str]], str]:
    """Test a saved connection; Airflow 3.3.2 treats the port 0 that its own page sends as a change of the address."""

    def press_test(conn_id: str, conn_type: str, secrets: dict[str, str]) -> str:
        message = "" if refusals else form.test(conn_id, secrets)
        if message and "Bad Request" not in message:
            return message
        refusals.append(message)
        body = {"connection_id": conn_id, "conn_type": conn_type, "port": 443}
        airflow.request("PATCH", f"/connections/{conn_id}?update_mask=port", json=body)
        return form.test(conn_id, secrets)

    return press_test


@each_vendor
def test_the_form_shows_the_fields_of_the_vendor(form: Form, vendor):
    form.new("viewed", vendor.conn_type, vendor.label)
    hints = form_behaviour(vendor.fields)["placeholders"]
    assert form.names() == {field.name for field in vendor.fields}
    for field in vendor.fields:
        shown = form.shown(field.name)
        assert shown.label == field.label
        assert shown.masked == (field.is_secret)
        if field.is_standard:
            assert shown.placeholder == hints.get(field.name, "")
        else:
            assert shown.help == help_of(field)
            assert shown.placeholder == (hints.get(field.name, "") if HAS_FLASK_FORMS else "")
            assert shown.value == ("" if field.default is None else str(field.default))
        if field.choices:
            assert tuple(form.choices(field.name)) == field.choices
    PICTURES.mkdir(parents=True, exist_ok=True)
    for part, picture in form.pictures().items():
        (PICTURES / f"{vendor.conn_type}{part}.png").write_bytes(picture)


@each_saved
def test_a_connection_is_saved_reopened_and_tested(form: Form, vendor, values, press_test):
    conn_id = f"my_{vendor.conn_type}"
    form.new(conn_id, vendor.conn_type, vendor.label)
    form.fill(values)
    form.save()
    form.reopen(conn_id, vendor.conn_type)
    secrets = {field.name for field in vendor.fields if field.is_secret} & values.keys()
    assert not [name for name in secrets if values[name] in form.browser.page_source]
    open_values = {name: value for name, value in values.items() if name not in secrets}
    assert {name: form.value(name) for name in open_values} == open_values
    assert form.value("password") in {"", "***"}
    message = press_test(conn_id, vendor.conn_type, {name: values[name] for name in secrets})
    assert "Connected to " in message
    assert not [name for name in secrets if values[name] in form.browser.page_source]


@each_saved
def test_choice_is_saved_and_wrong_secret_is_explained(form: Form, vendor, values, press_test):
    conn_id = f"wrong_{vendor.conn_type}"
    form.new(conn_id, vendor.conn_type, vendor.label)
    # Another choice may need other fields.
    texts = (field for field in vendor.fields if field.type == "string" and not (field.choices or field.default))
    examples = {field.name: field.placeholder for field in texts}
    form.fill({**examples, **values, "password": "expired-secret"})
    has_another_secret = any(field.secret for field in vendor.fields if field.name != "password")
    chosen = {
        field.name: field.choices[-1]
        for field in vendor.fields
        if field.choices and not (field.name == "auth_type" and has_another_secret)
    }
    for name, choice in chosen.items():
        form.choose(name, choice)
    form.save()
    form.reopen(conn_id, vendor.conn_type)
    assert {name: form.value(name) for name in chosen} == chosen
    message = press_test(conn_id, vendor.conn_type, {"password": "expired-secret"})
    field = next(field for field in vendor.fields if field.name == "password")
    assert "Check the credentials in this connection." in message
    assert f"{field.label}: {field.help}" in message
    assert "expired-secret" not in form.browser.page_source


def test_other_connection_types_still_work(form: Form):
    form.new("a_file", "fs", "File (path)")
    form.save()
    form.reopen("a_file", "fs")
