# SPDX-License-Identifier: Apache-2.0
"""Downloads of result files: what is tried again, what is asked for anew, and what is refused."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from raw_server import Exchange, RawServer, http_answer, raw_server

from airflow_provider_bulkjobs import temporary_files
from airflow_provider_bulkjobs.exceptions import (
    OutputWriteError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.hooks.bulk_job import IntercomHook, SendGridHook
from airflow_provider_bulkjobs.http import signed_urls as files
from airflow_provider_bulkjobs.http.retry import RetryPolicy
from airflow_provider_bulkjobs.results.item_results import iter_item_results

CSV = b"email,error\na@example.com,bad\nb@example.com,worse\n"
ROWS = [{"email": "a@example.com", "error": "bad"}, {"email": "b@example.com", "error": "worse"}]
RESET = b""  # nothing at all
OVERLOADED = http_answer(b"SlowDown", status="503 Slow Down")
HALF = http_answer(CSV)[:-10]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
HALF_CHUNK = CHUNKED + b"%x\r\n%b" % (len(CSV), CSV[:20])
MAX_BYTES = 10**6


def chunked(data: bytes) -> bytes:
    return CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)


@contextmanager
def storage(*downloads: bytes, kind: str = "contacts") -> Iterator[RawServer]:
    """Serve a finished job, and the answers to the downloads one after the other; the last one again and again."""
    left = list(downloads)

    def answer(exchange: Exchange) -> None:
        if "status" not in exchange.line and "/v3/" not in exchange.line and "/export/" not in exchange.line:
            exchange.send(left.pop(0) if len(left) > 1 else left[0])
            return
        statuses = sum("/v3/" in line for line in raw.lines)
        urls = [f"{raw.url}/file-{number}.csv?sig={statuses}" for number in (1, 2)]
        body = {
            "contacts": {"status": "errored", "results": {"errored_count": 2, "errors_url": urls[0]}},
            "export": {"status": "ready", "urls": urls},
            "own": {"status": "completed"},
        }[kind]
        exchange.send(http_answer(json.dumps(body).encode()))

    with raw_server(answer) as raw:
        yield raw


@pytest.fixture
def read(account: Callable[..., Any]) -> Callable[..., list[Any]]:
    def items(raw: RawServer, kind: str = "contacts", policy: RetryPolicy | None = None, **limits: int) -> list[Any]:
        hook: Any = IntercomHook("mine") if kind == "own" else SendGridHook("mine")
        hook.account = account(hook.vendor.conn_type, host=raw.url)
        job_kind = hook.job_kind("contacts" if kind == "contacts" else "export")
        policy = policy or RetryPolicy(initial_delay=0.001, max_delay=0.001, on_retry=lambda _: None)
        try:
            return [
                one.item for one in iter_item_results(hook, job_kind, "7", limits.get("max_bytes", MAX_BYTES), policy)
            ]
        finally:
            hook.transport.close()

    return items


def downloads(raw: RawServer) -> list[str]:
    return [line.split()[1] for line in raw.lines if "file-" in line or "/download/" in line]


# What is tried again.


@pytest.mark.parametrize("kind", ["contacts", "own"], ids=["signed address", "own host"])
@pytest.mark.parametrize(
    "failure",
    [
        OVERLOADED,
        http_answer(status="429 Too Many Requests"),
        http_answer(status="408 Request Timeout"),
        http_answer(status="500 Internal Server Error"),
        RESET,
        HALF,
        HALF_CHUNK,
        http_answer(gzip.compress(CSV)[:-9]),
        http_answer(gzip.compress(CSV)[:12] + b"\xff" * 30),
    ],
    ids=["503", "429", "408", "500", "reset", "half a body", "half a chunk", "half a gzip", "a broken gzip"],
)
def test_one_failure_is_tried_again_and_no_row_is_twice(read: Any, kind: str, failure: bytes) -> None:
    with storage(failure, http_answer(CSV), kind=kind) as raw:
        assert read(raw, kind) == ROWS
        assert len(downloads(raw)) == 2
        assert len(raw.lines) == 3, "the same address was tried again"


def test_rows_of_a_file_before_are_not_twice(read: Any) -> None:
    with storage(http_answer(CSV), HALF, OVERLOADED, http_answer(b"email\nc@example.com\n"), kind="export") as raw:
        assert read(raw, "export") == [*ROWS, {"email": "c@example.com"}]


def test_retry_after_of_the_storage_is_waited_for(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(RetryPolicy, "sleep", lambda _, seconds: slept.append(seconds))
    with storage(http_answer(b"", "Retry-After: 41", status="503 Slow Down"), http_answer(CSV)) as raw:
        assert read(raw) == ROWS
    assert slept == [41.0]


def test_ten_failures_in_a_row_are_an_error(read: Any) -> None:
    with storage(OVERLOADED) as raw:
        with pytest.raises(VendorUnavailableError, match=r"127\.0\.0\.1 failed with 503 10 times in a row"):
            read(raw)
        assert len(downloads(raw)) == 10


def test_slow_download_ends(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "DOWNLOAD_TIMEOUT", -1.0)
    with storage(http_answer(CSV)) as raw, pytest.raises(VendorUnavailableError, match="took more than"):
        read(raw)


# What is asked for anew.


@pytest.mark.parametrize("kind", ["contacts", "export"])
@pytest.mark.parametrize(
    "refusal",
    [
        *(http_answer(b"<Error>", status=f"{status} No") for status in (400, 401, 403, 404, 410)),
        http_answer(b"<html>Sign in</html>"),
        http_answer(b"email\nSign in, please\n", "Content-Type: Text/HTML; charset=utf-8"),
        http_answer(b"\n  <?xml version='1.0'?><Error/>"),
    ],
    ids=["400", "401", "403", "404", "410", "a sign-in page", "HTML by its header", "XML"],
)
def test_expired_url_is_replaced_by_a_new_one(read: Any, kind: str, refusal: bytes) -> None:
    expected = ROWS * 2 if kind == "export" else ROWS
    with storage(*[http_answer(CSV)] * (kind == "export"), refusal, http_answer(CSV), kind=kind) as raw:
        assert read(raw, kind) == expected
        number = 2 if kind == "export" else 1
        assert downloads(raw)[-2:] == [f"/file-{number}.csv?sig=1", f"/file-{number}.csv?sig=2"]


def test_url_that_never_works_is_an_error_after_two_new_ones(read: Any) -> None:
    with storage(http_answer(status="403 Forbidden")) as raw:
        with pytest.raises(VendorAPIError, match=r"Download from 127\.0\.0\.1 failed with 403") as caught:
            read(raw)
        assert downloads(raw) == [f"/file-1.csv?sig={number}" for number in (1, 2, 3)]
        assert "sig" not in str(caught.value)


# What is refused.


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, br"])
def test_content_encoding_that_was_not_asked_for_is_refused(read: Any, encoding: str) -> None:
    body = zlib.compress(b"x" * 10_000_000)
    with (
        storage(http_answer(body, f"Content-Encoding: {encoding}")) as raw,
        pytest.raises(VendorAPIError, match="content encoding"),
    ):
        read(raw)


@pytest.mark.parametrize("kind", ["contacts", "own"])
def test_no_content_encoding_is_asked_for(read: Any, kind: str) -> None:
    with storage(http_answer(CSV), kind=kind) as raw:
        read(raw, kind)
        assert raw.exchanges[-1].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(CSV),
        gzip.compress(CSV[:20]) + gzip.compress(CSV[20:]),
        gzip.compress(gzip.compress(CSV)),
    ],
    ids=["one member", "two members", "gzipped on its way as well"],
)
@pytest.mark.parametrize("send", [http_answer, lambda body: http_answer(body, "Content-Encoding: gzip"), chunked])
def test_gzip_is_unpacked(read: Any, body: bytes, send: Callable[[bytes], bytes]) -> None:
    with storage(send(body)) as raw:
        assert read(raw) == ROWS


def test_gzip_is_recognised_although_its_first_byte_comes_alone(read: Any) -> None:
    gzipped = gzip.compress(CSV)
    with storage(CHUNKED + b"1\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (gzipped[:1], len(gzipped) - 1, gzipped[1:])) as raw:
        assert read(raw) == ROWS


@pytest.mark.parametrize("layers", [1, 2])
def test_bomb_is_refused_at_max_bytes(read: Any, layers: int) -> None:
    body = b"email\n" + b"a@example.com\n" * 200_000
    for _ in range(layers):
        body = gzip.compress(body)
    with storage(http_answer(body)) as raw:
        with pytest.raises(UntrustedResponseError, match="larger than max_bytes"):
            read(raw)
        assert len(downloads(raw)) == 1


def test_full_temporary_folder_is_an_error_that_names_it(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_files.tempfile, "tempdir", "/full")
    monkeypatch.setattr(temporary_files.tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb", 0))  # noqa: PTH123, SIM115
    with storage(http_answer(CSV)) as raw:
        with pytest.raises(OutputWriteError, match=r"in /full: No space left on device\. Set TMPDIR"):
            read(raw)
        assert len(downloads(raw)) == 1


@pytest.mark.parametrize("url", ["http://[::1", "http://a b/", "http://" + "a" * 300 + ".example/x", "http://a:99999/"])
def test_invalid_url_is_an_error_at_once(account: Any, url: str) -> None:
    hook = SendGridHook("mine")
    hook.account = account()
    with pytest.raises(UntrustedResponseError), files.open_file(url, hook.vendor, hook.account, MAX_BYTES):
        pass
