# SPDX-License-Identifier: Apache-2.0
"""Records from lists and from files of any make, with the lines they stand in."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_bulkjobs.exceptions import BadArgumentError, RecordsReadError
from airflow_provider_bulkjobs.submitting import json_rows
from airflow_provider_bulkjobs.submitting.records import Row, read_records

try:
    from airflow.sdk.io import attach
except ImportError:
    from airflow.io.store import attach

ADA, BOB = {"email": "ada@example.com", "name": "Ada é"}, {"email": "bob@example.com"}
JSON_LINES = '{"email": "ada@example.com", "name": "Ada é"}\n{"email": "bob@example.com"}\n'.encode()
CSV = "email,name\nada@example.com,Ada é\nbob@example.com,\n".encode()
COLUMNS = ("email", "name")
BOM = b"\xef\xbb\xbf"


def read(folder: Path, name: str, data: bytes) -> list[Row]:
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return list(read_records(folder / name))


def plain(rows: list[Row]) -> list[tuple[int, dict[str, Any]]]:
    assert [row.problem for row in rows if row.problem] == []
    return [(row.line, dict(row.record)) for row in rows]


def problems(rows: list[Row]) -> dict[int, str]:
    return {row.line: row.problem for row in rows if row.problem}


def refusal(folder: Path, name: str, data: bytes) -> str:
    with pytest.raises(BadArgumentError) as caught:
        read(folder, name, data)
    assert name in str(caught.value)
    return str(caught.value)


# --- lists


@pytest.mark.parametrize("make", [list, tuple, iter, lambda items: (item for item in items)])
def test_a_list_is_counted_from_one(make: Any) -> None:
    assert plain(list(read_records(make([ADA, BOB])))) == [(1, ADA), (2, BOB)]


def test_a_generator_is_read_as_records_are_wanted() -> None:
    def endless() -> Iterator[dict[str, Any]]:
        while True:
            yield ADA

    rows = read_records(endless())
    assert [next(rows).line for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("item", [None, "ada@example.com", 7, ["ada@example.com"], b"{}"], ids=str)
def test_item_that_is_no_dict_is_reported_by_number_and_type(item: Any) -> None:
    rows = list(read_records([ADA, item, BOB]))
    assert problems(rows) == {2: f"is a {type(item).__name__}, not a dict"}
    assert [row.line for row in rows] == [1, 2, 3]


@pytest.mark.parametrize(
    "source", [None, 7, {"email": "ada@example.com"}, b"a.csv", object()], ids=lambda source: type(source).__name__
)
def test_what_is_neither_a_list_nor_a_path_is_refused_at_once(source: Any) -> None:
    with pytest.raises(
        BadArgumentError, match="Pass a list of dicts, a task's output, or the path of a file"
    ) as caught:
        read_records(source)
    assert "ada@example.com" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["[{'email': 'ada@example.com'}]", '[{"email": "ada@example.com"}]', "{'a': 1}", " [1]", "", "  ", "a\nb.csv"],
)
def test_list_rendered_to_text_names_the_remedy(text: str) -> None:
    with pytest.raises(BadArgumentError, match="render_template_as_native_obj") as caught:
        list(read_records(text))
    assert "records=extract.output" in str(caught.value)
    assert "ada@example.com" not in str(caught.value)


# --- files


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", JSON_LINES),
        ("a.ndjson", JSON_LINES),
        ("a.json", JSON_LINES),
        ("a.JSONL", JSON_LINES),
        ("a.jsonl", BOM + JSON_LINES),
        ("a.jsonl", JSON_LINES.rstrip()),
        ("a.jsonl", JSON_LINES.replace(b"\n", b"\r\n")),
        ("a.jsonl.gz", JSON_LINES),
        ("a.jsonl.gz", BOM + JSON_LINES),
        ("a.csv", CSV),
        ("a.CSV", CSV),
        ("a.csv", BOM + CSV),
        ("a.csv", CSV.rstrip()),
        ("a.csv", CSV.replace(b"\n", b"\r\n")),
        ("a.csv", CSV.replace(b"email", b'"email"').replace(b"name", b" name ")),
        ("a.csv.gz", CSV),
        ("a.csv.gz", BOM + CSV),
    ],
)
def test_a_file_is_read(tmp_path: Path, name: str, data: bytes) -> None:
    first = 2 if "csv" in name.lower() else 1
    rows = read(tmp_path, name, data)
    assert plain(rows) == [(first, ADA), (first + 1, BOB)]
    assert {row.columns for row in rows} == {COLUMNS if "csv" in name.lower() else ()}


@pytest.mark.parametrize(
    "make",
    [str, Path, lambda path: f"file://{path}", ObjectStoragePath],
    ids=["text", "Path", "URI", "ObjectStoragePath"],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_path_may_be_of_any_kind(tmp_path: Path, name: str, make: Any) -> None:
    (tmp_path / name).write_bytes(CSV if name == "a.csv" else JSON_LINES)
    assert [record for _, record in plain(list(read_records(make(tmp_path / name))))] == [ADA, BOB]


def test_a_file_elsewhere_is_read() -> None:
    memory = MemoryFileSystem()
    attach("memory", fs=memory)
    memory.pipe("/bucket/a.csv.gz", gzip.compress(CSV))
    assert plain(list(read_records("memory://bucket/a.csv.gz"))) == [(2, ADA), (3, BOB)]
    memory.store.clear()


def test_a_gzipped_file_may_have_several_parts(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(
        b"".join(gzip.compress(line) for line in JSON_LINES.splitlines(keepends=True))
    )
    assert plain(list(read_records(tmp_path / "a.jsonl.gz"))) == [(1, ADA), (2, BOB)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.jsonl.gz", "a.csv.gz"])
@pytest.mark.parametrize("data", [b"", b"\n\n", BOM])
def test_an_empty_file_has_no_records(tmp_path: Path, name: str, data: bytes) -> None:
    assert read(tmp_path, name, data) == []


def test_a_table_without_rows_has_no_records(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", b"email,name\n") == []


def test_a_file_is_not_read_before_its_records_are_wanted(tmp_path: Path) -> None:
    rows = read_records(tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").write_bytes(JSON_LINES)
    assert next(rows).record == ADA
    rows.close()


def test_file_is_closed_when_iteration_stops_early(tmp_path: Path) -> None:
    for name, data in (("a.jsonl", JSON_LINES), ("a.csv", CSV), ("a.csv.gz", gzip.compress(CSV))):
        (tmp_path / name).write_bytes(data)
        rows = read_records(tmp_path / name)
        next(rows)
        rows.close()  # what stays open is a warning, and so an error


# --- lines


def test_blank_lines_of_json_lines_count_and_are_left_out(tmp_path: Path) -> None:
    data = b"\n" + JSON_LINES.replace(b"\n", b"\n \t\r\n\n")
    assert plain(read(tmp_path, "a.jsonl", data)) == [(2, ADA), (5, BOB)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "is not JSON"),
        (b'{"email": ada}', "is not JSON"),
        (b"{'email': 'ada@example.com'}", "is not JSON"),
        (b'{"a": 1}{"a": 2}', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[]", "is JSON, but not an object"),
        (b'"ada@example.com"', "is JSON, but not an object"),
        (b"null", "is JSON, but not an object"),
        (b"7", "is JSON, but not an object"),
    ],
)
def test_line_that_is_no_object_is_reported_and_the_rest_is_read(tmp_path: Path, line: bytes, problem: str) -> None:
    first, second = JSON_LINES.splitlines()
    rows = read(tmp_path, "a.jsonl", b"\n".join((first, line, second)))
    assert problems(rows) == {2: f"{problem}: write one object per line"}
    assert [(row.line, row.record) for row in rows if not row.problem] == [(1, ADA), (3, BOB)]


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "MAX_LINE_BYTES", 100)
    assert "line 2 is longer than 100 bytes" in refusal(tmp_path, "a.jsonl", b'{"a": 1}\n{"a": "' + b"x" * 100)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=repr)
def test_a_row_stands_in_the_line_it_begins_in(tmp_path: Path, ending: bytes) -> None:
    lines = [b"email,note", b'a,"one', b"two", b'three"', b"b,four", b"", b'c,"five', b'"', b"d,", b"", b"", b"e,six"]
    rows = plain(read(tmp_path, "a.csv", ending.join(lines)))
    text = ending.decode()
    assert rows == [
        (2, {"email": "a", "note": f"one{text}two{text}three"}),
        (5, {"email": "b", "note": "four"}),
        (7, {"email": "c", "note": f"five{text}"}),
        (9, {"email": "d"}),
        (12, {"email": "e", "note": "six"}),
    ]


def test_the_line_is_right_also_when_the_names_go_over_several(tmp_path: Path) -> None:
    assert plain(read(tmp_path, "a.csv", b'email,"my\nnote"\na,b\n')) == [(3, {"email": "a", "my\nnote": "b"})]


# --- tables


def test_an_empty_cell_is_a_value_that_is_not_given(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", b'email,name,age\na,,\n,"",\nb, ,0\n')
    assert plain(rows) == [(2, {"email": "a"}), (3, {}), (4, {"email": "b", "name": " ", "age": "0"})]
    assert {row.columns for row in rows} == {("email", "name", "age")}


def test_ragged_row_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", b'email,name\nada@example.com\na,"b\nb",c\na,b\n')
    assert problems(rows) == {
        2: "has 1 columns, and the header has 2",
        3: "has 3 columns, and the header has 2",
    }
    assert [(row.line, row.record) for row in rows if not row.problem] == [(5, {"email": "a", "name": "b"})]


@pytest.mark.parametrize("names", [b"email,email", b"email, email ", b"email,", b",", b"email,,name", b'""'])
def test_columns_without_a_name_of_their_own_are_refused(tmp_path: Path, names: bytes) -> None:
    assert "the header must have unique, non-empty column names" in refusal(tmp_path, "a.csv", names + b"\na,b\n")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'email\n"ada@example.com\n', 2),
        (b'email\na\n"b" x\n', 3),
        (b"email\na\n" + b"x" * 200_000, 3),
    ],
    ids=["no closing quote", "text after a quote", "a cell without end"],
)
def test_what_is_no_csv_is_refused_with_its_line(tmp_path: Path, data: bytes, line: int) -> None:
    message = refusal(tmp_path, "a.csv", data)
    assert f"line {line} is not CSV" in message
    assert "ada@example.com" not in message


@pytest.mark.parametrize(
    "data", ["email\nAda é\n".encode("latin-1"), "é\na\n".encode("latin-1"), "email\na\n".encode("utf-16")], ids=repr
)
def test_a_table_that_is_not_utf_8_is_refused(tmp_path: Path, data: bytes) -> None:
    assert "not UTF-8" in refusal(tmp_path, "a.csv", data)


def test_rows_before_invalid_utf_8_are_read_and_the_line_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"email\n" + b"ada@example.com\n" * 9999 + b"\xe9\n")
    rows = read_records(tmp_path / "a.csv")
    read_well: list[int] = []
    with pytest.raises(BadArgumentError, match=r"not UTF-8 after line \d+\. Write") as caught:
        read_well.extend(row.line for row in rows)
    line = int(str(caught.value).partition("after line ")[2].partition(".")[0])
    assert read_well[-1:] in ([], [line])
    assert 9000 < line <= 10_000


# --- files that cannot be read


@pytest.mark.parametrize("name", ["a.txt", "a", "a.xlsx", "csv", "a.csv.zip", "a.gz", "a.csv.gz.gz", "a.tsv"])
def test_a_file_of_another_kind_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    message = refusal(tmp_path, name, CSV)
    assert "is not JSON Lines (.jsonl) or CSV (.csv)" in message


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.csv.gz"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordsReadError, match="cannot be read: No such file") as caught:
        list(read_records(tmp_path / "there" / name))
    assert str(tmp_path / "there" / name) in str(caught.value)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(BadArgumentError, match="is a folder without files"):
        list(read_records(tmp_path / "a.csv"))


@pytest.mark.parametrize("path", ["nonsense://bucket/a.csv", "s3://bucket/a.csv"])
def test_missing_filesystem_is_reported(path: str) -> None:
    with pytest.raises(BadArgumentError, match="cannot be opened"):
        list(read_records(path))


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv.gz"])
@pytest.mark.parametrize("how", ["cut off", "not gzipped", "damaged", "another checksum"])
def test_corrupt_gzip_is_reported(tmp_path: Path, name: str, how: str) -> None:
    data = (CSV if "csv" in name else JSON_LINES) * 99
    gzipped = gzip.compress(data)
    broken = {
        "cut off": gzipped[:-9],
        "not gzipped": data,
        "damaged": gzipped[:10] + b"\xff" * 20,
        "another checksum": gzipped[:-8] + bytes(8),
    }[how]
    (tmp_path / name).write_bytes(broken)
    with pytest.raises(RecordsReadError, match="cannot be read") as caught:
        list(read_records(tmp_path / name))
    assert name in str(caught.value)


def test_signature_of_a_url_is_not_in_the_message() -> None:
    with pytest.raises(BadArgumentError) as raised:
        list(read_records("https://files.example.com/people.txt?sig=s3cret"))
    assert "https://files.example.com/people.txt" in str(raised.value)
    assert "s3cret" not in str(raised.value)
