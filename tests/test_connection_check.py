# SPDX-License-Identifier: Apache-2.0
"""What the connection test says is wrong, for whoever sits in front of the form."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import self_signed
from vendors.fixture_loader import VENDOR_SAMPLES
from vendors.scripted import ScriptedHandler, serving

from airflow_provider_bulkjobs import simulator
from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadConnectionError,
    JobNotFoundError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.hooks.connection_test import explain
from airflow_provider_bulkjobs.protocol.flow import Response
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.simulator.world import simulated_vendors
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.klaviyo import Klaviyo
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
SIMULATED = {vendor.conn_type for vendor in simulated_vendors()}
SECRET = "s3cret-of-the-connection"
NAME = "XKQZWV"

every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.conn_type)
every_simulated_vendor = pytest.mark.parametrize(
    "vendor", [vendor for vendor in VENDORS if vendor.conn_type in SIMULATED], ids=lambda vendor: vendor.conn_type
)
Try = Callable[..., tuple[bool, str]]


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    with Simulator(job_seconds=0) as sim:
        yield sim


@pytest.fixture
def attempt(monkeypatch: pytest.MonkeyPatch) -> Try:
    """Test a connection the way Airflow's form does: a copy of it, under a name that nobody has chosen."""

    def attempt(vendor: Vendor, **values: Any) -> tuple[bool, str]:
        connection = {"host": "http://127.0.0.1:1", "login": "bot", "password": SECRET, **values}
        monkeypatch.setenv(f"AIRFLOW_CONN_{NAME}", json.dumps({**connection, "conn_type": vendor.conn_type}))
        good, told = HOOK_OF[vendor.conn_type](NAME).test_connection()
        assert NAME not in told
        assert connection["password"] not in told.replace("***.", "")
        assert told[0].isupper()
        return good, told

    return attempt


def host_of(vendor: Vendor) -> str:
    host = next(field for field in vendor.fields if field.name == "host")
    return f"{host.label}: {host.help} Example: {host.placeholder}"


@every_vendor
@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("https://no-such-host.invalid", "host name not found"),
        ("http://127.0.0.1:1", "connection refused"),
    ],
)
def test_a_host_that_cannot_be_reached(attempt: Try, vendor: Vendor, host: str, reason: str) -> None:
    good, told = attempt(vendor, host=host)
    assert not good
    assert reason in told
    assert host_of(vendor) in told


@every_vendor
def test_a_host_that_does_not_speak_tls(attempt: Try, sim: Simulator, vendor: Vendor) -> None:
    good, told = attempt(vendor, host=sim.url.replace("http://", "https://"))
    assert not good
    assert "TLS handshake failed" in told
    assert host_of(vendor) in told


@every_vendor
def test_a_host_whose_certificate_is_not_trusted(attempt: Try, vendor: Vendor, tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path)
    with Simulator(tls=context) as sim:
        good, told = attempt(vendor, host=sim.url)
    assert not good
    assert (
        "The TLS certificate of 127.0.0.1 was rejected: self-signed certificate. Check the host of this connection"
        in told
    )


@every_simulated_vendor
@pytest.mark.parametrize("page", ["", "/nowhere"])
def test_a_host_that_is_another_website(attempt: Try, sim: Simulator, vendor: Vendor, page: str) -> None:
    if not page:
        sim.fault(None, "not_json")
    good, told = attempt(vendor, host=f"{sim.connection(vendor.conn_type)['host']}{page}")
    assert not good
    assert host_of(vendor) in told or "Check the credentials" in told


@every_vendor
def test_a_host_that_answers_but_is_not_the_vendor(attempt: Try, vendor: Vendor) -> None:
    with serving(ScriptedHandler) as script:
        script.play([*VENDOR_SAMPLES[vendor.conn_type].token, {"status": 200, "body": {}}])
        good, told = attempt(vendor, host=script.url())
    assert not good
    assert told.startswith(
        f"Unexpected response from 127.0.0.1: not the {vendor.label} API. Check the host of this conn"
    )
    assert host_of(vendor) in told


@every_simulated_vendor
def test_a_missing_permission(attempt: Try, sim: Simulator, vendor: Vendor) -> None:
    if vendor.status_of(Response(403, {}, b"")) == 401:
        pytest.skip(f"{vendor.label} says the same of a bad key")
    path = VENDOR_SAMPLES[vendor.conn_type].content["check"]["expected_requests"][0]  # not that of the token
    sim.fault(None, "server_error", status=403, path=path)
    good, told = attempt(vendor, **sim.connection(vendor.conn_type))
    assert not good
    assert told.endswith(vendor.notes.permissions)


@every_vendor
def test_every_vendor_says_what_the_credentials_must_be_allowed_to(vendor: Vendor) -> None:
    assert vendor.notes.permissions.endswith(".")


def vendor_of(conn_type: str) -> Vendor:
    return HOOK_OF[conn_type].vendor


@pytest.mark.parametrize(("api", "words"), [("off", "API disabled"), ("no_basic_auth", "Basic Auth disabled")])
def test_an_api_that_is_switched_off(attempt: Try, sim: Simulator, api: str, words: str) -> None:
    sim.settings(acquia_api=api)
    good, told = attempt(vendor_of("acquia_campaign_studio"), **sim.connection("acquia_campaign_studio"))
    assert not good
    assert words in told
    assert "must be enabled in Configuration > API Settings" in told


def test_a_key_that_is_not_for_marketing(attempt: Try, sim: Simulator) -> None:
    sim.settings(sendgrid_scopes="mail")
    good, told = attempt(vendor_of("sendgrid"), **sim.connection("sendgrid"))
    assert not good
    assert "none of its 1 scopes is for Marketing" in told
    assert "full access to Marketing" in told


@pytest.mark.parametrize(("hosted", "said"), [("EU", "us"), ("US", "eu"), ("AU", "eu")])
def test_a_wrong_region(attempt: Try, sim: Simulator, hosted: str, said: str) -> None:
    sim.settings(intercom_region=hosted)
    intercom, values = vendor_of("intercom"), sim.connection("intercom")
    good, told = attempt(intercom, **values, extra={"region": said})
    assert not good
    assert f"is hosted in {hosted.lower()!r}, but the connection uses {said!r}" in told
    assert f"Set the field 'region' (Region) to {hosted.lower()!r}" in told
    assert attempt(intercom, **values, extra={"region": hosted.lower()})[0]


@pytest.mark.parametrize(
    "values", [{"host": "https://api.eu.intercom.io:443"}, {"host": "api.eu.intercom.io", "port": 443}]
)
def test_the_usual_port_does_not_hide_the_region(values: dict[str, Any]) -> None:
    assert intercom_told("EU", **values).startswith("Connected to Intercom workspace 'Acme'")


def intercom_told(hosted: str, **values: Any) -> str:
    """Return what comes of a connection to Intercom itself, which no test may ask."""
    intercom = vendor_of("intercom")
    flow = intercom.check(read_account(intercom.fields, conn_id="mine", password=SECRET, **values))
    next(flow)
    answer = {"app": {"name": "Acme", "id_code": "abc", "region": hosted}}
    try:
        flow.send(Response(200, {}, json.dumps(answer).encode()))
    except StopIteration as end:
        return str(end.value)
    pytest.fail("there is one question only")


def test_a_wrong_region_that_the_host_says() -> None:
    for extra in ({}, {"region": "au"}):
        with pytest.raises(BadConnectionError) as caught:
            intercom_told("AU", host="https://api.eu.intercom.io", extra=extra)
        told = str(caught.value)
        assert "is hosted in 'au', but the connection uses 'eu'" in told
        assert "Clear the field 'host' (API host) and set the field 'region' (Region) to 'au'" in told


def test_a_key_whose_owner_is_not_told(attempt: Try, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "airflow_provider_bulkjobs.vendors.sendgrid.simulated.SCOPES", {"marketing": ["marketing.read"]}
    )
    good, told = attempt(vendor_of("sendgrid"), **sim.connection("sendgrid"))
    assert good
    assert "Its user could not be read (it needs the scope user.username.read)" in told
    assert [each.path_qs for each in sim.requests("sendgrid")] == ["/sendgrid/v3/scopes"]


# What proves the connection, and what is only good to know beside it.
ASKS_ALSO = {
    "sendgrid": {"scopes": ["marketing.read", "user.username.read"]},
    "hubspot": {"results": []},
}


@pytest.mark.parametrize("conn_type", ASKS_ALSO)
@pytest.mark.parametrize(
    ("headers", "second"),
    [
        ({}, {"status": 401, "body": {}}),
        ({}, {"status": 403, "body": {}}),
        ({}, {"status": 404, "body": {}}),
        ({}, {"status": 429, "headers": {"Retry-After": "30"}}),
        ({}, {"status": 503}),
        ({}, {"status": 200, "body": "<html>"}),
        ({}, {"status": 200, "body": {}}),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}, None),
        ({"Retry-After": "30"}, None),
    ],
)
def test_what_is_established_stays_so(
    attempt: Try, conn_type: str, headers: dict[str, str], second: dict[str, Any] | None
) -> None:
    with serving(ScriptedHandler) as script:
        script.play([{"status": 200, "headers": headers, "body": ASKS_ALSO[conn_type]}, *([second] if second else [])])
        began = time.monotonic()
        good, told = attempt(vendor_of(conn_type), host=script.url())
        assert time.monotonic() - began < 5
        assert not script.answers
    assert good, told
    assert "could not be read" in told


def test_an_account_is_named_where_its_user_is_an_address(attempt: Try) -> None:
    user = {"username": "ada@example.com", "id": 7, "user_id": 7}
    answers = {
        "sendgrid": [ASKS_ALSO["sendgrid"], user],
        "activecampaign": [{"user": user}],
        "acquia_campaign_studio": [user],
    }
    for conn_type, bodies in answers.items():
        with serving(ScriptedHandler) as script:
            script.play([{"status": 200, "body": body} for body in bodies])
            good, told = attempt(vendor_of(conn_type), host=script.url())
        assert good
        assert "user '<e-mail address>' (id 7)" in told


@pytest.mark.parametrize(("conn_type", "extra"), [("hubspot", {}), ("acquia_campaign_studio", {"auth_type": "oauth2"})])
def test_a_test_does_not_take_longer_than_people_wait(
    attempt: Try, monkeypatch: pytest.MonkeyPatch, conn_type: str, extra: dict[str, str]
) -> None:
    monkeypatch.setattr("airflow_provider_bulkjobs.hooks.connection_test.MAX_SECONDS", 1.0)
    monkeypatch.setattr("airflow_provider_bulkjobs.http.requests_transport.FINAL_POLL_TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        good, told = attempt(vendor_of(conn_type), host=f"http://127.0.0.1:{silent.getsockname()[1]}", extra=extra)
    assert not good
    assert "no response in time" in told
    assert time.monotonic() - began < 4


@every_vendor
def test_a_secret_that_is_still_masked(attempt: Try, vendor: Vendor) -> None:
    good, told = attempt(vendor, password="***")
    assert not good
    assert "This connection: the field 'password'" in told
    assert "still reads ***. Enter the real value" in told


@every_vendor
def test_whatever_goes_wrong_is_told(attempt: Try, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_self: Vendor, _account: object) -> None:
        raise KeyError(SECRET)

    monkeypatch.setattr(type(vendor), "check", check)
    text = f"The connection test of {vendor.label} failed with an unexpected KeyError. Check all fields."
    assert attempt(vendor) == (False, text)


class Bare(Klaviyo):
    fields = ()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AuthenticationError("No."), "No."),
        (JobNotFoundError("Not there", hint="Check the id."), "Not there: the API is not at this address."),
        (VendorUnavailableError("Down."), "Down."),
    ],
)
def test_a_vendor_without_host_and_password(error: Exception, told: str) -> None:
    assert explain(Bare(), error) == told


@every_simulated_vendor
def test_a_connection_can_be_tested_twice(sim: Simulator, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(sim.connection(vendor.conn_type)))
    hook = HOOK_OF[vendor.conn_type]("mine")
    assert hook.test_connection()[0]
    assert hook.test_connection()[0]


def test_the_simulator_has_no_connection_of_another_type(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="no vendor 'http'"):
        sim.connection("http")


def test_an_address_with_the_apis_path_is_understood(attempt: Try, sim: Simulator) -> None:
    for conn_type, path in (("activecampaign", "/api/3/"), ("acquia_campaign_studio", "/api"), ("sendgrid", "/v3")):
        values = sim.connection(conn_type)
        good, told = attempt(vendor_of(conn_type), **{**values, "host": values["host"] + path})
        assert good, told
    assert simulator.SENDGRID_KEY not in told
