# SPDX-License-Identifier: Apache-2.0
"""From a connection to an account, through the real hooks; and what the connection test says."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from vendors.scripted import required_extra

from airflow_provider_bulkjobs import simulator
from airflow_provider_bulkjobs.exceptions import BadConnectionError
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS, BulkJobHook, hook_for
from airflow_provider_bulkjobs.hooks.connection import read_account, read_extra
from airflow_provider_bulkjobs.http.responses import credential_headers
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.fields import Account

VENDOR_OF = {vendor.conn_type: vendor for vendor in VENDORS}
HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
# The rules of fields are the same for all vendors. These have regions, an own host in each account, and choices.
FEW = ("intercom", "activecampaign", "acquia_campaign_studio")
SIMULATED = {"acquia_campaign_studio": "acquia"}
SECRET = "s3cret-of-the-connection"
GOOD = {"conn_id": "mine", "host": "https://api.example", "login": "bot", "password": SECRET}
SECRETS = {  # of those that the simulator serves
    "intercom": simulator.INTERCOM_TOKEN,
    "sendgrid": simulator.SENDGRID_KEY,
    "activecampaign": simulator.ACTIVECAMPAIGN_KEY,
    "acquia_campaign_studio": simulator.ACQUIA_PASSWORD,
}


def read(conn_type: str, extra: Any = None, **values: Any) -> Account:
    vendor = VENDOR_OF[conn_type]
    return read_account(vendor.fields, **{**GOOD, **values}, extra={**required_extra(vendor), **(extra or {})})


def refusal(conn_type: str, **values: Any) -> str:
    with pytest.raises(BadConnectionError) as caught:
        read(conn_type, **values)
    assert "'mine'" in str(caught.value)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("empty", [None, "", "   "])
@pytest.mark.parametrize(
    ("conn_type", "field"),
    [(vendor.conn_type, field.name) for vendor in VENDORS for field in vendor.fields if field.required],
)
def test_a_missing_value(conn_type: str, field: str, empty: str | None) -> None:
    declared = next(each for each in VENDOR_OF[conn_type].fields if each.name == field)
    message = refusal(conn_type, **({field: empty} if declared.is_standard else {"extra": {field: empty}}))
    assert f"the field {field!r} ({declared.label}) is missing. {declared.help}" in message


def test_every_vendor_requires_its_secret() -> None:
    for vendor in VENDORS:
        [password] = [each for each in vendor.fields if each.name == "password"]
        has_another = any(each.secret for each in vendor.fields if each is not password)  # a private key
        assert password.required or has_another, vendor.label


@pytest.mark.parametrize("conn_type", VENDOR_OF)
def test_a_masked_secret(conn_type: str) -> None:
    message = refusal(conn_type, password="***")
    assert "'password'" in message
    assert "Enter the real value" in message


@pytest.mark.parametrize("password", [f"{SECRET}\nX-Evil: 1", f"{SECRET}\r", f"a\x00{SECRET}", f"a\u200b{SECRET}"])
@pytest.mark.parametrize("conn_type", FEW)
def test_a_secret_with_an_invisible_character(conn_type: str, password: str) -> None:
    if password.endswith("\r"):
        assert read(conn_type, password=password)["password"] == SECRET  # surrounding blanks are stripped
    else:
        assert "'password'" in refusal(conn_type, password=password)


@pytest.mark.parametrize("conn_type", ["intercom", "sendgrid", "activecampaign"])
def test_secret_with_non_ascii_characters(conn_type: str) -> None:
    vendor = VENDOR_OF[conn_type]
    account = read_account(vendor.fields, conn_id="mine", host="api.example", password=f"{SECRET}…")
    with pytest.raises(BadConnectionError, match=r"'mine'.*not allowed in a header") as caught:
        credential_headers(vendor, account, None)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("conn_type", FEW)
@pytest.mark.parametrize(
    ("host", "remedy"),
    [
        (f"https://bot:{SECRET}@api.example", "Enter the URL alone"),
        ("https://bot@api.example", "Enter the URL alone"),
        (f"https://api.example/?key={SECRET}", "Enter the URL alone"),
        ("https://api.example/#top", "Enter the URL alone"),
        ("ftp://api.example", "Use https://"),
        ("file:///etc/passwd", "Use https://"),
        ("javascript://api.example", "Use https://"),
        ("https://", "Example: https://"),
        ("https://api example", "Copy it again"),
        ("api.example/a b", "Copy it again"),
        ("https://api.example:port", "Example: https://"),
        ("https://api.example:99999", "Example: https://"),
        ("https://[::1", "Example: https://"),
        ("https://api.example\\@evil.example", ""),
        ("https://api.example\n.evil.example", "Copy it again"),
        ("***", "Example: https://"),
        ("https://api..example", "Example: https://"),
        ("https://.example", "Example: https://"),
        ("https://..", "Example: https://"),
        (f"https://{'a' * 64}.example", "Example: https://"),
        (f"https://{'a.' * 127}example", "Example: https://"),
    ],
)
def test_invalid_host(conn_type: str, host: str, remedy: str) -> None:
    message = refusal(conn_type, host=host)
    assert "'host'" in message
    assert remedy in message


@pytest.mark.parametrize(
    ("conn_type", "field", "choices"),
    [
        ("intercom", "region", "us, eu, au"),
        ("sendgrid", "region", "global, eu"),
        ("acquia_campaign_studio", "auth_type", "basic, oauth2"),
    ],
)
@pytest.mark.parametrize("value", ["mars", "EU ", 7, "u" * 300])
def test_a_value_that_is_no_choice(conn_type: str, field: str, choices: str, value: Any) -> None:
    message = refusal(conn_type, extra={field: value})
    assert f"{field!r}" in message
    assert f"Choose one of {choices}" in message
    assert len(message) < 300


@pytest.mark.parametrize("conn_type", FEW)
@pytest.mark.parametrize(
    "value",
    [-1, "-0.5", "many", "nan", float("nan"), float("inf"), pytest.param(10**400, id="endless"), True, [1], {"a": 1}],
)
def test_a_rate_that_is_no_number(conn_type: str, value: Any) -> None:
    message = refusal(conn_type, extra={"requests_per_second": value})
    assert "'requests_per_second'" in message
    assert "Enter a number, 0 or more" in message


@pytest.mark.parametrize(("value", "rate"), [(0, 0), ("2.5", 2.5), (" 3 ", 3), (1e3, 1000)])
def test_a_rate(value: Any, rate: float) -> None:
    assert read("intercom", extra={"requests_per_second": value})["requests_per_second"] == rate


@pytest.mark.parametrize("conn_type", VENDOR_OF)
def test_empty_fields_mean_their_defaults(conn_type: str) -> None:
    vendor = VENDOR_OF[conn_type]
    account = read(conn_type, extra={"requests_per_second": "", "region": None})
    assert account["requests_per_second"] == vendor.requests_per_second
    defaults = {f.name: f.default for f in vendor.fields if not (f.is_standard or f.required)}
    assert {name: account[name] for name in defaults} == defaults


@pytest.mark.parametrize("extra", ["{", "[]", "7", '"text"', "null", "not json"])
def test_an_extra_that_is_not_an_object(extra: str) -> None:
    with pytest.raises(BadConnectionError, match=r"'mine'.*'extra' is not a JSON object. Correct it or leave it empty"):
        read_extra("mine", extra)


@pytest.mark.parametrize(("extra", "values"), [(None, {}), ("", {}), ("{}", {}), ('{"a": 1}', {"a": 1})])
def test_an_extra(extra: str | None, values: dict[str, Any]) -> None:
    assert read_extra("mine", extra) == values


@pytest.mark.parametrize(
    "values",
    [
        {"extra": {"region": SECRET}},
        {"extra": {"requests_per_second": SECRET}},
        {"host": "api.example", "schema": SECRET},
        {"host": f"{SECRET}://api.example"},
    ],
)
def test_a_secret_in_the_wrong_field_is_not_shown(values: dict[str, Any]) -> None:
    message = refusal("intercom", **values)  # which looks for it
    assert f"a value of {len(SECRET)} characters" in message


@pytest.mark.parametrize("value", ["hunter2", "Hunter", "2", "hunter2!"])
@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("region", lambda value: {"extra": {"region": value}}),
        ("requests_per_second", lambda value: {"extra": {"requests_per_second": f"{value} "}}),
        ("schema", lambda value: {"host": "api.example", "schema": value}),
    ],
)
def test_a_short_secret_in_the_wrong_field_is_not_shown(field: str, given: Callable[..., Any], value: str) -> None:
    if (field, value) == ("requests_per_second", "2"):
        pytest.skip("it is a number")
    message = refusal("intercom", password=" hunter2 ", **given(value))
    assert f"{field!r}" in message
    assert f"a value of {len(value)} characters" in message
    assert value not in message.partition("a value of")[0]


def test_short_value_is_shown() -> None:
    assert "is 'europe'" in refusal("intercom", extra={"region": "europe"})
    assert "a value of 9 characters" in refusal("intercom", extra={"region": "palo-alto"})


def test_a_schema_that_is_no_scheme() -> None:
    message = refusal("intercom", host="api.example", schema="foo")
    assert "'schema' is 'foo'" in message
    assert "'host'" in message


@pytest.mark.parametrize(
    ("values", "base_url"),
    [
        ({"host": "https://api.example"}, "https://api.example"),
        ({"host": "HTTPS://API.example"}, "https://api.example"),
        ({"host": " https://api.example/ "}, "https://api.example"),
        ({"host": "api.example"}, "https://api.example"),
        ({"host": "api.example", "schema": "https"}, "https://api.example"),
        ({"host": "api.example", "schema": "http"}, "http://api.example"),
        ({"host": "api.example", "schema": ""}, "https://api.example"),
        ({"host": "https://api.example", "schema": "foo"}, "https://api.example"),
        ({"host": "api.example:8443"}, "https://api.example:8443"),
        ({"host": "api.example", "port": 8443}, "https://api.example:8443"),
        ({"host": "api.example:8443", "port": 1}, "https://api.example:8443"),
        ({"host": "http://localhost:8080/prefix/"}, "http://localhost:8080/prefix"),
        ({"host": "https://api.example/a/b//"}, "https://api.example/a/b"),
        ({"host": "http://[::1]:8080"}, "http://[::1]:8080"),
        ({"host": "https://api.example."}, "https://api.example."),
        ({"host": f"https://{'a' * 63}.{'b' * 63}"}, f"https://{'a' * 63}.{'b' * 63}"),
        ({"host": "https://[2001:db8::1]/x"}, "https://[2001:db8::1]/x"),
        ({"host": "http://127.0.0.1", "port": 80}, "http://127.0.0.1"),
        ({"host": "http://127.0.0.1:80/x"}, "http://127.0.0.1/x"),
        ({"host": "api.example", "port": 443}, "https://api.example"),
        ({"host": "https://api.example:443/"}, "https://api.example"),
        ({"host": "https://api.example:80"}, "https://api.example:80"),
        ({"host": "http://api.example", "port": 443}, "http://api.example:443"),
    ],
)
@pytest.mark.parametrize("conn_type", [*FEW, "salesforce_bulk"])
def test_a_host(conn_type: str, values: dict[str, Any], base_url: str) -> None:
    assert VENDOR_OF[conn_type].base_url(read(conn_type, **values)) == base_url


@pytest.mark.parametrize("host", ["https://me.api-us1.com", "me.api-us1.com/api/3", "https://me.api-us1.com/api/3/"])
def test_activecampaigns_address_with_and_without_the_apis_path(host: str) -> None:
    assert VENDOR_OF["activecampaign"].base_url(read("activecampaign", host=host)) == "https://me.api-us1.com"


@pytest.mark.parametrize("host", ["https://api.sendgrid.com", "api.sendgrid.com/v3", "https://api.sendgrid.com/v3/"])
def test_sendgrids_address_with_and_without_the_apis_path(host: str) -> None:
    assert VENDOR_OF["sendgrid"].base_url(read("sendgrid", host=host)) == "https://api.sendgrid.com"


@pytest.mark.parametrize("path", ["", "/", "/api", "/api/", "/s", "/s/login", "/s/login/", "/s/dashboard"])
def test_acquias_address_with_and_without_the_path_of_the_api_or_of_a_page(path: str) -> None:
    for host in ("https://me.mautic.net", "https://example.com/studio"):
        account = read("acquia_campaign_studio", host=host + path)
        assert VENDOR_OF["acquia_campaign_studio"].base_url(account) == host


@pytest.mark.parametrize("path", ["", "/crm/v3", "/crm/v3/imports", "/crm/v3/imports/"])
def test_hubspots_address_with_and_without_the_apis_path(path: str) -> None:
    host = "https://api.hubapi.com"
    assert VENDOR_OF["hubspot"].base_url(read("hubspot", host=host + path)) == host


@pytest.mark.parametrize("path", ["", "/api", "/api/"])
def test_klaviyos_address_with_and_without_the_apis_path(path: str) -> None:
    host = "https://a.klaviyo.com"
    assert VENDOR_OF["klaviyo"].base_url(read("klaviyo", host=host + path)) == host


@pytest.mark.parametrize(
    ("conn_type", "region", "base_url"),
    [
        ("intercom", None, "https://api.intercom.io"),
        ("intercom", "eu", "https://api.eu.intercom.io"),
        ("intercom", "au", "https://api.au.intercom.io"),
        ("sendgrid", None, "https://api.sendgrid.com"),
        ("sendgrid", "eu", "https://api.eu.sendgrid.com"),
    ],
)
def test_a_region_has_its_host(conn_type: str, region: str | None, base_url: str) -> None:
    assert VENDOR_OF[conn_type].base_url(read(conn_type, host=None, extra={"region": region})) == base_url


def test_a_host_counts_more_than_a_region() -> None:
    assert VENDOR_OF["intercom"].base_url(read("intercom", extra={"region": "eu"})) == "https://api.example"


def test_an_account_does_not_show_its_secret() -> None:
    assert SECRET not in repr(read("intercom"))
    assert read("intercom").secrets == (SECRET,)


def test_a_fingerprint_tells_accounts_apart() -> None:
    account = read("intercom")
    assert account.fingerprint == read("intercom").fingerprint
    assert hash(account.fingerprint) == hash(read("intercom").fingerprint)
    for other in ({"conn_id": "other"}, {"password": "renewed"}, {"host": "b.example"}, {"extra": {"region": "eu"}}):
        assert read("intercom", **other).fingerprint != account.fingerprint


# Through Airflow.


@pytest.fixture(scope="module")
def running_simulator() -> Iterator[Simulator]:
    with Simulator(job_seconds=0) as sim:
        yield sim


@pytest.fixture
def hook(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., BulkJobHook]:
    def make(conn_type: str, **values: Any) -> BulkJobHook:
        good = {
            "conn_type": conn_type,
            "host": sim.url_of(SIMULATED.get(conn_type, conn_type)) if conn_type in SECRETS else "https://api.example",
            "login": simulator.ACQUIA_USER,
            "password": SECRETS.get(conn_type, SECRET),
        }
        monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps({**good, **values}))
        return HOOK_OF[conn_type]("mine")

    return make


def closing(hook: BulkJobHook) -> tuple[bool, str]:
    try:
        return hook.test_connection()
    finally:
        if "transport" in hook.__dict__:
            hook.transport.close()


URI_OF = {
    "intercom": (
        f"intercom://:{quote('to/k:en=', safe='')}@/?region=eu&requests_per_second=2",
        {"base_url": "https://api.eu.intercom.io", "password": "to/k:en=", "requests_per_second": 2},
    ),
    "sendgrid": (
        "sendgrid://:SG.a.b@api.example:8443/http?on_behalf_of=sub",
        {"base_url": "http://api.example:8443", "password": "SG.a.b", "on_behalf_of": "sub"},
    ),
    "activecampaign": (
        "activecampaign://:key@me.api-us1.com",
        {"base_url": "https://me.api-us1.com", "password": "key"},
    ),
    "acquia_campaign_studio": (
        "acquia-campaign-studio://bot:pass%20word@me.mautic.net/https?auth_type=oauth2",
        {"base_url": "https://me.mautic.net", "login": "bot", "password": "pass word", "auth_type": "oauth2"},
    ),
}


@pytest.mark.parametrize("conn_type", URI_OF)
def test_a_connection_as_uri(monkeypatch: pytest.MonkeyPatch, conn_type: str) -> None:
    uri, values = URI_OF[conn_type]
    monkeypatch.setenv("AIRFLOW_CONN_MINE", uri)
    hook = hook_for("mine")
    assert type(hook) is HOOK_OF[conn_type]
    account = hook.account
    assert {"base_url": hook.vendor.base_url(account)} | {n: account[n] for n in values if n != "base_url"} == values


@pytest.mark.parametrize("conn_type", VENDOR_OF)
@pytest.mark.parametrize("as_text", [True, False])
def test_a_connection_as_json(hook: Callable[..., BulkJobHook], conn_type: str, *, as_text: bool) -> None:
    extra = {"requests_per_second": 2, **required_extra(VENDOR_OF[conn_type])}
    account = hook(conn_type, extra=json.dumps(extra) if as_text else extra).account
    assert account["requests_per_second"] == 2
    assert account["password"] == SECRETS.get(conn_type, SECRET)
    assert account.conn_id == "mine"


def as_json(conn_type: str) -> str:
    values = {name: GOOD[name] for name in ("host", "login", "password")}
    return json.dumps({"conn_type": conn_type, **values, "extra": required_extra(VENDOR_OF[conn_type])})


@pytest.mark.parametrize("conn_type", VENDOR_OF)
def test_each_hook_has_a_default_connection(monkeypatch: pytest.MonkeyPatch, conn_type: str) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_type.upper()}_DEFAULT", as_json(conn_type))
    assert HOOK_OF[conn_type]().account["password"] == SECRET


@pytest.mark.parametrize("conn_type", VENDOR_OF)
async def test_the_connection_is_read_the_same_without_holding_the_loop(
    monkeypatch: pytest.MonkeyPatch, conn_type: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", as_json(conn_type))
    hook = HOOK_OF[conn_type]("mine")
    assert await hook.load_account() == HOOK_OF[conn_type]("mine").account


def test_a_connection_of_another_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", "http://:word@api.example")
    with pytest.raises(BadConnectionError, match="'mine' is of type 'http', but IntercomHook needs 'intercom'"):
        _ = HOOK_OF["intercom"]("mine").account


def test_hook_for_a_connection_without_bulk_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MINE", f"unheard-of://:{SECRET}@api.example")
    with pytest.raises(BadConnectionError, match=r"'unheard.of'.*intercom, .*acquia_campaign_studio") as caught:
        hook_for("mine")
    assert SECRET not in str(caught.value)


MESSAGES = {
    "intercom": "Connected to Intercom workspace 'Simulator' (simulator, region 'us')",
    "sendgrid": "Connected to SendGrid (the host of the connection); the key has 4 scopes and belongs to user "
    "'simulator' (id 1).",
    "activecampaign": "Connected to ActiveCampaign as user 'api' (id 1) of http://127.0.0.1:",
    "acquia_campaign_studio": "Connected to Campaign Studio as user 'api-bot' (id 1) of http://127.0.0.1:",
}


@pytest.mark.parametrize("conn_type", SECRETS)
def test_a_good_connection(hook: Callable[..., BulkJobHook], conn_type: str) -> None:
    good, message = closing(hook(conn_type))
    assert good
    assert message.startswith(MESSAGES[conn_type])
    assert message.endswith(".")
    assert "None" not in message


def test_a_good_oauth2_connection(hook: Callable[..., BulkJobHook]) -> None:
    values = {"login": simulator.ACQUIA_CLIENT_ID, "password": simulator.ACQUIA_CLIENT_SECRET}
    good, message = closing(hook("acquia_campaign_studio", extra={"auth_type": "oauth2"}, **values))
    assert good
    assert message.startswith(MESSAGES["acquia_campaign_studio"])


@pytest.mark.parametrize("conn_type", SECRETS)
def test_wrong_credentials(hook: Callable[..., BulkJobHook], conn_type: str) -> None:
    good, message = closing(hook(conn_type, password=SECRET))
    assert not good
    secret = next(field for field in VENDOR_OF[conn_type].fields if field.name == "password")
    assert "Check the credentials in this connection." in message
    assert f"{secret.label}: {secret.help}" in message
    assert SECRET not in message


@pytest.mark.parametrize("conn_type", SECRETS)
@pytest.mark.parametrize("fault", ["server_error", "reset", "not_json", "rate_limit", "redirect"])
def test_a_vendor_that_fails(hook: Callable[..., BulkJobHook], sim: Simulator, conn_type: str, fault: str) -> None:
    sim.fault(None, fault)
    good, message = closing(hook(conn_type))
    assert not good
    assert message
    assert SECRETS[conn_type] not in message


@pytest.mark.parametrize("conn_type", SECRETS)
def test_a_connection_that_is_incomplete(hook: Callable[..., BulkJobHook], sim: Simulator, conn_type: str) -> None:
    good, message = closing(hook(conn_type, password=""))
    assert not good
    assert "'password'" in message
    assert sim.requests(SIMULATED.get(conn_type, conn_type)) == []


def test_a_connection_that_is_not_there() -> None:
    good, message = closing(HOOK_OF["intercom"]("nowhere"))
    assert not good
    assert "nowhere" in message
    assert "Create it, or correct conn_id" in message
