# SPDX-License-Identifier: Apache-2.0
"""Results files in each format, compressed or not; records in them can be submitted again."""

import bz2
import csv
import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.results import formats
from airflow_provider_bulkjobs.results.writers import RESULT_COLUMNS, RowsFile
from airflow_provider_bulkjobs.submitting.records import read_records

ROWS: list[dict[str, Any]] = [
    {
        "job_id": "1",
        "status": "failed",
        "error": 'a "quoted"\nerror',
        "item": {"email": "é@example.com", "tags": ["a"]},
    },
    {"job_id": "1", "status": "failed", "error": None, "item": {}},
]
RECORDS: list[dict[str, Any]] = [
    {"email": "a@example.com", "note": "x,\ny"},
    {"email": "b@example.com", "city": "Ulm\r"},
]
DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.decompress, ".bz2": bz2.decompress}
each_compression = pytest.mark.parametrize("ending", DECOMPRESS)


def write(path: Path, rows: list[dict[str, Any]], *, records: bool = False) -> RowsFile:
    with RowsFile(path, () if records else RESULT_COLUMNS, for_submit=records) as file:
        for row in rows:
            file.write(row)
    assert (file.rows, file.bytes) == (len(rows), path.stat().st_size)
    assert path.stat().st_mode & 0o777 == 0o600
    return file


def cells(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@each_compression
def test_json_lines(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows.jsonl{ending}"
    write(path, ROWS)
    assert [json.loads(line) for line in DECOMPRESS[ending](path.read_bytes()).splitlines()] == ROWS


@each_compression
def test_items_in_csv_are_json(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows.csv{ending}"
    write(path, ROWS)
    [header, first, second] = cells(DECOMPRESS[ending](path.read_bytes()))
    assert header == [*RESULT_COLUMNS]
    assert (first[2], json.loads(first[3])) == (ROWS[0]["error"], ROWS[0]["item"])
    assert second == ["1", "failed", "", "{}"]


def test_csv_without_rows_has_a_header(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", [])
    assert cells((tmp_path / "rows.csv").read_bytes()) == [[*RESULT_COLUMNS]]


def test_csv_without_records_is_empty(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", [], records=True)
    assert list(read_records(str(tmp_path / "rows.csv"))) == []


@pytest.mark.parametrize(
    "ending", [".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet", ".parquet.gz", ".parquet.bz2"]
)
def test_records_are_read_as_they_were_written(tmp_path: Path, ending: str) -> None:
    if "parquet" in ending:
        pytest.importorskip("pyarrow")
    path = tmp_path / f"records{ending}"
    write(path, RECORDS, records=True)
    assert [dict(row.record) for row in read_records(str(path))] == RECORDS


@pytest.mark.parametrize(("value", "kind"), [(["a"], "a list"), ({"a": 1}, "an object")])
def test_nested_record_needs_json_lines(tmp_path: Path, value: Any, kind: str) -> None:
    message = rf"a record has {kind} in field 'tags', which a table cannot hold. Write JSON Lines \(.jsonl\)"
    with pytest.raises(BadArgumentError, match=message):
        write(tmp_path / "records.csv", [{"tags": value}], records=True)
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "records.jsonl", [{"tags": value}], records=True)


@pytest.mark.parametrize("ending", [".csv", ".csv.bz2"])
def test_file_published_twice_has_all_rows(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows{ending}"
    with RowsFile(path) as file:
        file.write({"a": 1})
        file.publish()
        assert len(cells(DECOMPRESS[ending.removeprefix(".csv")](path.read_bytes()))) == 2
        file.write({"b": True})
    assert cells(DECOMPRESS[ending.removeprefix(".csv")](path.read_bytes())) == [["a", "b"], ["1", ""], ["", "true"]]


@pytest.mark.parametrize(
    ("ending", "module", "extra"), [(".parquet", "pyarrow", "parquet"), (".csv.zst", "zstandard", "zstd")]
)
def test_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadArgumentError, match=rf"path: .* needs the package {module}.*bulkjobs\[{extra}\]"):
        RowsFile(tmp_path / f"rows{ending}")


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_parquet_has_a_type_for_each_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    monkeypatch.setattr(formats, "ROWS_PER_GROUP", 1)
    rows = [
        {"text": "é", "whole": 1, "number": 1, "yes": True, "mixed": 1, "large": 1, "half": "\ud800", "nothing": None},
        {"text": None, "whole": -2, "number": 0.5, "yes": False, "mixed": "x", "large": 2**70, "half": "", "new": "y"},
    ]
    path = tmp_path / f"rows.parquet{ending}"
    write(path, rows)
    table = parquet.read_table(io.BytesIO(DECOMPRESS[ending](path.read_bytes()))).drop_columns([*RESULT_COLUMNS])
    assert [str(each.type) for each in table.schema][:6] == ["string", "int64", "double", "bool", "string", "string"]
    assert table.to_pylist() == [
        {**rows[0], "number": 1.0, "mixed": "1", "large": "1", "half": "?", "new": None},
        {**rows[1], "large": str(2**70), "nothing": None},
    ]


def test_parquet_without_rows_has_its_columns(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    write(tmp_path / "rows.parquet", [])
    assert parquet.read_table(tmp_path / "rows.parquet").column_names == [*RESULT_COLUMNS]


def test_zstandard(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "rows.jsonl.zst"
    write(path, ROWS)
    with path.open("rb") as file:
        data = zstandard.ZstdDecompressor().stream_reader(file).read()
    assert [json.loads(line) for line in data.splitlines()] == ROWS
