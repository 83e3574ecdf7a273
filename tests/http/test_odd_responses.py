# SPDX-License-Identifier: Apache-2.0
"""Malformed responses and invalid environments: both transports must treat them in the same way."""

import asyncio
import base64
import gzip
import json
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from driving import QUICK, VENDOR_OF, Driving
from raw_server import Exchange, http_answer, raw_server

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadConnectionError,
    BulkJobError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.retry import NO_RETRY
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.simulator import Simulator
from airflow_provider_bulkjobs.vendors.spec.fields import Account

MakeAccount = Callable[..., Account]


def get(path: str = "/v3/scopes") -> Flow[dict[str, Any]]:
    answer = yield Request("GET", path)
    return answer.json


READABLE = {
    "no length": b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"a": 1}',
    "HTTP 1.0": b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}',
    "chunks": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n4\r\n: 1}\r\n0\r\n\r\n',
    "identity": http_answer(b'{"a": 1}', "Content-Encoding: identity"),
    "continue first": b"HTTP/1.1 100 Continue\r\n\r\n" + http_answer(b'{"a": 1}'),
    "byte order mark": http_answer(b'\xef\xbb\xbf{"a": 1}'),
    "another encoding": http_answer('{"a": 1}'.encode("utf-16")),
    "a header in Latin-1": b'HTTP/1.1 200 OK\r\nX: \xe9\r\nContent-Length: 8\r\nConnection: close\r\n\r\n{"a": 1}',
    "a broken cookie": http_answer(b'{"a": 1}', "Set-Cookie: \xe9=; ;;;"),
    "a long header": http_answer(b'{"a": 1}', f"Content-Security-Policy: {'x' * 60_000}"),
    "many headers": http_answer(b'{"a": 1}', *(f"X-{number}: x" for number in range(90))),
    "gzip by another name": http_answer(gzip.compress(b'{"a": 1}'), "Content-Encoding: X-GZIP"),
    "gzip twice": http_answer(gzip.compress(gzip.compress(b'{"a": 1}')), "Content-Encoding: gzip, gzip"),
    "gzip in two headers": http_answer(gzip.compress(gzip.compress(b'{"a": 1}')), *("Content-Encoding: gzip",) * 2),
    "gzip in two members": http_answer(gzip.compress(b'{"a"') + gzip.compress(b": 1}"), "Content-Encoding: gzip"),
    "gzip with an appendix": http_answer(gzip.compress(b'{"a": 1}') + b"xx", "Content-Encoding: gzip"),
    "deflate": http_answer(zlib.compress(b'{"a": 1}'), "Content-Encoding: deflate"),
    "deflate without header": http_answer(zlib.compress(b'{"a": 1}')[2:-4], "Content-Encoding: deflate"),
}


@pytest.mark.parametrize("kind", READABLE)
def test_malformed_but_readable_response_is_read(drive: Driving, account: MakeAccount, kind: str) -> None:
    with raw_server(lambda exchange: exchange.send(READABLE[kind])) as server:
        assert drive("sendgrid", account(host=server.url), get, policy=NO_RETRY) == {"a": 1}


UNREADABLE = {
    "nothing": b"",
    "no HTTP": b"hello\r\n\r\n",
    "no header": b"{}",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-",
    "a broken chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "chunks without an end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "unsupported encoding": http_answer(b"xx", "Content-Encoding: br"),
    "no body": b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
    "half a body of a coding": http_answer(b"\x1f\x8b\x08", "Content-Encoding: gzip"),
    "a list": http_answer(b"[]"),
    "Latin-1": http_answer(b'{"a": "\xe9"}'),
    "nested without end": http_answer(b"[" * 200_000),
    "a number without end": http_answer(b'{"a": ' + b"9" * 5000 + b"}"),
    "a status of its own": http_answer(status="999 What"),
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\nConnection: close\r\n\r\n{}",
    "a length in words": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\nConnection: close\r\n\r\n{}",
    "two lengths": http_answer(b"{}", "Content-Length: 2"),
    "a length beside chunks": http_answer(b"2\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "a length that is too long": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{}",
    "a header without colon": http_answer(b"{}", "Header"),
    "a header of 70,000 bytes": http_answer(b"{}", f"X: {'x' * 70_000}"),
    "gzip that is none": http_answer(b"{}", "Content-Encoding: gzip"),
    "deflate that is none": http_answer(b"{}", "Content-Encoding: deflate"),
    "half a deflate": http_answer(zlib.compress(b"{}")[:-5], "Content-Encoding: deflate"),
    "a web page": http_answer(b"<html></html>"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_unreadable_response_is_transient(drive: Driving, account: MakeAccount, kind: str) -> None:
    with (
        raw_server(lambda exchange: exchange.send(UNREADABLE[kind])) as server,
        pytest.raises(VendorUnavailableError),
    ):
        drive("sendgrid", account(host=server.url), get, policy=NO_RETRY)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_of_the_vendors_own_are_not_followed_either(
    drive: Driving, account: MakeAccount, status: int
) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(http_answer(b"{}", "Location: /v3/other", status=f"{status} Moved"))

    with raw_server(answer) as server:
        with pytest.raises(VendorAPIError, match="redirected to another location"):
            drive("sendgrid", account(host=server.url), get)
        assert server.lines == ["GET /v3/scopes HTTP/1.1"]


@pytest.mark.parametrize("path", ["/plain", "/a-b_c.d~e", "/a%20b", "/a//b"])
def test_both_transports_keep_the_path_prefix(drive: Driving, account: MakeAccount, path: str) -> None:
    with raw_server(lambda exchange: exchange.send(http_answer())) as server:
        drive("sendgrid", account(host=server.url + path), get)
        assert server.lines == [f"GET {path}/v3/scopes HTTP/1.1"]


@pytest.mark.parametrize("path", ["/é", "/a/../b", "/a%zz", "/%7e%2f"])
def test_both_transports_keep_an_unusual_prefix(account: MakeAccount, path: str) -> None:
    asked: list[str] = []
    with raw_server(lambda exchange: exchange.send(http_answer())) as server:
        for name in ("requests", "aiohttp"):
            try:
                Driving(name)("sendgrid", account(host=server.url + path), get)
            except BadConnectionError:
                asked.append("refused")
            else:
                asked.append(server.lines[-1])
    assert asked[0] == asked[1]


def test_both_transports_use_the_same_host(account: MakeAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    with raw_server(lambda exchange: exchange.send(http_answer())) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        for name in ("requests", "aiohttp"):
            try:
                Driving(name)("sendgrid", account(host="http://bücher.invalid"), get)
            except BadConnectionError:
                asked.append("refused")
            else:
                asked.append(proxy.exchanges[-1].headers["host"])
    assert asked[0] == asked[1]


@pytest.mark.parametrize("auth_type", ["basic", "oauth2"])
def test_credentials_repeated_by_the_vendor_are_redacted(drive: Driving, account: MakeAccount, auth_type: str) -> None:
    token = "t0ken-that-is-good-for-an-hour"
    pair = base64.b64encode(b"bot:s3cret-of-ours").decode()
    sent = {"basic": pair, "oauth2": token}[auth_type]

    def answer(exchange: Exchange) -> None:
        if "/oauth/" in exchange.line:
            exchange.send(http_answer(json.dumps({"access_token": token}).encode()))
        else:
            words = f"no entry with {exchange.headers['authorization']}"
            exchange.send(http_answer(json.dumps({"errors": [{"message": words}]}).encode(), status="400 Bad Request"))

    with raw_server(answer) as server:
        values = {"login": "bot", "password": "s3cret-of-ours", "extra": {"auth_type": auth_type}}
        with pytest.raises(VendorAPIError, match="no entry with") as caught:
            drive("acquia", account("acquia", host=server.url, **values), get)
        assert sent in server.exchanges[-1].headers["authorization"]
    assert sent not in str(caught.value)


def test_rejected_token_request_shows_the_vendor_message(drive: Driving, account: MakeAccount) -> None:
    body = json.dumps({"error": "invalid_client", "error_description": "None of the clients has this id"}).encode()
    with raw_server(lambda exchange: exchange.send(http_answer(body, status="400 Bad Request"))) as server:
        values = {"login": "bot", "password": "s3cret-of-ours", "extra": {"auth_type": "oauth2"}}
        with pytest.raises(AuthenticationError, match="None of the clients has this id"):
            drive("acquia", account("acquia", host=server.url, **values), get)


@pytest.mark.parametrize("vendor", ["intercom", "sendgrid", "activecampaign"])
def test_key_repeated_by_the_vendor_is_redacted(drive: Driving, account: MakeAccount, vendor: str) -> None:
    key = "s3cret-of-ours"

    def answer(exchange: Exchange) -> None:
        words = f"no entry with {exchange.headers.get('authorization') or exchange.headers['api-token']}"
        body = {"errors": [{"message": words}], "message": words}
        exchange.send(http_answer(json.dumps(body).encode(), status="400 Bad Request"))

    with raw_server(answer) as server, pytest.raises(VendorAPIError, match="no entry with") as caught:
        drive(vendor, account(vendor, host=server.url, password=key), get)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "bundle",
    [
        "gone",
        "garbage",
    ],
)
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_invalid_bundle_is_an_error(
    drive: Driving, account: MakeAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, bundle: str
) -> None:
    file = tmp_path / "bundle.pem"
    if bundle == "garbage":
        file.write_text("garbage")
    monkeypatch.setenv(variable, str(file))
    with pytest.raises(BadConnectionError, match=variable):
        drive("sendgrid", account(host="https://127.0.0.1:1"), get, policy=NO_RETRY)


@pytest.mark.parametrize(
    "proxy",
    ["http://[bad", "http://a..example:1", "http://127.0.0.1:99999", "http://127.0.0.1:1", "socks5://127.0.0.1:1"],
)
def test_proxy_without_response_is_named_in_the_error(
    drive: Driving, sim: Simulator, account: MakeAccount, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(BulkJobError):
        drive("sendgrid", account(), get, policy=NO_RETRY)
    assert sim.requests("sendgrid") == []  # and nobody goes past it


async def test_request_due_during_a_pause_waits(sim: Simulator, account: MakeAccount) -> None:
    sim.fault("sendgrid", "rate_limit", count=1, retry_after=0.5)
    limited = account(extra={"requests_per_second": 10})
    async with shared_transport(VENDOR_OF["sendgrid"], limited) as transport:
        # All requests are sent, 0.1 s apart, before the first response requests a pause.
        await asyncio.gather(*(transport.run(get, QUICK) for _ in range(4)))
    refused, *others = [request.time for request in sim.requests("sendgrid")]
    assert len(others) == 4
    assert min(others) - refused >= 0.48


async def test_queued_requests_are_first_in_first_out(sim: Simulator, account: MakeAccount) -> None:
    def poll(who: int) -> Flow[None]:
        for _ in range(5):
            yield Request("GET", f"/v3/scopes?who={who}")

    limited = account(extra={"requests_per_second": 60})  # slower than a busy machine opens connections
    async with shared_transport(VENDOR_OF["sendgrid"], limited) as transport:
        await asyncio.gather(*(transport.run(partial(poll, who), QUICK) for who in range(6)))
    order = [request.path_qs.rpartition("=")[2] for request in sim.requests("sendgrid")]
    done = dict.fromkeys("012345", 0)
    for who in order:
        done[who] += 1
        assert max(done.values()) - min(done.values()) <= 2, order
    assert set(done.values()) == {5}


async def test_event_loops_share_nothing(account: MakeAccount) -> None:
    async def use() -> object:
        async with shared_transport(VENDOR_OF["sendgrid"], account()) as transport:
            assert (await transport.run(get, QUICK))["scopes"]
            return transport

    async with shared_transport(VENDOR_OF["sendgrid"], account()) as here:
        assert await asyncio.to_thread(lambda: asyncio.run(use())) is not here
        assert await use() is here


async def test_connection_of_a_rejected_response_is_not_reused(account: MakeAccount) -> None:
    """What is left of a body that was not read must not be taken for the next answer."""
    from airflow_provider_bulkjobs.http.body import MAX_BODY

    huge = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 70_000)
    answers = iter([huge + b" " * (MAX_BODY + 70_000), http_answer(b'{"a": 1}')])
    with raw_server(lambda exchange: exchange.send(next(answers))) as server:
        async with shared_transport(VENDOR_OF["sendgrid"], account(host=server.url)) as transport:
            with pytest.raises(UntrustedResponseError):
                await transport.run(get, NO_RETRY)
            assert await transport.run(get, NO_RETRY) == {"a": 1}


def test_headers_that_come_one_by_one_do_not_extend_the_timeout(
    drive: Driving, account: MakeAccount, limit: Callable[..., None]
) -> None:
    def trickle(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\n")
        for number in range(90):  # the libraries' limit is 100
            exchange.send(b"X-%d: 1\r\n" % number)
            exchange.over.wait(0.05)
        exchange.send(b"Content-Length: 2\r\n\r\n{}")

    limit(TOTAL_TIMEOUT=0.5)
    with raw_server(trickle) as server, pytest.raises(VendorUnavailableError, match="no response in time"):
        drive("sendgrid", account(host=server.url), get, policy=NO_RETRY)
