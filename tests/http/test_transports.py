# SPDX-License-Identifier: Apache-2.0
"""The same flows over both transports: errors on the wire, and where credentials are sent."""

import gzip
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from driving import VENDOR_OF, Driving
from raw_server import Exchange, http_answer, raw_server

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadArgumentError,
    JobNotFoundError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import NO_RETRY, RetryPolicy
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, path_segment
from airflow_provider_bulkjobs.simulator import SENDGRID_KEY, Simulator
from airflow_provider_bulkjobs.vendors.spec.fields import Account

MakeAccount = Callable[..., Account]
Limit = Callable[..., None]
CREDENTIALS = ("authorization", "api-token", "cookie", "proxy-authorization")


def get(path: str = "/v3/scopes") -> Flow[dict[str, Any]]:
    answer = yield Request("GET", path)
    return answer.json


@pytest.mark.parametrize("fault", ["half_body", "reset", "not_json", "server_error", "rate_limit"])
def test_transient_fault_is_retried(drive: Driving, sim: Simulator, account: MakeAccount, fault: str) -> None:
    sim.fault("sendgrid", fault, count=2, retry_after=0)
    reports: list[str] = []
    answer = drive("sendgrid", account(), get, policy=RetryPolicy(initial_delay=0.001, on_retry=reports.append))
    assert answer["scopes"]
    assert len(sim.requests("sendgrid")) == 3
    if (drive.name, fault) != ("aiohttp", "reset"):  # aiohttp itself asks a second time after a reset
        assert [text.partition("; ")[2][:9] for text in reports] == ["attempt 1", "attempt 2"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_dead_proxy_is_named_in_the_error(
    drive: Driving, account: MakeAccount, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", "http://127.0.0.1:1")
    with pytest.raises(VendorUnavailableError, match="the proxy refused the connection or is not running"):
        drive("sendgrid", account(host=f"{scheme}://api.vendor.example"), get, policy=NO_RETRY)


@pytest.mark.parametrize("fault", ["half_body", "reset", "not_json", "server_error"])
def test_ten_failures_in_a_row_are_an_outage(drive: Driving, sim: Simulator, account: MakeAccount, fault: str) -> None:
    sim.fault("sendgrid", fault)
    reports: list[str] = []
    with pytest.raises(VendorUnavailableError, match="10 times in a row"):
        drive(
            "sendgrid",
            account(),
            get,
            policy=RetryPolicy(initial_delay=0.001, max_delay=0.001, on_retry=reports.append),
        )
    assert len(reports) == 9
    if (drive.name, fault) != ("aiohttp", "reset"):
        assert len(sim.requests("sendgrid")) == 10


def test_success_resets_the_failure_count(drive: Driving, sim: Simulator, account: MakeAccount) -> None:
    def twice() -> Flow[str]:
        for path in ("/v3/scopes?first", "/v3/scopes?second"):
            yield Request("GET", path)
        return "both"

    sim.fault("sendgrid", "server_error", count=6, path="first")
    sim.fault("sendgrid", "server_error", count=6, path="second")
    assert drive("sendgrid", account(), twice) == "both"
    assert len(sim.requests("sendgrid")) == 14


def test_no_retry_sends_one_request(drive: Driving, sim: Simulator, account: MakeAccount) -> None:
    sim.fault("sendgrid", "server_error")
    with pytest.raises(VendorUnavailableError, match="500"):
        drive("sendgrid", account(), get, policy=NO_RETRY)
    assert len(sim.requests("sendgrid")) == 1


def test_connection_refused_until_attempts_are_used_up(drive: Driving, account: MakeAccount) -> None:
    with raw_server(lambda _: None) as server:
        gone = server.url
    with pytest.raises(VendorUnavailableError, match="connection refused"):
        drive("sendgrid", account(host=gone), get)


def test_rejection_is_not_retried(drive: Driving, sim: Simulator, account: MakeAccount) -> None:
    with pytest.raises(JobNotFoundError):
        drive("sendgrid", account(), partial(get, "/v3/marketing/contacts/imports/unknown"))
    assert len(sim.requests("sendgrid")) == 1


def test_rejected_key_is_not_retried_and_not_shown(drive: Driving, sim: Simulator, account: MakeAccount) -> None:
    with pytest.raises(AuthenticationError) as caught:
        drive("sendgrid", account(password="SG.of-somebody-else"), get)
    assert len(sim.requests("sendgrid")) == 1
    assert "SG.of-somebody-else" not in str(caught.value)


@pytest.mark.parametrize("vendor", ["sendgrid", "acquia"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(
    drive: Driving, sim: Simulator, account: MakeAccount, vendor: str, status: int
) -> None:
    sim.fault(vendor, "redirect", status=status)
    with pytest.raises(VendorAPIError, match=r"redirected to http://localhost\. Credentials are never sent"):
        drive(vendor, account(vendor), get)
    assert len(sim.requests(vendor)) == 1
    assert sim.requests("elsewhere") == []


def test_large_body_is_refused(drive: Driving, sim: Simulator, account: MakeAccount, limit: Limit) -> None:
    limit(MAX_BODY=100_000)
    sim.fault("sendgrid", "huge_body")
    with pytest.raises(UntrustedResponseError, match="larger than 100000 bytes"):
        drive("sendgrid", account(), get)
    assert len(sim.requests("sendgrid")) == 1


def test_large_body_is_refused_by_its_content_length(drive: Driving, account: MakeAccount, limit: Limit) -> None:
    limit(MAX_BODY=100_000)
    with (
        raw_server(lambda exchange: exchange.send(http_answer(b"0" * 100_001))) as server,
        pytest.raises(UntrustedResponseError),
    ):
        drive("sendgrid", account(host=server.url), get)


def test_body_of_the_maximum_size_is_read(drive: Driving, account: MakeAccount, limit: Limit) -> None:
    body = b'{"a": "%s"}' % (b"x" * 991)
    limit(MAX_BODY=len(body))
    with raw_server(lambda exchange: exchange.send(http_answer(body))) as server:
        assert drive("sendgrid", account(host=server.url), get) == {"a": "x" * 991}


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compression_bomb_is_refused(drive: Driving, account: MakeAccount, limit: Limit, coding: str) -> None:
    import zlib

    limit(MAX_BODY=1_000_000)
    bomb = {"gzip": gzip.compress, "deflate": zlib.compress}[coding](b"0" * 20_000_000)
    assert len(bomb) < 100_000
    with (
        raw_server(lambda exchange: exchange.send(http_answer(bomb, f"Content-Encoding: {coding}"))) as server,
        pytest.raises(UntrustedResponseError),
    ):
        drive("sendgrid", account(host=server.url), get)


def test_compressed_response_is_read(drive: Driving, account: MakeAccount) -> None:
    body = http_answer(gzip.compress(b'{"a": 1}'), "Content-Encoding: gzip")
    with raw_server(lambda exchange: exchange.send(body)) as server:
        assert drive("sendgrid", account(host=server.url), get) == {"a": 1}
        assert "gzip" in server.exchanges[0].headers["accept-encoding"]


def test_compressed_response_may_arrive_in_chunks(drive: Driving, account: MakeAccount) -> None:
    whole = http_answer(gzip.compress(b'{"a": 1}'), "Content-Encoding: gzip")
    head = whole.index(b"\r\n\r\n") + 4

    def answer(exchange: Exchange) -> None:
        for piece in (whole[: head + 5], whole[head + 5 : head + 12], whole[head + 12 :]):
            exchange.send(piece)
            exchange.over.wait(0.05)

    with raw_server(answer) as server:
        assert drive("sendgrid", account(host=server.url), get, policy=NO_RETRY) == {"a": 1}


def test_broken_compression_is_retried(drive: Driving, account: MakeAccount) -> None:
    bodies = iter([http_answer(b"not gzip", "Content-Encoding: gzip"), http_answer(b'{"a": 1}')])
    with raw_server(lambda exchange: exchange.send(next(bodies))) as server:
        assert drive("sendgrid", account(host=server.url), get) == {"a": 1}


def test_no_password_is_taken_from_netrc(
    drive: Driving, sim: Simulator, account: MakeAccount, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    drive("sendgrid", account(), get)
    assert [request.headers["authorization"] for request in sim.requests("sendgrid")] == [f"Bearer {SENDGRID_KEY}"]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_is_used(drive: Driving, account: MakeAccount, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    with raw_server(lambda exchange: exchange.send(http_answer(b'{"a": 1}'))) as proxy:
        monkeypatch.setenv(variable, proxy.url.replace("://", "://me:word@"))
        assert drive("sendgrid", account(host="http://vendor.invalid/api"), get) == {"a": 1}
        assert proxy.lines == ["GET http://vendor.invalid/api/v3/scopes HTTP/1.1"]
        assert proxy.exchanges[0].headers["proxy-authorization"] == "Basic bWU6d29yZA=="
        assert proxy.exchanges[0].headers["authorization"] == f"Bearer {SENDGRID_KEY}"


def test_a_proxy_sees_no_credentials_of_a_secure_request(
    drive: Driving, account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = http_answer(b"", status="502 Bad Gateway")
    with raw_server(lambda exchange: exchange.send(refusal)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(VendorUnavailableError, match="the proxy refused the connection"):
            drive("sendgrid", account(host="https://vendor.invalid"), get, policy=NO_RETRY)
        assert proxy.lines[0].startswith("CONNECT vendor.invalid:443 HTTP/1.")
        assert not set(CREDENTIALS) & {name for exchange in proxy.exchanges for name in exchange.headers}


def test_no_proxy_excludes_a_host(
    drive: Driving, sim: Simulator, account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw_server(lambda exchange: exchange.send(http_answer())) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        drive("sendgrid", account(), get)
        assert proxy.lines == []
    assert len(sim.requests("sendgrid")) == 1


def test_cookies_are_not_kept(drive: Driving, account: MakeAccount) -> None:
    with raw_server(lambda exchange: exchange.send(http_answer(b"{}", "Set-Cookie: who=you; Path=/"))) as server:
        drive("sendgrid", account(host=server.url), get, get)
        assert len(server.exchanges) == 2
        assert ["cookie" in exchange.headers for exchange in server.exchanges] == [False, False]


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n"


def silence(exchange: Exchange) -> None:
    exchange.over.wait(3)


def silence_after_headers(exchange: Exchange) -> None:
    exchange.send(HEAD)
    silence(exchange)


def drip(exchange: Exchange, *, at_once: bytes, bytewise: bytes) -> None:
    exchange.send(at_once)
    for byte in bytewise:
        exchange.send(bytes([byte]))
        if exchange.over.wait(0.05):
            return


SLOW_ANSWERS = {
    "silence": silence,
    "silence after the headers": silence_after_headers,
    "body byte by byte": partial(drip, at_once=HEAD, bytewise=b" " * 60),
    "chunks byte by byte": partial(
        drip, at_once=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", bytewise=b"1\r\n \r\n" * 10
    ),
}


@pytest.mark.parametrize("slow", SLOW_ANSWERS)
def test_a_request_ends_within_its_total_timeout(drive: Driving, account: MakeAccount, limit: Limit, slow: str) -> None:
    limit(TOTAL_TIMEOUT=0.3, CONNECT_TIMEOUT=0.3)
    with raw_server(SLOW_ANSWERS[slow]) as server:
        began = time.monotonic()
        with pytest.raises(VendorUnavailableError, match="no response in time"):
            drive("sendgrid", account(host=server.url), get, policy=NO_RETRY)
        assert time.monotonic() - began < 1.2


def test_a_vendor_may_ask_for_more_time(
    drive: Driving, account: MakeAccount, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(TOTAL_TIMEOUT=0.1, CONNECT_TIMEOUT=5)
    monkeypatch.setattr(type(VENDOR_OF["sendgrid"]), "min_timeout", 10.0)

    def answer_late(exchange: Exchange) -> None:
        exchange.over.wait(0.4)  # ends early if the client gives up
        exchange.send(http_answer())

    with raw_server(answer_late) as server:
        drive("sendgrid", account(host=server.url), get, policy=NO_RETRY)


ODD_IDS = ["a/b", "a?b=c", "a#b", "a b", "ä", "%2e%2e", "a%2Fb", "a;b", "..a", "a\\b", "@b", "a+b"]


@pytest.mark.parametrize("job_id", ODD_IDS)
def test_job_id_is_one_path_segment_on_the_wire(drive: Driving, account: MakeAccount, job_id: str) -> None:
    path = f"/jobs/{path_segment(job_id)}?page=1"
    with raw_server(lambda exchange: exchange.send(http_answer())) as server:
        drive("sendgrid", account(host=f"{server.url}/prefix"), partial(get, path))
        assert server.lines == [f"GET /prefix{path} HTTP/1.1"]


@pytest.mark.parametrize("vendor", VENDOR_OF)
def test_every_request_has_the_base_headers(drive: Driving, sim: Simulator, account: MakeAccount, vendor: str) -> None:
    drive(vendor, account(vendor), lambda: VENDOR_OF[vendor].check(account(vendor)))
    assert sim.requests(vendor)
    for request in sim.requests(vendor):
        assert request.headers["accept"] in {"application/json", "application/vnd.api+json"}
        assert request.headers["user-agent"].startswith("airflow-provider-bulkjobs/")


def test_pause_from_a_success_delays_the_next_request(drive: Driving, account: MakeAccount) -> None:
    times: list[float] = []

    def answer(exchange: Exchange) -> None:
        times.append(time.monotonic())
        exchange.send(http_answer(b"{}", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 0.3"))

    with raw_server(answer) as server:
        drive("sendgrid", account(host=server.url), get, get)
    assert times[1] - times[0] >= 0.28


def test_requests_are_spaced(drive: Driving, sim: Simulator, account: MakeAccount) -> None:
    drive("sendgrid", account(extra={"requests_per_second": 20}), *[get] * 5)
    times = [request.time for request in sim.requests("sendgrid")]
    assert times[-1] - times[0] >= 0.18


def test_nothing_secret_is_logged(
    drive: Driving, sim: Simulator, account: MakeAccount, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sim.fault("sendgrid", "server_error", count=1)
    drive("sendgrid", account(), get, policy=RetryPolicy(initial_delay=0.001))
    assert "attempt 1" in caplog.text
    assert SENDGRID_KEY not in caplog.text
    assert SENDGRID_KEY not in repr(account())


# OAuth2, one conversation after the other; many at a time are in test_shared_transport.py.


def me() -> Flow[str]:
    answer = yield Request("GET", "/api/users/self")
    return str(answer.json["username"])


def test_token_is_fetched_once(drive: Driving, sim: Simulator, oauth2: Account) -> None:
    assert drive("acquia", oauth2, me, me, me) == "api-bot"
    assert sim.state()["acquia"]["tokens_issued"] == 1
    [token_request, *_] = sim.requests("acquia")
    assert (token_request.method, token_request.path_qs) == ("POST", "/acquia/oauth/v2/token")
    assert "authorization" not in token_request.headers


def test_revoked_token_is_refreshed_once(drive: Driving, sim: Simulator, oauth2: Account) -> None:
    def revoked() -> Flow[str]:
        sim.revoke_tokens()
        return (yield from me())

    assert drive("acquia", oauth2, me, revoked) == "api-bot"
    assert sim.state()["acquia"]["tokens_issued"] == 2
    assert len(sim.requests("acquia")) == 5


def test_tokens_that_are_never_accepted_are_an_error(drive: Driving, sim: Simulator, oauth2: Account) -> None:
    def refused() -> Flow[str]:
        sim.fault("acquia", "unauthorized", path="/api/users")
        return (yield from me())

    with pytest.raises(AuthenticationError, match="expired"):
        drive("acquia", oauth2, me, refused)
    assert sim.state()["acquia"]["tokens_issued"] == 2


def test_token_is_refreshed_before_it_expires(drive: Driving, sim: Simulator, oauth2: Account) -> None:
    sim.settings(token_seconds=0.5)  # reported as 1; the client refreshes after 0.9 of it

    def later() -> Flow[str]:
        time.sleep(0.95)
        return (yield from me())

    drive("acquia", oauth2, me, later)
    assert sim.state()["acquia"]["tokens_issued"] == 2
    assert sim.state()["acquia"]["statuses"].get("401") is None


@pytest.mark.parametrize("fault", ["server_error", "half_body", "not_json", "reset"])
@pytest.mark.usefixtures("quick_retries")
def test_failed_token_request_is_retried(drive: Driving, sim: Simulator, oauth2: Account, fault: str) -> None:
    sim.fault("acquia", fault, count=2, path="oauth")
    assert drive("acquia", oauth2, me) == "api-bot"


def test_rejected_client_secret_is_not_retried(drive: Driving, sim: Simulator, account: MakeAccount) -> None:
    wrong = account("acquia", login="acquia-client", password="wrong-secret", extra={"auth_type": "oauth2"})
    with pytest.raises(AuthenticationError, match="invalid_client") as caught:
        drive("acquia", wrong, me)
    assert "wrong-secret" not in str(caught.value)
    assert len(sim.requests("acquia")) == 1


# The session that users get.


@pytest.fixture
def session(account: MakeAccount) -> Any:
    transport = RequestsTransport(VENDOR_OF["sendgrid"], account())
    yield transport.session
    transport.close()


@pytest.mark.parametrize("path", ["/v3/scopes", "v3/scopes"])
def test_session_has_base_url_and_credentials(session: requests.Session, path: str) -> None:
    answer = session.get(path)
    assert answer.status_code == 200
    assert answer.request.headers["Authorization"] == f"Bearer {SENDGRID_KEY}"


def test_the_session_takes_a_url_of_its_own_origin(session: requests.Session, sim: Simulator) -> None:
    assert session.get(f"{sim.url_of('sendgrid')}/v3/scopes").status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.invalid/v3/scopes",
        "http://127.0.0.1:1/v3/scopes",
        "http://127.0.0.1/v3/scopes",
        "//elsewhere.invalid/v3/scopes",
        "http://user@{netloc}/v3/scopes",
        "http://{netloc}@elsewhere.invalid/",
        "https://{netloc}/v3/scopes",
        "http://{netloc}.elsewhere.invalid/",
        " http://elsewhere.invalid/",
        "HTTP://elsewhere.invalid/",
        "ftp://{netloc}/",
    ],
)
def test_the_session_refuses_other_origins(
    session: requests.Session, sim: Simulator, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(requests.Session, "request", lambda *_, **__: pytest.fail("it was sent"))
    with pytest.raises(BadArgumentError, match="only sends requests to the host of its connection"):
        session.get(url.format(netloc=sim.url.removeprefix("http://")))


def test_the_session_does_not_follow_redirects_elsewhere(session: requests.Session, sim: Simulator) -> None:
    sim.fault("sendgrid", "redirect")
    assert session.get("/v3/scopes").status_code == 302
    assert sim.requests("elsewhere") == []


@pytest.mark.parametrize("vendor", ["intercom", "sendgrid", "activecampaign", "acquia"])
def test_credentials_are_not_sent_to_redirect_targets(sim: Simulator, account: MakeAccount, vendor: str) -> None:
    transport = RequestsTransport(VENDOR_OF[vendor], account(vendor))
    sim.fault(vendor, "redirect")
    try:
        assert transport.session.get("/any", allow_redirects=True).status_code == 302
    finally:
        transport.close()
    assert sim.requests("elsewhere") == []
