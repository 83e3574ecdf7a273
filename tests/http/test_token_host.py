# SPDX-License-Identifier: Apache-2.0
"""Where a token request goes, and requests whose base URL came from a response."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from raw_server import Exchange, RawServer, http_answer, raw_server

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadConnectionError,
    BulkJobError,
    UntrustedResponseError,
)
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.http.addresses import request_url, token_url, trusted_base_url
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.spec.auth import Auth
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor
from airflow_provider_bulkjobs.vendors.toolkit.auth import Basic, ClientCredentials, DiscoveredHost, HeaderKey

SECRET = "s3cret of the client"
TOKEN_URL = "https://login.crm.example/oauth/token"
POLICY = RetryPolicy(max_attempts=2, initial_delay=0.001, max_delay=0.001, on_retry=str)


class Crm(Vendor):
    """A vendor whose API is where the token response says."""

    conn_type = "crm"
    label = "Crm"
    docs_url = "https://crm.example/docs"
    fields = (Field("host", "Host", "help"), Field("login", "Id", "help"), Field("password", "Secret", "help"))
    kinds = ()
    auth: ClassVar[Auth] = ClientCredentials(endpoint=TOKEN_URL, base_url="instance_url", credentials="query")
    errors = Errors(
        (Message("", "message"),),
        codes=("",),
        meaning={"Not authenticated.": 401},
        failed=lambda b: b == "Not authenticated.",
    )
    default_host = "https://api.crm.example"
    domains = ("crm.example", "my-crm.example")

    def check(self, account: Account) -> Flow[str]:
        """Request the limits."""
        return str((yield Request("GET", "/limits")).json)


class Pods(Crm):
    """A vendor whose host is discovered."""

    auth: ClassVar[Auth] = DiscoveredHost(Basic(), "/id", "urls.base")


def account(host: str | None = None) -> Account:
    extra = {"requests_per_second": 0}
    return read_account(Crm.fields, conn_id="mine", host=host, login="bot", password=SECRET, extra=extra)


REQUEST = Request("POST", TOKEN_URL, authorized=False, secret_query={"a": "b c"})


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, f"{TOKEN_URL}?a=b+c"),
        ("https://api.crm.example", f"{TOKEN_URL}?a=b+c"),
        ("https://eu.my-crm.example", f"{TOKEN_URL}?a=b+c"),
        ("https://notcrm.example/x", "https://notcrm.example/x/oauth/token?a=b+c"),
        ("http://127.0.0.1:1/crm", "http://127.0.0.1:1/crm/oauth/token?a=b+c"),
    ],
)
def test_credentials_of_another_host_stay_on_that_host(host: str | None, url: str) -> None:
    assert token_url(Crm(), account(host), REQUEST) == url


def test_relative_token_url_is_on_the_configured_host() -> None:
    assert token_url(Crm(), account(), Request("POST", "/t", authorized=False)) == "https://api.crm.example/t"


@pytest.mark.parametrize(
    ("host", "url", "trusted"),
    [
        (None, "https://acme.my-crm.example/", "https://acme.my-crm.example"),
        (None, "https://crm.example:8443/api/", "https://crm.example:8443/api"),
        ("http://127.0.0.1:1", "http://127.0.0.1:2/x", "http://127.0.0.1:2/x"),
        ("https://gateway.example/crm", "https://gateway.example/crm", "https://gateway.example/crm"),
        ("https://gateway.example/crm", "https://acme.my-crm.example/pod/", "https://gateway.example/crm/pod"),
    ],
)
def test_base_url_on_the_domains_of_the_vendor_is_trusted(host: str | None, url: str, trusted: str) -> None:
    assert trusted_base_url(Crm(), account(host), url) == trusted


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.crm.example",
        "https://evilcrm.example",
        "https://crm.example.evil.example",
        "https://crm.example@evil.example",
        "https://user@crm.example",
        "https://crm.example?x=1",
        "//crm.example",
        "crm.example",
        "https://[crm.example",
        "https://crm.example:x",
        "https://crm.example\n.evil.example",
        r"https://evil.example\.crm.example",
        "https://evil.example%2f.crm.example",
        "https://evil.example;.crm.example",
        "https://\u0430cme.crm.example",
        "https://crm.example.",
        "",
    ],
)
def test_any_other_base_url_is_not_trusted(url: str) -> None:
    with pytest.raises(UntrustedResponseError, match=r"only sent to https addresses on api\.crm\.example"):
        trusted_base_url(Crm(), account(), url)


def test_base_url_is_never_http_on_another_host() -> None:
    with pytest.raises(UntrustedResponseError):
        trusted_base_url(Crm(), account("http://127.0.0.1:1"), "http://acme.crm.example")


@pytest.mark.parametrize(
    "url",
    [
        r"https://evil.example\.crm.example/x",
        "https://evil.example;.crm.example/x",
        "https://user@api.crm.example/x",
        "https://acme.crm.example:8443/x",
        "http://acme.crm.example/x",
        "//acme.crm.example/x",
        "https://api.crm.example\t/x",
        "x",
    ],
)
def test_credentials_are_not_sent_to_any_other_url(url: str) -> None:
    with pytest.raises(UntrustedResponseError, match="leads to another host"):
        request_url(Crm(), account(), "https://api.crm.example", url)


@pytest.mark.parametrize("host", [None, "https://gateway.example"])
def test_query_of_a_token_url_is_kept(host: str | None) -> None:
    request = Request("GET", "https://login.crm.example/me?a=1", authorized=False, secret_query={"b": "2"})
    assert token_url(Crm(), account(host), request) == f"{host or 'https://login.crm.example'}/me?a=1&b=2"


# --- over sockets


@pytest.fixture
def api() -> Iterator[RawServer]:
    with raw_server(lambda exchange: exchange.send(http_answer(b'{"limits": 1}'))) as server:
        yield server


def answering(body: str) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.send(http_answer(body.encode()))


def over_requests(vendor: Vendor, using: Account, times: int = 1) -> Any:
    transport = RequestsTransport(vendor, using)
    try:
        results = [transport.run(lambda: vendor.check(using), POLICY) for _ in range(times)]
        assert transport.session.get("/more").status_code == 200, "the session for other requests goes there too"
        return results[-1]
    except BulkJobError as error:
        return error
    finally:
        transport.close()


def over_aiohttp(vendor: Vendor, using: Account, times: int = 1) -> Any:
    async def run() -> Any:
        async with shared_transport(vendor, using) as transport:
            try:
                return [await transport.run(lambda: vendor.check(using), POLICY) for _ in range(times)][-1]
            except BulkJobError as error:
                return error

    return asyncio.run(run())


each_transport = pytest.mark.parametrize("run", [over_requests, over_aiohttp])


@each_transport
def test_requests_go_where_the_token_response_says(run: Callable[..., Any], api: RawServer) -> None:
    token = f'{{"access_token": "t-1", "instance_url": "{api.url}/pod/"}}'
    with raw_server(answering(token)) as login:
        assert run(Crm(), account(f"{login.url}/crm"), 2) == "{'limits': 1}"
    [asked] = login.lines
    assert asked.startswith("POST /crm/oauth/token?grant_type=client_credentials&client_id=bot&client_secret=s3cret")
    assert set(api.lines) - {"GET /pod/more HTTP/1.1"} == {"GET /pod/limits HTTP/1.1"}
    assert {each.headers["authorization"] for each in api.exchanges} == {"Bearer t-1"}


@each_transport
def test_requests_go_to_the_discovered_host(run: Callable[..., Any], api: RawServer) -> None:
    with raw_server(answering(f'{{"urls": {{"base": "{api.url}"}}}}')) as login:
        assert run(Pods(), account(login.url)) == "{'limits': 1}"
    assert login.lines == ["GET /id HTTP/1.1"]
    assert api.lines[0] == "GET /limits HTTP/1.1"


@each_transport
def test_discovery_that_fails_with_a_text_is_an_authentication_error(run: Callable[..., Any]) -> None:
    with raw_server(answering('"Not authenticated."')) as login:
        error = run(Pods(), account(login.url))
    assert type(error) is AuthenticationError
    assert "Not authenticated." in str(error)


@each_transport
def test_credentials_do_not_follow_an_untrusted_base_url(run: Callable[..., Any], api: RawServer) -> None:
    port = api.url.rpartition(":")[2]
    with raw_server(answering(f'{{"access_token": "t", "instance_url": "http://localhost:{port}"}}')) as login:
        error = run(Crm(), account(login.url))
    assert type(error) is UntrustedResponseError
    assert not api.lines


@each_transport
@pytest.mark.parametrize("body", ['{"error": "invalid_client"}', "not json"])
def test_secret_in_the_query_is_in_no_log_line_and_no_message(
    run: Callable[..., Any], body: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with raw_server(answering(body)) as login:
        refused = run(Crm(), account(login.url))
    lost = run(Crm(), account(login.url))  # nothing listens there any more
    assert isinstance(refused, BulkJobError)
    assert isinstance(lost, BulkJobError)
    shown = "\n".join([str(refused), repr(refused), str(lost), repr(lost), caplog.text])
    assert "s3cret" not in shown


class Files(Crm):
    """A vendor with files on another host."""

    auth: ClassVar[Auth] = Basic()

    def check(self, account: Account) -> Flow[str]:
        """Request a file."""
        return str((yield Request("GET", "https://files.crm.example/1")).json)


@each_transport
def test_other_host_of_the_vendor_has_its_own_proxy(
    run: Callable[..., Any], api: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", api.url)
    monkeypatch.setenv("NO_PROXY", "api.crm.example")
    assert isinstance(run(Files(), account()), BulkJobError)
    assert api.lines[0].startswith("CONNECT files.crm.example:443 ")


@each_transport
def test_credentials_that_no_header_can_have_are_named(run: Callable[..., Any], api: RawServer) -> None:
    keys = type("Keys", (Pods,), {"auth": DiscoveredHost(HeaderKey("X-Key"), "/id", "urls.base")})
    using = read_account(
        Crm.fields, conn_id="mine", host=api.url, password="k\u2019y", extra={"requests_per_second": 0}
    )
    error = run(keys(), using)
    assert type(error) is BadConnectionError
    assert "not allowed in a header" in str(error)
    assert not api.lines
