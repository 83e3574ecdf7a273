# SPDX-License-Identifier: Apache-2.0
"""read_options: CSV files as warehouses unload them, and options that are wrong."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.blocks import Rows
from airflow_provider_bulkjobs.submitting.csv_options import CsvOptions, read_csv_options
from airflow_provider_bulkjobs.submitting.csv_rows import read_csv
from airflow_provider_bulkjobs.submitting.records import Row, read_records
from airflow_provider_bulkjobs.submitting.row import A_LIST

SNOWFLAKE = {"delimiter": ",", "quote": '"', "null_values": ["\\N"]}
REDSHIFT = {"delimiter": "|", "quote": None, "escape": "\\", "null_values": ["\\N"]}


def rows(data: bytes, **options: Any) -> list[Row]:
    return list(Rows(read_csv(io.BytesIO(data), A_LIST, "'a.csv'", read_csv_options(options))))


def records(text: str, **options: Any) -> list[dict[str, Any]]:
    found = rows(text.encode(), **options)
    assert [row.problem for row in found if row.problem] == []
    return [dict(row.record) for row in found]


def refusal(data: bytes, **options: Any) -> str:
    with pytest.raises(BadArgumentError) as caught:
        rows(data, **options)
    return str(caught.value)


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "\x01", "^", "¦"])
def test_delimiter(delimiter: str) -> None:
    text = 'email,name\na,"x,y"\n'.replace(",", delimiter)
    assert records(text, delimiter=delimiter) == [{"email": "a", "name": f"x{delimiter}y"}]


def test_quote_and_escape() -> None:
    assert records("a,b\n'x,1','it''s'\n", quote="'") == [{"a": "x,1", "b": "it's"}]
    assert records('a|b\nx\\|y|"q"\nx\\\ny|z\n', **REDSHIFT) == [{"a": "x|y", "b": '"q"'}, {"a": "x\ny", "b": "z"}]
    assert records('a,b\n"say \\"hi\\"",y\n', escape="\\") == [{"a": 'say "hi"', "b": "y"}]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252", "utf-16-le", "UTF-8", "utf8"])
def test_encoding(encoding: str) -> None:
    assert [row.record for row in rows("name,é\nAda,ü\n".encode(encoding), encoding=encoding)] == [
        {"name": "Ada", "é": "ü"}
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "U8"])
def test_byte_order_mark_is_no_part_of_a_name(encoding: str) -> None:
    assert rows(b"\xef\xbb\xbfemail\na\n", encoding=encoding)[0].columns == ("email",)


def test_file_in_another_encoding_is_refused_with_the_option() -> None:
    assert "not UTF-8 after line 0. Write the file in UTF-8, or set read_options" in refusal(b"a\n\xe9\n")
    assert "not ASCII after line" in refusal(b"a\n\xe9\n", encoding="ascii")


@pytest.mark.parametrize("options", [{}, {"header": False}], ids=str)
def test_column_names_of_a_file_without_a_header(options: dict[str, Any]) -> None:
    found = rows(b"a@example.com,x\nb,\n", column_names=["email", "name"], **options)
    assert [(row.line, row.record, row.columns) for row in found] == [
        (1, {"email": "a@example.com", "name": "x"}, ("email", "name")),
        (2, {"email": "b"}, ("email", "name")),
    ]


def test_column_names_replace_those_of_the_header() -> None:
    assert records("A,B\nx,y\n", header=True, column_names=["email", "name"]) == [{"email": "x", "name": "y"}]
    message = refusal(b"A,B,C\nx,y,z\n", header=True, column_names=["email", "name"])
    assert "the header has 3 columns, and column_names has 2" in message


def test_header_in_a_file_that_is_said_to_have_none_is_a_problem() -> None:
    [row, _] = rows(b"email,name\na,b\n", column_names=["email", "name"])
    assert row.problem == "repeats the header: remove this line, or set header=True in read_options"


def test_row_of_another_width_is_a_problem_without_a_header() -> None:
    [row] = rows(b"a\n", column_names=["email", "name"])
    assert row.problem == "has 1 columns, and column_names has 2"


def test_file_without_a_header_is_refused_with_the_option() -> None:
    assert "or set read_options={'column_names': […]}" in refusal(b"ada@example.com,x\n")


@pytest.mark.parametrize(
    ("own", "other", "word"), [(",", ";", "semicolons"), (";", ",", "commas"), ("|", "\t", "tabs")]
)
def test_file_with_another_delimiter_is_refused_with_the_option(own: str, other: str, word: str) -> None:
    message = refusal(f"email{other}name\n".encode(), delimiter=own)
    assert f"separated by {word}." in message
    assert f"set read_options={{'delimiter': {other!r}}}" in message


# --- null markers


@pytest.mark.parametrize("marker", ["\\N", "NULL", "null", "NA", "-", "?", "\\\\N"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
def test_null_marker_is_a_field_that_is_not_set(marker: str, end: str) -> None:
    lines = [
        "a,b,c",
        f"{marker},1,2",
        f"1,{marker},2",
        f"1,2,{marker}",
        f"{marker},{marker},{marker}",
        f"x{marker},{marker}x,y",
    ]
    assert records(end.join(lines), null_values=[marker]) == [
        {"b": "1", "c": "2"},
        {"a": "1", "c": "2"},
        {"a": "1", "b": "2"},
        {},
        {"a": f"x{marker}", "b": f"{marker}x", "c": "y"},
    ]


def test_null_marker_in_quotes_is_text() -> None:
    assert records(
        'a,b,c\n"NULL",NULL,"\\N"\n"x\nNULL,NULL\n",NULL,"y ""NULL"", z"\n', null_values=["NULL", "\\N"]
    ) == [
        {"a": "NULL", "c": "\\N"},
        {"a": "x\nNULL,NULL\n", "c": 'y "NULL", z'},
    ]


def test_null_marker_with_an_escape_is_no_escaped_letter() -> None:
    assert records("a|b|c\n\\N|x\\|\\N|\\N\n\\\\N|\\\\|\\N\nx\\\n\\N|y|\\N\n", **REDSHIFT) == [
        {"b": "x|N"},
        {"a": "\\N", "b": "\\"},
        {"a": "x\nN", "b": "y"},
    ]


def test_several_null_markers_and_one_that_starts_like_another() -> None:
    assert records("a,b,c,d\nNULL,NULLABLE,NULLABL,\n", null_values=("NULL", "NULLABLE", "")) == [{"c": "NULLABL"}]


def test_line_of_a_row_is_right_with_null_markers() -> None:
    found = rows(b'a,b\n"x\n\\N\n",\\N\n\ny,\\N\n', **SNOWFLAKE)
    assert [(row.line, row.record) for row in found] == [(2, {"a": "x\n\\N\n"}), (6, {"a": "y"})]


CELLS = st.one_of(st.none(), st.text(alphabet='aN\\",|\r\nU L', max_size=6))


@pytest.mark.parametrize("options", [SNOWFLAKE, {"null_values": ["NULL", "\\N", "N"]}, {"escape": "\\", **SNOWFLAKE}])
@given(table=st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6))
def test_cells_arrive_as_they_were_written(options: dict[str, Any], table: list[list[str | None]]) -> None:
    marker, text = options["null_values"][0], io.StringIO()
    for cells in table:
        quoted = ['"{}"'.format(_escaped(cell, options.get("escape"))) if cell else cell for cell in cells]
        text.write(",".join(marker if cell is None else cell for cell in quoted) + "\n")
    found = records(text.getvalue(), column_names=["a", "b", "c"], **options)
    assert found == [{name: cell for name, cell in zip("abc", cells, strict=True) if cell} for cells in table]


def _escaped(cell: str, escape: str | None) -> str:
    return cell.replace("\\", "\\\\").replace('"', '\\"') if escape else cell.replace('"', '""')


# --- options that are wrong


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"sep": ";"}, "Unknown read_options 'sep'. Valid options: delimiter, quote, escape, encoding, header,"),
        ({"delimiter": ";;"}, "delimiter is ';;'. Pass one character"),
        ({"delimiter": ""}, "must be different characters"),
        ({"delimiter": None}, ""),
        ({"delimiter": 7}, "delimiter is 7"),
        ({"delimiter": "\n"}, "delimiter is"),
        ({"delimiter": '"'}, "must be different characters"),
        ({"escape": ","}, "must be different characters"),
        ({"encoding": "utf-9"}, "unknown encoding 'utf-9'"),
        ({"encoding": "base64"}, "unknown encoding 'base64'"),
        ({"encoding": 8}, "unknown encoding 8"),
        ({"header": "no"}, "header is 'no'"),
        ({"header": False}, "header=False needs column_names"),
        ({"column_names": ["a", "a"]}, "column_names must be unique"),
        ({"column_names": ["a", " "]}, "column_names must be unique and not empty"),
        ({"column_names": [1]}, "column_names must be a list of strings"),
        ({"null_values": 7}, "null_values must be a list of strings"),
        ([";"], "read_options is a list. Pass a dict."),
        ("sep=;", "read_options is a str. Pass a dict."),
    ],
    ids=str,
)
def test_option_that_is_wrong_is_named(options: Any, problem: str) -> None:
    if not problem:
        assert read_csv_options(options) == CsvOptions()
        return
    with pytest.raises(BadArgumentError) as caught:
        read_csv_options(options)
    assert problem in str(caught.value)
    assert "read_options" in str(caught.value)


def test_one_null_value_may_be_text() -> None:
    assert read_csv_options({"null_values": "NULL"}).null_values == ("NULL",)


def test_options_are_only_for_csv(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"email": "a"}\n')
    with pytest.raises(BadArgumentError, match="read_options is only for CSV, and records are jsonl"):
        list(read_records(tmp_path / "a.jsonl", read_options={"delimiter": ";"}))


def test_reader_of_the_standard_library_agrees_without_options() -> None:
    text = 'a,b\nx,"y, ""z"""\n,1\n'
    expected = [{name: cell for name, cell in row.items() if cell} for row in csv.DictReader(io.StringIO(text))]
    assert records(text) == expected


@pytest.mark.parametrize("header", ["a,,b", "a,a,b", "2024,2025,2026", "a,b\x00,c"])
def test_names_in_a_header_do_not_matter_with_column_names(header: str) -> None:
    text = f"{header}\n1,2,3\n"
    assert records(text, header=True, column_names=["x", "y", "z"]) == [{"x": "1", "y": "2", "z": "3"}]


def test_contact_in_place_of_the_header_is_not_lost() -> None:
    words = refusal(b"ada@example.com,Ada\nbob@example.com,Bob\n", header=True, column_names=["email", "name"])
    assert words.endswith("it has an address. Remove header=True from read_options")


def test_null_marker_inside_a_quoted_cell_of_many_lines_is_text() -> None:
    text = 'a,b\n"x\nNULL\n\\N,\n",NULL\nNULL,"\\N"\n'
    assert records(text, null_values=["NULL", "\\N"]) == [{"a": "x\nNULL\n\\N,\n"}, {"b": "\\N"}]
