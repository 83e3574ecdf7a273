# SPDX-License-Identifier: Apache-2.0
"""What urllib3 logs about our requests: no query, and nothing at all about signed addresses."""

import io
import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import pytest
import requests
from raw_server import http_answer, raw_server

from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.http.log_filter import hide_queries, hide_requests
from airflow_provider_bulkjobs.http.signed_urls import open_file, send_file
from airflow_provider_bulkjobs.protocol.flow import Upload
from airflow_provider_bulkjobs.vendors import VENDORS

SENDGRID = next(vendor for vendor in VENDORS if vendor.conn_type == "sendgrid")


@pytest.fixture(autouse=True)
def debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def get(url: str) -> None:
    requests.get(url, timeout=5, allow_redirects=True)


@pytest.mark.parametrize(
    ("block", "logged"),
    [(nullcontext, "/path?sig=secret"), (hide_queries, "/path HTTP"), (hide_requests, None)],
    ids=["other users", "our requests", "signed addresses"],
)
def test_requests_are_logged_as_the_block_says(
    caplog: pytest.LogCaptureFixture, block: Any, logged: str | None
) -> None:
    with raw_server(lambda exchange: exchange.send(http_answer())) as raw, block():
        get(f"{raw.url}/path?sig=secret")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("urllib3")]
    assert any(logged in line for line in lines) if logged else not lines
    assert ("secret" in caplog.text) == (block is nullcontext)


def test_headers_that_cannot_be_parsed_are_logged_without_query(caplog: pytest.LogCaptureFixture) -> None:
    answer = b"HTTP/1.1 200 OK\r\nno header\r\nContent-Length: 0\r\n\r\n"
    with raw_server(lambda exchange: exchange.send(answer)) as raw, hide_queries():
        get(f"{raw.url}/path?sig=secret")
    assert "Failed to parse headers" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("logger", ["urllib3.connectionpool", "urllib3.util.retry", "urllib3.connection"])
def test_queries_are_cut_from_errors_and_retries(caplog: pytest.LogCaptureFixture, logger: str) -> None:
    error = ValueError("Max retries exceeded with url: /a?sig=secret (Caused by X)")
    with hide_queries():
        logging.getLogger(logger).warning("Retrying after '%r': %s", error, "https://h/a?sig=secret#b", exc_info=error)
    assert "secret" not in caplog.text
    assert "(Caused by X)" in caplog.text


def test_other_threads_log_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    with raw_server(lambda exchange: exchange.send(http_answer())) as raw, hide_requests():
        thread = threading.Thread(target=get, args=(f"{raw.url}/theirs?page=2",))
        thread.start()
        thread.join()
    assert "/theirs?page=2" in caplog.text


def test_blocks_end(caplog: pytest.LogCaptureFixture) -> None:
    with hide_queries(), hide_requests():
        pass
    logging.getLogger("urllib3.connectionpool").debug("/a?b")
    assert "/a?b" in caplog.text


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "503 Slow Down"])
def test_downloads_and_uploads_log_no_address(
    account: Callable[..., Any], caplog: pytest.LogCaptureFixture, status: str
) -> None:
    with raw_server(lambda exchange: exchange.send(http_answer(b"a,b\n", status=status))) as raw:
        url = f"{raw.url}/secret?sig=secret"
        mine = account(host=raw.url)
        for transfer in (
            lambda: open_file(url, SENDGRID, mine, 99).__enter__().read(),
            lambda: send_file(Upload(url, {}, lambda: io.BytesIO(b"x")), SENDGRID, mine),
        ):
            with suppress(BulkJobError):
                transfer()
        assert len(raw.lines) == 2
    assert "secret" not in caplog.text
