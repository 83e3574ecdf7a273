# SPDX-License-Identifier: Apache-2.0
"""What proves that a request was not sent: over real sockets, proxies and TLS."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from driving import VENDOR_OF
from raw_server import Exchange, RawServer, http_answer, raw_server

from airflow_provider_bulkjobs.exceptions import UnknownOutcomeError, VendorUnavailableError
from airflow_provider_bulkjobs.http import requests_transport as requests_driver
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.protocol.flow import Request, Response
from airflow_provider_bulkjobs.vendors.spec.fields import Account

MakeAccount = Callable[..., Account]
POST = Request("POST", "/v3/submit", body=b"{}", idempotent=False)
QUICK = RetryPolicy(max_attempts=2, initial_delay=0.001, on_retry=lambda _: None)


@contextmanager
def driver_for(account: Account) -> Iterator[RequestsTransport]:
    transport = RequestsTransport(VENDOR_OF["sendgrid"], account)
    try:
        yield transport
    finally:
        transport.close()


def submit(account: Account) -> Response:
    with driver_for(account) as transport:
        return transport.send(POST, QUICK)


def interrupt(_: Exchange) -> None:
    """End the connection without a response."""


def submits(server: RawServer) -> list[str]:
    return [line for line in server.lines if line.startswith("POST")]


def test_reset_after_the_request_is_unknown(account: MakeAccount) -> None:
    with raw_server(interrupt) as server:
        with pytest.raises(UnknownOutcomeError, match="interrupted after the request was sent"):
            submit(account(host=server.url))
        assert len(submits(server)) == 1


def test_reset_behind_a_plain_proxy_is_unknown(account: MakeAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(interrupt) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(UnknownOutcomeError):
            submit(account(host="http://vendor.invalid"))
        assert len(submits(proxy)) == 1


def test_tunnel_that_is_not_established_proves_that_nothing_was_sent(
    account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw_server(interrupt) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(VendorUnavailableError):
            submit(account(host="https://vendor.invalid"))
        assert [line.split()[0] for line in proxy.lines] == ["CONNECT", "CONNECT"]


def test_failed_tls_handshake_proves_that_nothing_was_sent(account: MakeAccount) -> None:
    with raw_server(lambda exchange: exchange.send(b"no TLS here")) as server:
        with pytest.raises(VendorUnavailableError, match="TLS handshake failed"):
            submit(account(host=server.url.replace("http:", "https:")))
        assert submits(server) == []


def test_refused_connection_proves_that_nothing_was_sent(account: MakeAccount) -> None:
    with raw_server(interrupt) as server:
        closed = server.url
    with pytest.raises(VendorUnavailableError, match="connection refused"):
        submit(account(host=closed))


@pytest.mark.parametrize(
    "answer",
    [
        http_answer(b"x" * 2000),
        http_answer(b"{}", "Location: /elsewhere", status="303 See Other"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\nnot gzip",
        b"not HTTP\r\n\r\n",
    ],
    ids=["too large", "redirect", "half a body", "broken encoding", "not HTTP"],
)
def test_unreadable_response_is_unknown(account: MakeAccount, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setattr(requests_driver, "MAX_BODY", 1000)
    with raw_server(lambda exchange: exchange.send(answer)) as server:
        with pytest.raises(UnknownOutcomeError):
            submit(account(host=server.url))
        assert len(submits(server)) == 1


@contextmanager
def server_that_forgets_connections() -> Iterator[tuple[str, list[int]]]:
    """Answer the first request of each connection, and reset the connection at the second, as a NAT gateway does."""
    used: list[int] = []  # the number of the connection, for each request

    def serve(connection: socket.socket, number: int) -> None:
        with connection:
            for request in range(2):
                while not (data := connection.recv(65536)).endswith(b"{}"):
                    if not data:
                        return
                used.append(number)
                if request:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def accept() -> None:
        for number in range(100):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection, number), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", used
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_idle_connection_is_not_used_for_a_request_that_is_not_idempotent(
    account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests_driver, "MAX_IDLE", 0.0)
    with server_that_forgets_connections() as (url, used), driver_for(account(host=url)) as transport:
        assert [transport.send(POST, QUICK).status for _ in range(3)] == [200] * 3
        assert used == [0, 1, 2]


def test_unexpected_error_before_the_connection_proves_that_nothing_was_sent(
    account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TypeError

    monkeypatch.setattr(requests_driver.AccountSession, "send_to", fail)
    with pytest.raises(VendorUnavailableError, match="TypeError"):
        submit(account(host="http://127.0.0.1:9"))
