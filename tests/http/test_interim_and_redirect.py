# SPDX-License-Identifier: Apache-2.0
"""Interim responses are skipped, and a redirect that is not followed is not prepared."""

import gzip
import tracemalloc
from collections.abc import Callable

import pytest
from driving import QUICK, VENDOR_OF, Driving
from raw_server import Exchange, http_answer, raw_server

from airflow_provider_bulkjobs.exceptions import (
    BulkJobError,
    UnknownOutcomeError,
    UntrustedResponseError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import NO_RETRY
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.spec.fields import Account

MakeAccount = Callable[..., Account]
EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
MEBIBYTE = 1024 * 1024


def get() -> Flow[dict[str, object]]:
    return (yield Request("GET", "/v3/scopes")).json


def submit(account: Account) -> int:
    transport = RequestsTransport(VENDOR_OF["sendgrid"], account)
    try:
        return transport.send(Request("POST", "/v3/submit", body=b"{}", idempotent=False), QUICK).status
    finally:
        transport.close()


def interim(exchange: Exchange) -> None:
    exchange.send(PROCESSING + EARLY_HINTS)
    exchange.over.wait(0.05)
    exchange.send(http_answer(b'{"a": 1}'))


def test_interim_responses_are_skipped(drive: Driving, account: MakeAccount) -> None:
    with raw_server(interim) as server:
        # Without another attempt, which might read the response to this one.
        assert drive("sendgrid", account(host=server.url), get, policy=NO_RETRY) == {"a": 1}
        assert len(server.lines) == 1


def test_submit_is_accepted_after_interim_responses(account: MakeAccount) -> None:
    with raw_server(interim) as server:
        assert submit(account(host=server.url)) == 200


def test_interim_responses_without_end_are_an_interrupted_request(account: MakeAccount) -> None:
    def flood(exchange: Exchange) -> None:
        while not exchange.over.is_set():
            exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    with raw_server(flood) as server, pytest.raises(UnknownOutcomeError, match="interrupted"):
        submit(account(host=server.url))


@pytest.mark.parametrize("location", [b"/\xe9t\xe9", b"/elsewhere", b"http://[x"])
def test_redirect_means_the_same_whatever_its_location(drive: Driving, account: MakeAccount, location: bytes) -> None:
    answer = b"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    with raw_server(lambda exchange: exchange.send(answer)) as server:
        with pytest.raises(VendorAPIError, match="302"):
            drive("sendgrid", account(host=server.url), get)
        with pytest.raises(UnknownOutcomeError, match="302"):
            submit(account(host=server.url))


def test_large_body_of_a_redirect_is_not_read(account: MakeAccount) -> None:
    bomb = gzip.compress(bytes(100 * MEBIBYTE), 1)
    answer = http_answer(bomb, "Location: /elsewhere", "Content-Encoding: gzip", status="302 Found")
    with raw_server(lambda exchange: exchange.send(answer)) as server:
        transport = RequestsTransport(VENDOR_OF["sendgrid"], account(host=server.url))
        tracemalloc.start()
        try:
            with pytest.raises(UntrustedResponseError, match="larger than"):
                transport.run(get, QUICK)
            assert tracemalloc.get_traced_memory()[1] < 70 * MEBIBYTE
        finally:
            tracemalloc.stop()
            transport.close()


MEMBERS = gzip.compress(b"") * 20_000 + gzip.compress(b"{}")


def test_gzip_body_of_too_many_members_is_refused_at_once(drive: Driving, account: MakeAccount) -> None:
    answer = http_answer(MEMBERS, "Content-Encoding: gzip")
    with raw_server(lambda exchange: exchange.send(answer)) as server, pytest.raises(BulkJobError, match="members"):
        drive("sendgrid", account(host=server.url), get)
