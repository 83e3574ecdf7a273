# SPDX-License-Identifier: Apache-2.0
"""Files that are streamed to the vendor's hosts with the credentials, and which hosts these are."""

import asyncio
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests_mock
from vendors.scripted import SECRET, Script, ScriptedHandler, make_account, serving

from airflow_provider_bulkjobs.exceptions import UnknownOutcomeError, UntrustedResponseError
from airflow_provider_bulkjobs.http.pool import shared_transport
from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.http.signed_urls import send_file
from airflow_provider_bulkjobs.protocol.flow import Request, Upload
from airflow_provider_bulkjobs.vendors.klaviyo import Klaviyo
from airflow_provider_bulkjobs.vendors.toolkit.uploads import FilePart, multipart

QUICK = RetryPolicy(max_attempts=3, initial_delay=0.001, max_delay=0.001, on_retry=lambda _: None)
OK = {"status": 200, "body": {"id": 1}}


class Elsewhere(Klaviyo):
    default_host = "https://api.example.com"
    domains = ("files.example.com",)


@pytest.fixture
def script() -> Iterator[Script]:
    with serving(ScriptedHandler) as script:
        yield script


def send(host: str, request: Any, vendor: Any = None) -> Any:
    vendor = vendor or Elsewhere()
    transport = RequestsTransport(vendor, make_account(vendor, host))
    try:
        return transport.send(request, QUICK)
    finally:
        transport.close()


def test_file_is_streamed_with_its_length_and_the_credentials(script: Script, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b"email\r\n" * 300_000)
    script.play([OK])
    request = Request("PUT", "/jobs/1/data", {"Content-Type": "text/csv"}, open=lambda: path.open("rb"))
    assert send(script.url(), request).json == {"id": 1}
    [seen] = script.seen
    assert (seen.method, len(seen.body), seen.headers["content-length"]) == ("PUT", 2_100_000, "2100000")
    assert SECRET in seen.headers["authorization"]
    assert seen.headers["content-type"] == "text/csv"


def test_retry_sends_the_whole_file_again(script: Script) -> None:
    opened: list[io.BytesIO] = []

    def open_file() -> io.BytesIO:
        opened.append(io.BytesIO(b"x" * 1000))
        return opened[-1]

    script.play([{"status": 503, "body": {}}, OK])
    send(script.url(), Request("PUT", "/jobs/1/data", open=open_file))
    assert [len(seen.body) for seen in script.seen] == [1000, 1000]
    assert len(opened) == 2
    assert all(file.closed for file in opened)


def test_file_that_must_not_be_sent_twice_is_not(script: Script) -> None:
    script.play([{"status": 503, "body": {}}])
    with pytest.raises(UnknownOutcomeError):
        send(script.url(), Request("POST", "/jobs/1/data", open=lambda: io.BytesIO(b"x"), idempotent=False))
    assert len(script.seen) == 1


def test_file_that_cannot_be_opened_is_no_network_error(script: Script) -> None:
    def open_file() -> Any:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        send(script.url(), Request("PUT", "/jobs/1/data", open=open_file))


def test_form_is_uploaded_to_a_signed_url_without_credentials(script: Script) -> None:
    form = multipart({"key": "k"}, FilePart("file", "x.jsonl", "text/jsonl", lambda: io.BytesIO(b"{}\n")))
    script.play([{"status": 201, "body": ""}])
    upload = Upload(f"{script.url()}/bucket?sig", {"Content-Type": form.content_type}, form.open, method="POST")
    send_file(upload, Klaviyo(), make_account(Klaviyo(), script.url()))
    [seen] = script.seen
    assert (seen.method, seen.body, seen.headers["content-type"]) == ("POST", form.data.decode(), form.content_type)
    assert SECRET not in str(seen)


# --- other hosts of the vendor


@pytest.mark.parametrize("host", ["files.example.com", "eu.files.example.com", "FILES.example.com:443"])
def test_declared_host_receives_the_credentials(host: str) -> None:
    with requests_mock.Mocker() as server:
        server.post(f"https://{host}/upload", json={"id": 1})
        send("https://api.example.com", Request("POST", f"https://{host}/upload", open=lambda: io.BytesIO(b"x")))
    assert SECRET in server.request_history[0].headers["Authorization"]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/upload",
        "https://evilfiles.example.com/upload",
        "https://files.example.com.evil.example/upload",
        "http://files.example.com/upload",
        "https://files.example.com:8443/upload",
        "https://user@files.example.com/upload",
        "//files.example.com/upload",
        "https://[x/upload",
        "@files.example.com/upload",
    ],
)
def test_other_host_receives_nothing(url: str) -> None:
    with requests_mock.Mocker() as server:
        with pytest.raises(UntrustedResponseError):
            send("https://api.example.com", Request("POST", url, body=b"x"))
        transport = RequestsTransport(Elsewhere(), make_account(Elsewhere(), "https://api.example.com"))
        with pytest.raises(UntrustedResponseError), transport.open_file(url, {}, 1000):
            pass
        transport.close()
    assert not server.request_history


def test_url_of_the_own_host_is_like_its_path(script: Script) -> None:
    script.play([OK])
    send(script.url("/prefix"), Request("POST", script.url("/elsewhere"), body=b"x"))
    assert script.seen[0].path == "/elsewhere"
    assert SECRET in script.seen[0].headers["authorization"]


def test_download_from_a_declared_host_has_the_credentials() -> None:
    with requests_mock.Mocker() as server:
        server.get("https://files.example.com/1.zip", content=b"data")
        transport = RequestsTransport(Elsewhere(), make_account(Elsewhere(), "https://api.example.com"))
        with transport.open_file("https://files.example.com/1.zip", {}, 1000) as file:
            assert file.read() == b"data"
        transport.close()
    assert SECRET in server.request_history[0].headers["Authorization"]


def test_download_counts_for_the_rate_limit() -> None:
    with requests_mock.Mocker() as server:
        server.get("https://api.example.com/1.csv", content=b"data")
        transport = RequestsTransport(Elsewhere(), make_account(Elsewhere(), "https://api.example.com"))
        transport._limiter.pace.set_rate(0.01)
        with transport.open_file("/1.csv", {}, 1000):
            assert transport._limiter.pace.wait(time.monotonic()) > 60
        transport.close()


def test_triggers_send_no_files() -> None:
    vendor = Elsewhere()

    async def poll(request: Request) -> None:
        async with shared_transport(vendor, make_account(vendor, "https://api.example.com")) as transport:

            def flow() -> Any:
                return (yield request)

            await transport.run(flow, QUICK)

    with pytest.raises(NotImplementedError):
        asyncio.run(poll(Request("PUT", "/x", open=lambda: io.BytesIO(b"x"))))
