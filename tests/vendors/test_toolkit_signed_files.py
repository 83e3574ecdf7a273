# SPDX-License-Identifier: Apache-2.0
"""The lines of a file at a signed URL: read in pieces, without credentials, and never taken for another file."""

from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict
from vendors.fixture_loader import VENDOR_SAMPLES, Answer
from vendors.in_memory import InMemoryTransport, play
from vendors.scripted import DRIVERS, SECRET, Script, make_account

from airflow_provider_bulkjobs.exceptions import TransientError, UntrustedResponseError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response
from airflow_provider_bulkjobs.vendors.toolkit import signed_files
from airflow_provider_bulkjobs.vendors.toolkit.signed_files import SignedFile

URL = "https://files.example.com/f.jsonl?X-Amz-Signature=signed"
OF = VENDOR_SAMPLES["klaviyo"]


def piece(data: bytes, first: int, size: int) -> Response:
    where = f"bytes {first}-{first + len(data) - 1}/{size}"
    return Response(206, CaseInsensitiveDict({"Content-Range": where}), data)


def read(*responses: Response) -> tuple[list[str], list[list[bytes]]]:
    """Return the requested ranges, and the lines of each piece."""
    file, script, ranges, lines = SignedFile("Vendor", URL), list(responses), [], []
    while file.has_next:
        flow = file.read_next()
        try:
            request = next(flow)
            assert isinstance(request, Request)
            assert (request.path, request.signed, request.authorized) == (URL, True, False)
            ranges.append(request.headers["Range"])
            flow.send(script.pop(0))
        except StopIteration as end:
            lines.append(end.value)
    return ranges, lines


def test_lines_are_read_across_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_files, "PIECE", 4)
    data = b"a\nbc\n\nd\r\nef"
    pieces = [piece(data[at : at + 4], at, len(data)) for at in range(0, len(data), 4)]
    ranges, lines = read(*pieces)
    assert ranges == ["bytes=0-3", "bytes=4-7", "bytes=8-11"]
    assert lines == [[b"a"], [b"bc"], [b"d\r", b"ef"]]


def test_empty_piece_does_not_make_an_endless_loop() -> None:
    with pytest.raises(TransientError, match="another piece"):
        read(piece(b"", 0, 100_000))


def test_number_of_pieces_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_files, "MAX_PIECES", 3)
    with pytest.raises(UntrustedResponseError, match="more than 3 pieces"):
        read(*(piece(b"a", at, 100) for at in range(4)))


def test_whole_file_is_read_if_it_is_small() -> None:
    assert read(Response(200, {}, b"a\nb\n")) == (["bytes=0-262143"], [[b"a", b"b"]])
    assert read(Response(204, {}, b"")) == (["bytes=0-262143"], [[]])


def test_empty_file_has_no_lines() -> None:
    assert read(Response(416, {}, b"<Error>InvalidRange</Error>")) == (["bytes=0-262143"], [[]])
    found, _ = outcome(URL, {"status": 416, "headers": {"Content-Type": "application/xml"}, "body": "<Error/>"})
    assert found == []


def test_file_that_became_shorter_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_files, "PIECE", 4)
    with pytest.raises(TransientError, match="no longer has the rest"):
        read(piece(b"a\nb\n", 0, 9), Response(416, {}, b""))


@pytest.mark.parametrize(
    "content_range", ["", "bytes 0-1/*", "bytes 1-2/9", "bytes 0-2/9", "bytes 0-1/1", "bytes */9", "lines 0-1/9"]
)
def test_other_piece_is_requested_again(content_range: str) -> None:
    headers = CaseInsensitiveDict({"Content-Range": content_range})
    with pytest.raises(TransientError, match="another piece than the requested one"):
        read(Response(206, headers, b"a\n"))


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        ([Response(200, {}, b"a\n" * 9)], "the whole file, and not a piece"),
        ([piece(b"a\nb\n", 0, 9), Response(200, {}, b"a\n")], "the whole file, and not a piece"),
        ([piece(b"abcd", 0, 99), piece(b"efgh", 4, 99)], "a line of Vendor's file has more than 4 bytes"),
        ([piece(b"abcd", 0, 2**40)], "1099511627776 bytes"),
    ],
)
def test_what_would_block_or_never_end_is_an_error(
    responses: list[Response], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed_files, "PIECE", 4)
    with pytest.raises(UntrustedResponseError, match=message):
        read(*responses)


def lines_of(url: str) -> Flow[list[bytes]]:
    return (yield from SignedFile("Vendor", url).read_next())


def outcome(url: str, *answers: Answer) -> tuple[Any, InMemoryTransport]:
    transport, _ = play(OF, *answers)
    return transport.outcome(lambda: lines_of(url)), transport


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 403, "body": "<Error/>"}, "FileUnavailableError"),
        ({"status": 404, "body": ""}, "FileUnavailableError"),
        ({"status": 200, "headers": {"Content-Type": "text/html"}, "body": "<html>"}, "FileUnavailableError"),
        ({"status": 302, "headers": {"Location": "https://files.example.com/"}, "body": ""}, "VendorAPIError"),
        ({"status": 429, "headers": {"Retry-After": "30"}, "body": ""}, "VendorUnavailableError"),
        ({"status": 503, "body": ""}, "VendorUnavailableError"),
        ({"breaks": "reset"}, "VendorUnavailableError"),
    ],
)
def test_file_host_is_not_the_vendor(answer: Answer, error: str) -> None:
    found, transport = outcome(URL, answer)
    assert type(found).__name__ == error
    assert "files.example.com" in str(found)
    assert "signed" not in str(found)
    assert transport.pauses == []  # the account has nothing to do with it
    assert SECRET not in str(transport.sent)


@pytest.mark.parametrize("url", ["http://files.example.com/f", "ftp://files.example.com/f", "/f", "https://", ""])
def test_file_url_is_https(url: str) -> None:
    found, transport = outcome(url, {"status": 200, "body": "a"})
    assert type(found) is UntrustedResponseError
    assert not transport.sent


@pytest.mark.parametrize("driver", DRIVERS)
def test_file_is_read_without_credentials_on_the_wire(script: Script, driver: str) -> None:
    account = make_account(OF.vendor, "http://localhost:1/api", **OF.conn)
    script.play([{"status": 200, "body": "a\nb"}])
    assert DRIVERS[driver](OF.vendor, account, lambda: lines_of(script.url("/f?sig=%2F"))) == [b"a", b"b"]  # type: ignore[arg-type,comparison-overlap,return-value]
    [seen] = script.seen
    assert (seen.method, seen.path) == ("GET", "/f?sig=%2F")
    assert (seen.headers["range"], seen.headers["accept-encoding"]) == ("bytes=0-262143", "identity")
    assert SECRET not in str(seen)
