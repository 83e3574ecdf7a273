# SPDX-License-Identifier: Apache-2.0
"""Vendors' files of rows: what passes for one, and how much of it is in memory at a time."""

import io
import json
import tracemalloc
from typing import Any

import pytest

from airflow_provider_bulkjobs.exceptions import VendorAPIError
from airflow_provider_bulkjobs.http.responses import FileUnavailableError
from airflow_provider_bulkjobs.results import result_files
from airflow_provider_bulkjobs.results.result_files import ResultFile
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult

ERRORS = Download("", "failed", error_field="error")
EXPORT = Download("", "exported")
JSON_EXPORT = Download("", "exported", "jsonl")
MIB = 1024 * 1024


def read(data: bytes, download: Download = ERRORS, warnings: list[Any] | None = None) -> list[ItemResult]:
    def warn(*words: Any) -> None:
        assert warnings is not None, f"warned: {words}"
        warnings.append(words)

    file = io.BytesIO(data)
    try:
        return list(ResultFile(file, download, warn))
    finally:
        assert file.closed


def items(data: bytes, download: Download = EXPORT) -> list[Any]:
    return [outcome.item for outcome in read(data, download)]


# What is none.


@pytest.mark.parametrize("download", [ERRORS, EXPORT, JSON_EXPORT])
@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html>\n<html></html>",
        b"\xef\xbb\xbf\r\n <html>",
        b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>",
    ],
)
def test_page_is_no_result_file(download: Download, page: bytes) -> None:
    with pytest.raises(FileUnavailableError, match="web page or an XML document"):
        read(page, download)


@pytest.mark.parametrize("body", [b'{"message": "session expired"}', b'[{"message": "no"}]\n', b' {"email,error": 1}'])
@pytest.mark.parametrize("download", [ERRORS, EXPORT])
def test_json_is_no_csv(download: Download, body: bytes) -> None:
    with pytest.raises(FileUnavailableError, match="JSON instead of CSV"):
        read(body, download)


@pytest.mark.parametrize("body", [b'{"message": "session expired"}', b'{"errors": [{"message": "no"}], "status": 401}'])
def test_message_is_no_item(body: bytes) -> None:
    with pytest.raises(FileUnavailableError, match="a message instead of items"):
        read(body, JSON_EXPORT)


@pytest.mark.parametrize(
    "body", [b"Please sign in\nNow\n", b"Error: session expired, sign in\nx,y\n", b"1,2,3\n4,5,6\n"]
)
def test_file_of_errors_without_any_expected_column_is_refused(body: bytes) -> None:
    with pytest.raises(FileUnavailableError, match="has no column 'error'") as caught:
        read(body)
    assert "sign" not in str(caught.value)


def test_file_without_a_column_that_every_such_file_has_is_refused() -> None:
    download = Download("u", "failed", columns=("sf__Id",))
    assert len(read(b"SF__ID,Name\n1,Ada\n", download)) == 1
    with pytest.raises(FileUnavailableError, match="has no column 'sf__Id'"):
        read(b"Id,Name\n1,Ada\n", download)


def test_sentence_is_no_column() -> None:
    with pytest.raises(FileUnavailableError, match="a sentence instead of columns") as caught:
        read(b"upstream connect error\nreset reason: overflow\n", Download("u", "failed", own=True))
    assert "upstream" not in str(caught.value)


@pytest.mark.parametrize("header", ["error", "Email", "EMAIL ADDRESS", "external_id,why", " Error ,x"])
def test_file_of_errors_may_have_other_columns(header: str) -> None:
    assert len(read(f"{header}\n{header}\n".encode())) == 1


def test_column_with_the_error_may_have_a_name_of_several_words() -> None:
    download = Download("u", "failed", error_field="Import Failure Reason")
    assert [one.error for one in read(b"vin,Import Failure Reason\nx,bad\n", download)] == ["bad"]


@pytest.mark.parametrize("header", ["error", "Error", " ERROR "])
def test_error_is_found_however_its_column_is_written(header: str) -> None:
    assert [one.error for one in read(f"email,{header}\na,bad\n".encode())] == ["bad"]


@pytest.mark.parametrize("body", [b"PK\x03\x04\x14\0\0", "email,error\n".encode("utf-16"), b"a,b\0\n"])
def test_binary_file_is_refused(body: bytes) -> None:
    with pytest.raises(VendorAPIError, match=r"zip archive|not UTF-8"):
        read(body)


def test_empty_file_has_no_rows() -> None:
    assert read(b"") == read(b"\n\n") == read(b"email,error\n") == read(b"", JSON_EXPORT) == []


# Rows that are not as they should be.


def test_cells_without_column_and_columns_without_cell_are_kept_and_reported() -> None:
    warnings: list[Any] = []
    rows = read(b"email,error\na@example.com\nb@example.com,bad, very bad\nc@example.com,ok\n", ERRORS, warnings)
    assert [row.item for row in rows] == [
        {"email": "a@example.com", "error": None},
        {"email": "b@example.com", "error": "bad", "extra_cells": [" very bad"]},
        {"email": "c@example.com", "error": "ok"},
    ]
    assert [words[1] for words in warnings] == [2]


def test_columns_of_one_name_or_none_keep_their_cells() -> None:
    assert items(b"a,a,,b\n1,2,3,4\n") == [{"a": "1", "a (2)": "2", "column 3": "3", "b": "4"}]


@pytest.mark.parametrize("end", [b'b@example.com,"bad\nc@example.com,bad\n', b'"', b'x,"'])
def test_quoted_cell_that_does_not_end_is_an_error(end: bytes) -> None:
    with pytest.raises(VendorAPIError, match="within a quoted cell"):
        read(b"email,error\na@example.com,bad\n" + end)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [True, False])
def test_any_line_ending_will_do(ending: bytes, last: bool) -> None:
    data = ending.join([b"a,b", b"1,2", b"", b'"3\n3",4']) + ending * last
    assert items(data) == [{"a": "1", "b": "2"}, {"a": "3\n3", "b": "4"}]


# Memory.


@pytest.mark.parametrize(
    ("data", "download"),
    [
        (b"email,error\n" + b"x" * 40 * MIB, ERRORS),
        (b"x" * 40 * MIB, ERRORS),
        (b'email,error\n"' + b"x\n" * 20 * MIB, ERRORS),
        (b"email,error\n" + b",," * 20 * MIB, ERRORS),
        (b",".join(b"%d" % number for number in range(MIB // 2)) + b"\n", EXPORT),
        (b'{"a": "' + b"x" * 40 * MIB + b'"}\n', JSON_EXPORT),
        (b'{"a": [' + b"[]," * 12 * MIB + b"[]]}\n", JSON_EXPORT),
        (b" " * 40 * MIB, JSON_EXPORT),
    ],
    ids=["line", "first line", "quoted cell", "cells", "columns", "JSON", "JSON lists", "blanks"],
)
def test_row_without_end_is_refused_before_it_is_in_memory(data: bytes, download: Download) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(VendorAPIError, match=r"longer than|more than|field larger"):
            read(data, download)
        assert tracemalloc.get_traced_memory()[1] < 48 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("row", "download"),
    [(b'"' + b"x\n" * 9 + b'",e\n', EXPORT), (json.dumps({"x": "y" * 12}).encode() + b"\n", JSON_EXPORT)],
)
def test_a_row_may_be_as_long_as_the_limit(monkeypatch: pytest.MonkeyPatch, row: bytes, download: Download) -> None:
    monkeypatch.setattr(result_files, "MAX_ROW_LENGTH", len(row))
    data = (b"a,b\n" if download is EXPORT else b"") + row * 3
    assert len(items(data, download)) == 3
    monkeypatch.setattr(result_files, "MAX_ROW_LENGTH", len(row) - 1)
    with pytest.raises(VendorAPIError, match="longer than"):
        read(data, download)


@pytest.mark.parametrize("separator", [";", ","])
def test_delimiter_is_the_first_one_in_the_header(separator: str) -> None:
    data = f'email{separator}name\na@example.com{separator}"a;b,c"\n'.encode()
    read_either = Download("", "failed", delimiters=";,")
    assert items(data, read_either) == [{"email": "a@example.com", "name": "a;b,c"}]


def test_file_with_one_column_needs_no_delimiter() -> None:
    assert items(b"email\na@example.com\n", Download("", "failed", delimiters=";|")) == [{"email": "a@example.com"}]
