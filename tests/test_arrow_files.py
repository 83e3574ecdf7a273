# SPDX-License-Identifier: Apache-2.0
"""Parquet and Arrow files are read a batch at a time, with nested values as lists and dicts."""

import datetime as dt
import gzip
import io
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.submitting.arrow_rows import read_parquet
from airflow_provider_bulkjobs.submitting.column_values import UnreadableValue
from airflow_provider_bulkjobs.submitting.records import Row, read_records
from airflow_provider_bulkjobs.submitting.row import Origin

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

WHEN = dt.datetime(2026, 3, 14, 15, 9, 26, tzinfo=dt.UTC)
RECORDS: list[dict[str, Any]] = [
    {
        "email": "a@example.com",
        "age": 7,
        "balance": Decimal("1.10"),
        "member": True,
        "since": dt.date(2026, 3, 14),
        "seen": WHEN,
        "tags": ["x", None],
        "address": {"city": "Paris", "lines": ["1", "2"]},
        "custom": {"k": 1},
    },
    dict.fromkeys(("email", "age", "balance", "member", "since", "seen", "tags", "address", "custom")),
]
COLUMNS = tuple(RECORDS[0])


def table(records: list[dict[str, Any]] = RECORDS) -> Any:
    custom = pa.array(
        [one["custom"] and list(one["custom"].items()) for one in records], pa.map_(pa.string(), pa.int64())
    )
    plain = pa.Table.from_pylist([{name: one[name] for name in COLUMNS if name != "custom"} for one in records])
    return plain.append_column("custom", custom)


def write(path: Path, data: Any, **how: Any) -> Path:
    if path.name.endswith(".parquet"):
        pq.write_table(data, path, **how)
    else:
        new = pa.ipc.new_stream if path.name.endswith(".arrows") else pa.ipc.new_file
        with new(path, data.schema) as writer:
            writer.write_table(data, max_chunksize=how.get("row_group_size"))
    return path


def read(path: Any, **arguments: Any) -> list[Row]:
    return list(read_records(path, **arguments))


@pytest.mark.parametrize("name", ["a.parquet", "part-00000-4e2a-c000.snappy.parquet", "a.arrow", "a.arrows"])
def test_file_is_read_with_nested_values(tmp_path: Path, name: str) -> None:
    first, second = read(write(tmp_path / name, table()))
    assert first.record == RECORDS[0]
    assert (second.record, second.columns, second.where) == ({}, COLUMNS, f"{name} row 2")


@pytest.mark.parametrize("codec", ["snappy", "gzip", "zstd", "brotli", "none"])
def test_codec_of_the_file_does_not_matter(tmp_path: Path, codec: str) -> None:
    assert read(write(tmp_path / "a.parquet", table(), compression=codec))[0].record == RECORDS[0]


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.arrows"])
def test_rows_are_counted_over_all_row_groups(tmp_path: Path, name: str) -> None:
    data = pa.table({"n": list(range(10_000))})
    rows = read(write(tmp_path / name, data, row_group_size=3001))
    assert [(row.line, row.record["n"]) for row in rows] == [(number + 1, number) for number in range(10_000)]


def test_folder_as_spark_writes_it(tmp_path: Path) -> None:
    folder = tmp_path / "contacts.parquet"
    folder.mkdir()
    for number in range(3):
        write(folder / f"part-0000{number}-x.snappy.parquet", pa.table({"n": [number]}))
    (folder / "_SUCCESS").touch()
    (folder / ".part-00000-x.snappy.parquet.crc").touch()
    assert [row.record["n"] for row in read(folder)] == [0, 1, 2]


def test_part_with_other_columns_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"x": [1], "y": [1], "z": [1]}))
    write(tmp_path / "b.parquet", pa.table({"x": [1], "y": [1], "Z": [1]}))
    with pytest.raises(
        BadArgumentError, match=r"b\.parquet' has other columns than a\.parquet: it lacks 'z' and has also 'Z'"
    ):
        read(tmp_path)


def test_file_without_an_ending_is_read_by_its_format(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", table()).rename(tmp_path / "0000_part_00")
    write(tmp_path / "a.arrow", table()).rename(tmp_path / "0001_part_00")
    assert len(read(tmp_path / "0000_part_00", file_format="parquet")) == 2
    assert len(read(tmp_path / "0001_part_00", file_format="arrow")) == 2


def test_spark_timestamps_are_read(tmp_path: Path) -> None:
    data = pa.table({"seen": pa.array([WHEN.replace(tzinfo=None)], pa.timestamp("ns"))})
    pq.write_table(data, tmp_path / "a.parquet", use_deprecated_int96_timestamps=True)
    assert read(tmp_path / "a.parquet")[0].record == {"seen": WHEN.replace(tzinfo=None)}


def test_empty_table_has_no_rows(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.parquet", pa.table({"n": pa.array([], pa.int64())}))) == []


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.arrows"])
def test_other_and_incomplete_files_are_reported(tmp_path: Path, name: str) -> None:
    data = write(tmp_path / name, table()).read_bytes()
    for wrong in (b"email\na@example.com\n", data[:-20] if name != "a.arrows" else data[:20]):
        (tmp_path / name).write_bytes(wrong)
        with pytest.raises(BadArgumentError, match=rf"{name}' is not an? (Parquet|Arrow) file, or it is incomplete"):
            read(tmp_path / name)


def test_compressed_stream_is_read(tmp_path: Path) -> None:
    data = write(tmp_path / "a.arrows", table()).read_bytes()
    (tmp_path / "a.arrows.gz").write_bytes(gzip.compress(data))
    assert read(tmp_path / "a.arrows.gz")[0].record == RECORDS[0]


def test_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["email", "email"]))
    with pytest.raises(BadArgumentError, match=r"a.parquet' has column 'email' twice\. Rename"):
        read(tmp_path / "a.parquet")


def test_row_groups_are_read_as_they_are_wanted(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet", pa.table({"text": [f"{n}" * 100 for n in range(400_000)]}), row_group_size=20_000
    )
    before = pa.total_allocated_bytes()
    rows = read_records(path)
    most = 0
    for row in rows:
        if row.line % 20_000 == 0:
            most = max(most, pa.total_allocated_bytes() - before)
    assert row.line == 400_000
    assert most < 20_000_000  # the table has 200 MB


class CountingFile(io.FileIO):
    """A file that counts the bytes that are read from it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size) or b""
        self.count += len(data)
        return data


def test_row_groups_are_not_read_in_advance(tmp_path: Path) -> None:
    text = pa.table({"text": [f"{number:020}" for number in range(100_000)]})
    path = write(tmp_path / "a.parquet", text, row_group_size=5_000, compression="none", use_dictionary=False)
    size = path.stat().st_size
    with CountingFile(path) as file:
        blocks = read_parquet(cast("BinaryIO", file), Origin(), "a.parquet")
        assert len(next(blocks).lines) > 0
        assert file.count < size / 4
        assert sum(len(block.lines) for block in blocks) > 90_000
        assert file.count >= size / 2  # the rest is counted, too


ODD: dict[str, Any] = {
    "time": pa.array([None, 253402300799999999], pa.timestamp("us", "Europe/Berlin")),
    "date": pa.array([1, 3000000], pa.date32()),
    "map": pa.array([[("a", 1)], [("Ada", 1), ("Ada", 2)]], pa.map_(pa.string(), pa.int64())),
    "text": pa.Array.from_buffers(pa.string(), 2, pa.array([b"a", b"\xff"]).buffers()),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("make", [lambda table, path: write(path, table), lambda table, _: table])
def test_value_that_python_does_not_have_is_a_problem_of_its_row(tmp_path: Path, kind: str, make: Any) -> None:
    source = make(pa.table({"email": ["a", "b"], "odd": ODD[kind]}), tmp_path / "a.parquet")
    first, second = read(source)
    assert not isinstance(first.record.get("odd"), UnreadableValue)
    assert isinstance(second.record["odd"], UnreadableValue)
    assert [row.record for row in read(source, columns=["email"])] == [{"email": "a"}, {"email": "b"}]
