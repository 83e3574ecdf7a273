# SPDX-License-Identifier: Apache-2.0
"""The session for calls of one's own: paths are relative to the connection's address, whatever is in them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from driving import VENDOR_OF
from raw_server import Exchange, RawServer, http_answer, raw_server

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.session import AccountSession
from airflow_provider_bulkjobs.simulator import SENDGRID_KEY
from airflow_provider_bulkjobs.vendors.spec.fields import Account


@pytest.fixture
def server() -> Iterator[RawServer]:
    with raw_server(lambda exchange: exchange.send(http_answer())) as server:
        yield server


@pytest.fixture
def session(server: RawServer, account: Callable[..., Account]) -> Iterator[AccountSession]:
    transport = RequestsTransport(VENDOR_OF["sendgrid"], account(host=f"{server.url}/prefix"))
    yield transport.session
    transport.close()


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/a", "/prefix/a"),
        ("a", "/prefix/a"),
        ("/a?b=c", "/prefix/a?b=c"),
        ("a?b=//c", "/prefix/a?b=//c"),
        ("@elsewhere.example/a", "/prefix/@elsewhere.example/a"),
        (".elsewhere.example/a", "/prefix/.elsewhere.example/a"),
        (":1/a", "/prefix/:1/a"),
        ("\\\\elsewhere.example", "/prefix/%5C%5Celsewhere.example"),
        ("http:elsewhere.example", "/prefix/http:elsewhere.example"),
    ],
)
def test_a_path_stays_below_the_address(session: AccountSession, server: RawServer, path: str, asked: str) -> None:
    session.get(path)
    assert server.lines == [f"GET {asked} HTTP/1.1"]
    assert server.exchanges[0].headers["authorization"] == f"Bearer {SENDGRID_KEY}"


def test_a_path_may_have_an_address_in_its_query(session: AccountSession, server: RawServer) -> None:
    session.get("/a?callback=https://elsewhere.example/b")
    assert server.lines == ["GET /prefix/a?callback=https://elsewhere.example/b HTTP/1.1"]


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_no_method_sends_to_other_hosts(session: AccountSession, server: RawServer, method: str) -> None:
    with pytest.raises(BadArgumentError, match="only sends requests to the host of its connection"):
        getattr(session, method)("http://elsewhere.invalid/a")
    assert server.lines == []


def test_proxy_follows_the_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:1")
    monkeypatch.setenv("NO_PROXY", "pod.vendor.example")
    session = AccountSession("https://api.vendor.example", dict)
    assert session.proxies["https"] == "http://proxy.example:1"
    session.use("https://pod.vendor.example")
    assert not session.proxies
    session.close()


def test_a_timeout_is_set_unless_asked_otherwise(session: AccountSession, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    send = session.send
    monkeypatch.setattr(
        session, "send", lambda *args, **kwargs: asked.append(kwargs["timeout"]) or send(*args, **kwargs)
    )
    session.get("/a")
    session.get("/a", timeout=3)
    assert asked == [(10.0, 60.0), 3]


def test_own_headers_are_sent(session: AccountSession, server: RawServer) -> None:
    session.get("/a", headers={"X-Own": "1"})
    sent = server.exchanges[0].headers
    assert (sent["x-own"], sent["authorization"]) == ("1", f"Bearer {SENDGRID_KEY}")


@pytest.mark.parametrize("location", ["http://[x", "//[x/a", "http://elsewhere.invalid/a", "/prefix/b"])
def test_a_redirect_is_followed_only_on_the_same_host(account: Callable[..., Account], location: str) -> None:
    def answer(exchange: Exchange) -> None:
        redirect = exchange.line.startswith("GET /prefix/a ")
        exchange.send(http_answer(b"{}", f"Location: {location}", status="302 Found") if redirect else http_answer())

    with raw_server(answer) as server:
        transport = RequestsTransport(VENDOR_OF["sendgrid"], account(host=f"{server.url}/prefix"))
        status = transport.session.get("/a").status_code
        transport.close()
    assert (status, len(server.lines)) == ((200, 2) if location == "/prefix/b" else (302, 1))
