# SPDX-License-Identifier: Apache-2.0
"""Bodies of uploads: forms, archives, and pieces of a CSV file."""

import csv
import io
import zipfile
from email import message_from_bytes
from typing import Any

import pytest
import requests

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.vendors.spec.operation import Payload
from airflow_provider_bulkjobs.vendors.toolkit.uploads import FilePart, csv_pieces, multipart, zipped

HEADER = b"email,note\r\n"
ROWS = [b'a@example.com,"one\r\ntwo"\r\n', b'b@example.com,"say ""no"""\r\n', b'c@example.com,"""\r\n"\r\n', b"d,\r\n"]
TABLE = HEADER + b"".join(ROWS)


def payload(data: bytes = TABLE) -> Payload:
    return Payload(lambda: io.BytesIO(data), len(data), data.count(b"\r\n") - 1)


def file_part(data: bytes = TABLE) -> FilePart:
    return FilePart("file", "people.csv", "text/csv", lambda: io.BytesIO(data))


def test_form_has_the_fields_in_order_and_the_file_last() -> None:
    form = multipart({"key": "a/b", "policy": "ä\r\n--x"}, file_part())
    parsed: Any = message_from_bytes(b"Content-Type: %b\r\n\r\n" % form.content_type.encode() + form.data)
    names = [part.get_param("name", header="content-disposition") for part in parsed.get_payload()]
    assert names == ["key", "policy", "file"]
    assert parsed.get_payload()[1].get_payload(decode=True).decode() == "ä\r\n--x"
    last = parsed.get_payload()[2]
    assert (last.get_filename(), last.get_content_type()) == ("people.csv", "text/csv")
    assert last.get_payload(decode=True) == TABLE


def test_repeated_form_has_the_same_bytes() -> None:
    assert multipart({"a": "b"}, file_part()).data == multipart({"a": "b"}, file_part()).data
    assert multipart({"a": "b"}, file_part()).content_type != multipart({"a": "b"}, file_part(b"x")).content_type


def test_streamed_form_has_a_length_and_closes_the_file() -> None:
    opened = []

    def open_file() -> io.BytesIO:
        opened.append(io.BytesIO(b"x" * 1_000_000))
        return opened[-1]

    form = multipart({"a": "b"}, FilePart("file", "x.csv", "text/csv", open_file))
    with form.open() as body:
        prepared = requests.Request("POST", "https://api.example.com", data=body).prepare()
        assert prepared.headers["Content-Length"] == str(len(form.data))
        assert "Transfer-Encoding" not in prepared.headers
        assert len(body.read(100)) == 100
    assert opened[1].closed


def test_zip_has_the_file_and_always_the_same_bytes() -> None:
    archive = zipped("people.csv", TABLE)
    assert zipped("people.csv", TABLE) == archive
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        assert (file.namelist(), file.read("people.csv")) == (["people.csv"], TABLE)


@pytest.mark.parametrize("size", [50, 60, 80, 1000])
def test_pieces_end_at_rows_and_lose_nothing(size: int) -> None:
    pieces = list(csv_pieces(payload(), size, repeat_header=True))
    assert all(len(piece) <= size for piece in pieces)
    assert all(piece.startswith(HEADER) for piece in pieces)
    assert b"".join(piece.removeprefix(HEADER) for piece in pieces) == TABLE.removeprefix(HEADER)
    rows = [row for piece in pieces for row in list(csv.reader(io.StringIO(piece.decode(), newline="")))[1:]]
    assert rows == list(csv.reader(io.StringIO(TABLE.decode(), newline="")))[1:]


def test_pieces_without_a_repeated_header_are_the_file() -> None:
    pieces = list(csv_pieces(payload(), 50, repeat_header=False))
    assert len(pieces) > 1
    assert b"".join(pieces) == TABLE


def test_pieces_that_were_sent_are_skipped() -> None:
    pieces = list(csv_pieces(payload(), 50, repeat_header=True))
    for sent in range(len(pieces) + 1):
        assert list(csv_pieces(payload(), 50, repeat_header=True, skip=sent)) == pieces[sent:]


def test_row_larger_than_a_piece_is_an_error() -> None:
    with pytest.raises(BadArgumentError, match="a row of 26 bytes"):
        list(csv_pieces(payload(), 30, repeat_header=True))


def test_table_without_rows_has_no_pieces() -> None:
    assert not list(csv_pieces(payload(HEADER), 50, repeat_header=True))
