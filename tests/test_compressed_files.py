# SPDX-License-Identifier: Apache-2.0
"""Compressed files are recognized by their bytes or their name, and a corrupt one is reported."""

import builtins
import bz2
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bulkjobs.exceptions import BadArgumentError, RecordsReadError
from airflow_provider_bulkjobs.submitting.records import read_records

CSV = b"email\n" + b"".join(b"%d@example.com\n" % number for number in range(5000))
JSON = b"".join(b'{"email": "%d@example.com"}\n' % number for number in range(5000))


def zstd(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard")
    return bytes(zstandard.compress(data[: len(data) // 2]) + zstandard.compress(data[len(data) // 2 :]))


COMPRESS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".zst": zstd}
each_compression = pytest.mark.parametrize("ending", COMPRESS)


def count(path: Path, **arguments: Any) -> int:
    return len([row for row in read_records(path, **arguments) if not row.problem])


@each_compression
@pytest.mark.parametrize(("name", "data"), [("a.csv", CSV), ("a.jsonl", JSON), ("a.JSON", JSON)])
def test_file_is_decompressed(tmp_path: Path, ending: str, name: str, data: bytes) -> None:
    (tmp_path / f"{name}{ending}").write_bytes(COMPRESS[ending](data))
    assert count(tmp_path / f"{name}{ending}") == 5000


@each_compression
@pytest.mark.parametrize("name", ["0000_part_00", "a.csv", "a.csv.gz", "a.zst"])
def test_bytes_are_believed_before_the_name(tmp_path: Path, ending: str, name: str) -> None:
    (tmp_path / name).write_bytes(COMPRESS[ending](CSV))
    assert count(tmp_path / name, file_format="csv") == 5000


def test_plain_file_that_begins_like_a_compressed_one_by_its_name_is_reported(tmp_path: Path) -> None:
    for ending in COMPRESS:
        (tmp_path / f"a.csv{ending}").write_bytes(CSV)
        if ending == ".zst":
            pytest.importorskip("zstandard")
        with pytest.raises(RecordsReadError, match=f"a.csv{ending}' cannot be read"):
            count(tmp_path / f"a.csv{ending}")


@each_compression
@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_corrupt_file_is_reported(tmp_path: Path, ending: str, damage: str) -> None:
    data = COMPRESS[ending](CSV)
    half = len(data) // 2
    (tmp_path / "part").write_bytes(
        data[:half] if damage == "cut off" else data[:half] + b"\xff" * 64 + data[half + 64 :]
    )
    with pytest.raises(RecordsReadError, match="part' cannot be read") as caught:
        count(tmp_path / "part", file_format="csv")
    assert "example.com" not in str(caught.value)


def test_missing_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    hide(monkeypatch, "zstandard")
    with pytest.raises(BadArgumentError, match=r"Install airflow-provider-bulkjobs\[zstd\]"):
        count(tmp_path / "a.csv.zst")


def hide(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    real = builtins.__import__

    def hidden(module: str, *arguments: Any, **keywords: Any) -> Any:
        if module.partition(".")[0] == name:
            raise ImportError
        return real(module, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", hidden)


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_missing_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).write_bytes(b"PAR1")
    hide(monkeypatch, "pyarrow")
    with pytest.raises(BadArgumentError, match=r"Install airflow-provider-bulkjobs\[parquet\]"):
        count(tmp_path / name)
