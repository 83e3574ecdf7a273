# SPDX-License-Identifier: Apache-2.0
"""What is large is decoded, parsed and read without holding the event loop."""

import asyncio
import gzip
import threading
from collections.abc import Callable

import pytest
from driving import QUICK, VENDOR_OF
from raw_server import http_answer, raw_server

from airflow_provider_bulkjobs.exceptions import VendorAPIError
from airflow_provider_bulkjobs.http import aiohttp_transport as aiohttp_driver
from airflow_provider_bulkjobs.http import responses as answers
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.protocol import flow as base
from airflow_provider_bulkjobs.protocol.flow import LARGE_BODY, Flow, Request, Response
from airflow_provider_bulkjobs.vendors.spec.fields import Account

MakeAccount = Callable[..., Account]
LARGE = b'{"message":"refused","errors":[%b""]}' % (b'{"message":"m"},' * (LARGE_BODY // 16))


def get() -> Flow[Response]:
    return (yield Request("GET", "/v3/scopes"))


def poll(account: Account) -> Response:
    async def talk() -> Response:
        async with shared_transport(VENDOR_OF["sendgrid"], account) as transport:
            return await transport.run(get, QUICK)

    return asyncio.run(talk())


def test_large_encoded_body_is_decoded_off_the_loop(account: MakeAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    decode = aiohttp_driver.decode_body
    monkeypatch.setattr(
        aiohttp_driver,
        "decode_body",
        lambda *args: threads.append(threading.current_thread() is threading.main_thread()) or decode(*args),
    )
    for size in (10, 12_000_000):  # the larger one is 12 KB when it is compressed
        body = gzip.compress(b'{"a": "%b"}' % (b"x" * size))
        with raw_server(
            lambda exchange, body=body: exchange.send(http_answer(body, "Content-Encoding: gzip"))
        ) as server:
            assert len(poll(account(host=server.url)).json["a"]) == size
    assert threads == [True, False]


def test_object_of_many_keys_is_built_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    monkeypatch.setattr(base, "_object", lambda pairs: built.append(len(pairs)) or dict(pairs))
    response = Response(200, {}, b"{%b}" % b",".join(b'"%d": 1' % number for number in range(50_000)))
    response.parse_in_thread()
    assert len(response.json) == 50_000
    assert built == [50_000]


def test_large_error_of_a_poll_is_not_parsed(account: MakeAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor, parsed = VENDOR_OF["sendgrid"], []
    monkeypatch.setattr(type(vendor), "error_text", lambda _self, body: parsed.append(body) or "words")
    for request in (Request("GET", "/"), Request("POST", "/", body=b"[]")):
        with pytest.raises(VendorAPIError):
            answers.raise_for_status(vendor, account(), request, Response(400, {}, LARGE))
    assert len(parsed) == 1, "only a submit has errors that are worth it"
