# SPDX-License-Identifier: Apache-2.0
"""Part files as warehouses unload them: a folder, a prefix, a pattern or a list of paths is read as one source."""

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_bulkjobs.exceptions import BadArgumentError, RecordsReadError
from airflow_provider_bulkjobs.submitting import file_rows
from airflow_provider_bulkjobs.submitting.parts import check_is_no_part
from airflow_provider_bulkjobs.submitting.records import read_records

try:
    from airflow.sdk.io import attach
except ImportError:
    from airflow.io.store import attach


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture(autouse=True)
def empty_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a storage in memory of its own: fsspec has one for the whole process."""
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    attach("memory", fs=MemoryFileSystem())  # older versions of Airflow have none by default


@pytest.fixture
def unload(tmp_path: Path) -> Path:
    """Part files of a query, as Redshift writes them."""
    parts = {f"users_000{number}_part_00": f"email\n{number}a\n{number}b\n" for number in (2, 0, 1)}
    return write(tmp_path / "unload", **parts)


ALL = ["0a", "0b", "1a", "1b", "2a", "2b"]


def emails(source: Any, **arguments: Any) -> list[str]:
    rows = list(read_records(source, **{"file_format": "csv", **arguments}))
    assert [row.problem for row in rows if row.problem] == []
    return [row.record["email"] for row in rows]


@pytest.mark.parametrize(
    "name", ["", "/", "/users_", "/users_000", "/*", "/users_*_00", "/users_000[0-2]_part_00", "/**", "/../unlo*"]
)
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_parts_are_read_in_the_order_of_their_names(unload: Path, name: str, scheme: str) -> None:
    assert emails(f"{scheme}{unload}{name}") == ALL


def test_folder_below_a_hidden_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / ".home/_run", data__a="email\n1\n")
    for name in ("data", "dat", "dat*"):
        assert emails(f"{folder}/{name}") == ["1"]
        if not ObjectStoragePath(name).path.startswith("/"):  # as Airflow 2 reads a relative path
            monkeypatch.chdir(folder)
            assert emails(name) == ["1"]


@pytest.mark.parametrize("make", [list, tuple, iter], ids=["list", "tuple", "iterator"])
@pytest.mark.parametrize("kind", [str, Path])
def test_list_of_paths_is_read_in_the_order_of_names(unload: Path, make: Any, kind: Any) -> None:
    paths = [kind(path) for path in sorted(unload.iterdir(), reverse=True)]
    assert emails(make(paths)) == ALL


def test_list_of_paths_may_have_folders_and_patterns(tmp_path: Path) -> None:
    write(tmp_path, a__one="email\n1\n", b__one="email\n2\n", b__two="email\n3\n")
    assert emails([tmp_path / "b/*", tmp_path / "a"]) == ["1", "2", "3"]


def test_file_that_is_named_twice_is_refused(unload: Path) -> None:
    with pytest.raises(BadArgumentError, match=r"_part_00' twice, or a link to it\. Remove one"):
        emails([unload / "users_0001_part_00", unload])


def test_parts_in_folders_are_read(tmp_path: Path) -> None:
    write(tmp_path, day_1__part_0="email\n1\n", day_2__part_0="email\n2\n")
    assert emails(tmp_path) == emails(f"{tmp_path}/day_*") == emails(f"{tmp_path}/day") == ["1", "2"]


@pytest.mark.parametrize(
    "name",
    ["_SUCCESS", "_committed_123", ".part-0.crc", "_temporary__0__part-0", "users_manifest", "manifest", ".ipynb__a"],
)
def test_markers_and_temporary_files_are_skipped(unload: Path, name: str) -> None:
    write(unload, **{name: "{"})
    assert emails(unload) == emails(f"{unload}/*") == emails(f"{unload}/users_") == ALL


def test_files_that_are_asked_for_by_an_underscore_are_read(tmp_path: Path) -> None:
    write(tmp_path, _one="email\n1\n", two="email\n2\n")
    assert emails(f"{tmp_path}/_*") == emails(f"{tmp_path}/_o") == emails(f"{tmp_path}/_one") == ["1"]


def test_file_whose_name_looks_like_a_pattern_is_read(tmp_path: Path) -> None:
    write(tmp_path, **{"a[1].csv": "email\n1\n", "a1.csv": "email\n2\n"})
    assert emails(tmp_path / "a[1].csv") == ["1"]


def test_parts_elsewhere_are_read() -> None:
    memory = MemoryFileSystem()
    for number in (1, 0):
        memory.pipe(f"/bucket/unload/data_0_{number}_0.csv.gz", gzip.compress(f"email\n{number}\n".encode()))
    memory.pipe("/bucket/unload/_SUCCESS", b"")
    for source in ("unload", "unload/", "unload/data_", "unload/*.csv.gz", "unl*"):
        assert emails(f"memory://bucket/{source}", file_format=None) == ["0", "1"], source
    memory.store.clear()


@pytest.mark.parametrize(
    "name",
    ["data_0_0_0.csv.gz", "part-00000-4e2a-c000.csv", "a.CSV", "a.jsonl", "part-0.json", "a.ndjson.gz"],
)
def test_format_is_known_by_the_ending(tmp_path: Path, name: str) -> None:
    data = b"email\na\n" if "csv" in name.lower() else b'{"email": "a"}\n'
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert emails(tmp_path, file_format=None) == ["a"]


def test_format_that_is_given_wins_over_the_ending(tmp_path: Path) -> None:
    write(tmp_path, **{"a.csv": '{"email": "a"}\n'})
    assert emails(tmp_path / "a.csv", file_format="jsonl") == ["a"]


def test_lines_are_those_of_each_file(unload: Path, tmp_path: Path) -> None:
    assert [row.where for row in read_records(unload, file_format="csv")][1:3] == [
        "users_0000_part_00 line 3",
        "users_0001_part_00 line 2",
    ]
    write(tmp_path / "days", d1__part_0="email\na\n", d2__part_0="email\na\n")
    assert [row.where for row in read_records(tmp_path / "days", file_format="csv")] == [
        "d1/part_0 line 2",
        "d2/part_0 line 2",
    ]


def test_name_of_a_file_shows_no_address() -> None:
    memory = MemoryFileSystem()
    memory.pipe("/bucket/of-ada@example.com.jsonl", b"{\n")
    with pytest.raises(BadArgumentError) as caught:
        list(read_records("memory://bucket/of-ada@example.com.jsonl"))
    assert "ada@example.com" not in str(caught.value)
    memory.pipe("/bucket/of-ada@example.com.jsonl", b"{}\n")
    [row] = read_records("memory://bucket/of-ada@example.com.jsonl")
    assert "ada@example.com" not in row.where
    memory.store.clear()


# --- parts that differ


def refusal(source: Any, **arguments: Any) -> str:
    with pytest.raises(BadArgumentError) as caught:
        list(read_records(source, **{"file_format": "csv", **arguments}))
    assert "records" in str(caught.value)
    return str(caught.value)


def test_part_with_other_columns_is_named(tmp_path: Path) -> None:
    write(tmp_path, part_0="email,name,city\na,b,c\n", part_1="email,town,name\na,b,c\n")
    message = refusal(tmp_path)
    assert f"records='{tmp_path}/part_1' has other columns than part_0" in message
    assert "it lacks 'city' and has also 'town'" in message
    assert "same columns" in message


def test_parts_without_a_header_are_not_named_by_their_values(tmp_path: Path) -> None:
    write(tmp_path, part_0="Zebediah,Quackenbush,Paris\n" * 2, part_1="Anna,Zimmermann,Paris\n" * 2)
    rows = read_records(tmp_path, file_format="csv")
    next(rows)
    with pytest.raises(BadArgumentError, match=r"part_1' has other columns than part_0\. Unload") as caught:
        list(rows)
    assert not [word for word in ("Zebediah", "Quackenbush", "Anna", "Zimmermann") if word in str(caught.value)]


def test_first_line_of_each_part_must_be_a_header(tmp_path: Path) -> None:
    write(tmp_path, part_0="email\na\n", part_1="zeb@example.com\n")
    message = refusal(tmp_path)
    assert "part_1': the first line is data, not a header" in message
    assert "zeb" not in message


def test_columns_in_another_order_are_the_same(tmp_path: Path) -> None:
    write(tmp_path, part_0="email,name\na,A\n", part_1="name,email\nB,b\n")
    assert [dict(row.record) for row in read_records(tmp_path, file_format="csv")] == [
        {"email": "a", "name": "A"},
        {"email": "b", "name": "B"},
    ]


def test_parts_without_rows_are_no_difference(tmp_path: Path) -> None:
    write(tmp_path, part_0="", part_1="email\na\n", part_2="", part_3="email\n")
    assert emails(tmp_path) == ["a"]


def test_json_lines_may_leave_out_fields(tmp_path: Path) -> None:
    write(tmp_path, part_0='{"email": "a", "name": "A"}\n', part_1='{"email": "b"}\n')
    assert emails(tmp_path, file_format="jsonl") == ["a", "b"]


def test_files_of_different_formats_are_refused(tmp_path: Path) -> None:
    write(tmp_path, **{"a.csv": "email\na\n", "b.jsonl": '{"email": "a"}\n'})
    assert "different formats: a.csv and b.jsonl" in refusal(tmp_path, file_format=None)


def test_file_without_an_ending_needs_a_format(unload: Path) -> None:
    message = refusal(unload, file_format=None)
    assert "is not JSON Lines (.jsonl) or CSV (.csv)" in message
    assert "set format to one of csv, jsonl, parquet, arrow" in message


@pytest.mark.parametrize("value", ["xlsx", "CSV", "", 7, ["csv"]], ids=repr)
def test_unknown_format_is_refused(unload: Path, value: Any) -> None:
    with pytest.raises(BadArgumentError, match=r"Invalid format=.*Use one of csv, jsonl, parquet, arrow\."):
        list(read_records(unload, file_format=value))


# --- nothing to read


@pytest.mark.parametrize("name", ["no_*", "*.csv", "[xyz]*"])
def test_pattern_that_matches_nothing_is_refused(unload: Path, name: str) -> None:
    assert f"records='{unload}/{name}' matches no file. Check the pattern" in refusal(f"{unload}/{name}")


@pytest.mark.parametrize("name", ["there", "users_9", "users_0000_part_00.csv", "x/y"])
def test_file_that_does_not_exist_is_refused(unload: Path, name: str) -> None:
    with pytest.raises(RecordsReadError, match="cannot be read: No such file") as caught:
        emails(unload / name)
    assert str(unload / name) in str(caught.value)


def test_name_of_a_file_is_not_the_start_of_others(tmp_path: Path) -> None:
    write(tmp_path, **{"a.csv.old": "email\na\n"})
    with pytest.raises(RecordsReadError, match="No such file"):
        emails(tmp_path / "a.csv")


def test_folder_of_markers_only_is_refused(tmp_path: Path) -> None:
    write(tmp_path, _SUCCESS="")
    assert "is a folder without files. Check the task that writes them." in refusal(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises((RecordsReadError, BadArgumentError), match="locked"):
        emails(tmp_path / "locked/part*")


def test_one_file_is_open_at_a_time(unload: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    rows = read_records(unload, file_format="csv")
    buffered = file_rows.io.BufferedReader

    class Counted(buffered):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            opened.append(self)

    monkeypatch.setattr(file_rows.io, "BufferedReader", Counted)
    assert max(sum(not file.closed for file in opened) for _ in rows) == 1
    assert len(opened) == 3
    assert all(file.closed for file in opened)


@pytest.mark.parametrize("scheme", ["", "file://", "memory://"])
def test_folder_that_does_not_exist_is_not_the_start_of_others(tmp_path: Path, scheme: str) -> None:
    folder = write(tmp_path, day_10__a="email\n1\n")
    with MemoryFileSystem().open(f"{folder}/day_10/a", "wb") as file:
        file.write(b"email\n1\n")
    assert emails(f"{scheme}{folder}/day_1") == ["1"]
    with pytest.raises(RecordsReadError, match="cannot be read: there is no such folder"):
        emails(f"{scheme}{folder}/day_1/")


@pytest.mark.parametrize("name", ["b.parquet", "b.arrow", "b.csv.gz", "b.jsonl.zst"])
def test_part_of_zero_bytes_is_incomplete_unless_it_is_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    with pytest.raises(RecordsReadError, match="the file has 0 bytes, so it is incomplete"):
        emails(path, file_format=None)
    (text := tmp_path / "b.csv").touch()
    assert emails(text) == []


def test_link_to_another_part_is_refused(unload: Path) -> None:
    (unload / "users_latest").symlink_to(unload / "users_0002_part_00")
    with pytest.raises(BadArgumentError, match="users_0002_part_00' twice, or a link to it"):
        emails(unload)


@pytest.mark.parametrize(
    ("records", "results"),
    [
        ("a.jsonl", "a.jsonl"),
        ("unload", "unload/rejected.jsonl"),
        ("unload/*.jsonl", "unload/rejected.jsonl"),
        ("unload/rej", "unload/rejected.jsonl"),
        (["a.jsonl", "unload"], "unload/rejected.jsonl"),
    ],
)
def test_results_do_not_replace_records(unload: Path, records: Any, results: str) -> None:
    root = write(unload.parent, **{"a.jsonl": "{}\n", "unload__rejected.jsonl": "{}\n"})
    source = [str(root / each) for each in records] if isinstance(records, list) else f"{root}/{records}"
    with pytest.raises(BadArgumentError, match=f"results_path='{root}/{results}' is one of the files of records="):
        check_is_no_part(source, f"{root}/{results}")


@pytest.mark.parametrize("results", ["unload/rejected.jsonl", "rejected.jsonl", "unload_2/a.jsonl", "a.jsonl.jsonl"])
def test_results_may_be_new_or_beside_the_records(unload: Path, results: str) -> None:
    root = write(unload.parent, **{"a.jsonl": "{}\n", "rejected.jsonl": "{}\n"})
    for source in (unload, f"{unload}/users_", f"{unload}/*", root / "a.jsonl", [{"email": "a"}, "b"], [], None):
        check_is_no_part(source, f"{root}/{results}")
