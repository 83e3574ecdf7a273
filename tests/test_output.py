# SPDX-License-Identifier: Apache-2.0
"""Files of outcomes: there when they are complete, and otherwise not at all."""

import datetime as dt
import decimal
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_bulkjobs.exceptions import BadArgumentError, OutputWriteError
from airflow_provider_bulkjobs.results.writers import RowsFile, rejected_row
from airflow_provider_bulkjobs.submitting.records import Row

try:
    from airflow.sdk.io import attach
except ImportError:
    from airflow.io.store import attach


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    """A storage elsewhere."""
    memory = MemoryFileSystem()
    attach("memory", fs=memory)
    yield memory
    memory.store.clear()


class BlockFailedError(Exception):
    """What goes wrong in the block."""


def lines(path: Path) -> list[Any]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text(encoding="utf-8").splitlines()]


def write_and_fail(path: Any, error: type[BaseException]) -> None:
    with RowsFile(path) as file:
        file.write({"new": 1})
        raise error


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "make",
    [str, Path, lambda path: f"file://{path}", ObjectStoragePath],
    ids=["text", "Path", "URI", "ObjectStoragePath"],
)
def test_rows_are_lines_of_json(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "a.jsonl"
    with RowsFile(make(path)) as file:
        file.write({"job_id": "1", "item": {"name": "é\n"}})
        file.write({"job_id": "2", "item": {}})
    assert lines(path) == [{"job_id": "1", "item": {"name": "é\n"}}, {"job_id": "2", "item": {}}]
    assert (file.rows, file.bytes) == (2, path.stat().st_size)
    assert names(tmp_path) == ["a.jsonl"]


def test_no_row_is_an_empty_file(tmp_path: Path) -> None:
    with RowsFile(tmp_path / "a.jsonl") as file:
        pass
    assert (tmp_path / "a.jsonl").read_bytes() == b""
    assert (file.rows, file.bytes) == (0, 0)


def test_folders_are_made(tmp_path: Path) -> None:
    with RowsFile(tmp_path / "some" / "where" / "a.jsonl") as file:
        file.write({"a": 1})
    assert lines(tmp_path / "some" / "where" / "a.jsonl") == [{"a": 1}]


def test_nothing_is_there_before_the_end(tmp_path: Path) -> None:
    with RowsFile(tmp_path / "a.jsonl") as file:
        file.write({"a": 1})
        assert names(tmp_path) == []


@pytest.mark.parametrize("error", [BlockFailedError, KeyboardInterrupt, SystemExit])
def test_nothing_is_there_when_the_block_fails(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        write_and_fail(tmp_path / "some" / "a.jsonl", error)
    assert names(tmp_path) == []


def test_an_old_file_stays_when_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"old": 1}\n')
    with pytest.raises(BlockFailedError):
        write_and_fail(path, BlockFailedError)
    assert lines(path) == [{"old": 1}]
    assert names(tmp_path) == ["a.jsonl"]


def test_an_old_file_is_replaced_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"old": 1}\n' * 99)
    with path.open() as reader:
        with RowsFile(path) as file:
            file.write({"new": 1})
        assert len(reader.readlines()) == 99, "who reads the old file has all of it"
    assert lines(path) == [{"new": 1}]


def test_nothing_is_left_behind_when_the_file_cannot_be_put_there(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").mkdir()
    with (
        pytest.raises(OutputWriteError, match="cannot be written: Is a directory"),
        RowsFile(tmp_path / "a.jsonl") as file,
    ):
        file.write({"a": 1})
    assert names(tmp_path) == ["a.jsonl"]


def test_a_storage_elsewhere_gets_it_all_at_once(memory: MemoryFileSystem) -> None:
    path = "memory://bucket/some/a.jsonl"
    with RowsFile(path) as file:
        file.write({"a": 1})
        assert memory.find("") == []
    assert str(file).endswith("bucket/some/a.jsonl")
    with pytest.raises(BlockFailedError):
        write_and_fail(path, BlockFailedError)
    assert {name: memory.cat(name) for name in memory.find("")} == {"/bucket/some/a.jsonl": b'{"a": 1}\n'}


@pytest.mark.parametrize("path", [None, 7, [], "nonsense://bucket/a.jsonl"], ids=str)
def test_what_is_no_path_is_refused_before_the_block(path: Any) -> None:
    with pytest.raises(BadArgumentError, match="path="):
        RowsFile(path)


CIRCLE: dict[str, Any] = {}
CIRCLE["again"] = CIRCLE
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]

# A record may be rejected because JSON cannot hold it. It must still be written to the results file.
ODD: dict[str, dict[Any, Any]] = {
    "a date": {"a": dt.date(2026, 3, 14)},
    "a decimal": {"a": decimal.Decimal("1.5")},
    "bytes": {"a": b"x"},
    "a set": {"a": {1}},
    "no number": {"a": math.nan},
    "infinity": {"a": -math.inf},
    "half a character": {"a": "\ud800"},
    "half a character in a name": {"\ud800": 1},
    "a tuple for a name": {("a", "b"): 1},
    "a circle": CIRCLE,
    "a deep one": {"a": DEEP},
}


@pytest.mark.parametrize("kind", ODD)
def test_a_record_left_out_can_be_written_whatever_it_holds(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.jsonl"
    with RowsFile(path) as file:
        file.write(rejected_row(Row(7, ODD[kind], "is not right")))
    [row] = lines(path)
    assert {name: row[name] for name in ("job_id", "status", "error", "line")} == {
        "job_id": None,
        "status": "rejected",
        "error": "is not right",
        "line": 7,
    }


def test_rejected_record_is_written_unchanged() -> None:
    record = {"email": "", "name": "Ada"}
    assert rejected_row(Row(3, record, "lacks field 'email'")) == {
        "job_id": None,
        "status": "rejected",
        "error": "lacks field 'email'",
        "item": record,
        "line": 3,
    }
