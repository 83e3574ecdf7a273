# SPDX-License-Identifier: Apache-2.0
"""Archives of results files: what is read, and what is refused before it takes memory or disk space."""

import io
import json
import tarfile
import tracemalloc
import zipfile
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bulkjobs.exceptions import UntrustedResponseError, VendorAPIError
from airflow_provider_bulkjobs.http.responses import FileUnavailableError
from airflow_provider_bulkjobs.results import archives
from airflow_provider_bulkjobs.results.archives import ArchivedFiles
from airflow_provider_bulkjobs.vendors.spec.item_result import Download, ItemResult

ZIP = Download("", "failed", archive="zip", members="*.csv")
TAR = Download("", format="json", archive="tar.gz", members="*.json")
A, B = b"email,error\na@example.com,no\n", b"email,error\nb@example.com,nay\n"
MIB = 1024 * 1024


def zip_of(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def tar_of(*members: tuple[str, bytes], **headers: Any) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", **headers) as archive:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        link = tarfile.TarInfo("link.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def tar_header(kind: bytes, size: int) -> bytes:
    header = tarfile.TarInfo("header")
    header.type, header.size = kind, size
    return header.tobuf(tarfile.GNU_FORMAT)


def read(data: bytes, download: Download = ZIP, max_bytes: int = MIB) -> list[ItemResult]:
    file = io.BytesIO(data)
    try:
        return list(ArchivedFiles(file, download, max_bytes, lambda *_: None))
    finally:
        assert file.closed


def emails(data: bytes, download: Download = ZIP) -> list[Any]:
    return [result.item["email"] for result in read(data, download)]


def test_zip_members_that_match_are_read_in_order() -> None:
    data = zip_of(("a.csv", A), ("notes.txt", b"x"), ("folder/", b""), ("folder/b.csv", B))
    assert emails(data) == ["a@example.com", "b@example.com"]
    assert emails(data, Download("", "failed", archive="zip", members="folder/*.csv")) == ["b@example.com"]


def test_tar_members_are_read_without_links_and_folders() -> None:
    data = tar_of(("1.json", b'[{"email": "a"}, {"email": "b"}]'), ("../../2.json", b' [ {"email" : "c"} ]\n'))
    assert emails(data, TAR) == ["a", "b", "c"]


def test_row_has_its_own_status() -> None:
    def read_row(row: dict[str, Any]) -> ItemResult | None:
        return ItemResult("failed", row["error"], {}) if row["email"].startswith("b") else None

    download = Download("", archive="zip", read_row=read_row)
    assert read(zip_of(("a.csv", A), ("b.csv", B)), download) == [ItemResult("failed", "nay", {})]


@pytest.mark.parametrize("data", [zip_of(("x.txt", A)), zip_of()], ids=["no match", "empty"])
def test_archive_without_a_matching_file_is_an_error(data: bytes) -> None:
    with pytest.raises(VendorAPIError, match=r"no file '\*\.csv'"):
        read(data)


@pytest.mark.parametrize("download", [ZIP, TAR], ids=["zip", "tar"])
@pytest.mark.parametrize(
    "data",
    [b"", b"<html>sign in</html>", b'{"error": "expired"}', zip_of(("a.csv", A * 99))[:-30]],
    ids=["empty", "page", "JSON", "cut off"],
)
def test_what_is_no_archive_may_have_expired(download: Download, data: bytes) -> None:
    with pytest.raises(FileUnavailableError, match=r"no complete (zip|tar\.gz) archive"):
        read(data, download)


def test_damaged_member_is_an_error_before_its_first_row() -> None:
    data = bytearray(zip_of(("a.csv", A * 1000), method=zipfile.ZIP_STORED))
    data[20_000] ^= 1
    results = []
    with pytest.raises(VendorAPIError, match="cannot be unpacked"):
        results.extend(ArchivedFiles(io.BytesIO(data), ZIP, MIB, print))
    assert not results


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_has_no_limit_is_refused(method: int) -> None:
    with pytest.raises(VendorAPIError, match="compression"):
        read(zip_of(("a.csv", A), method=method))


def test_encrypted_member_is_an_error() -> None:
    data = bytearray(zip_of(("a.csv", A)))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(VendorAPIError, match="cannot be unpacked"):
        read(bytes(data))


@pytest.mark.parametrize(
    ("data", "download"),
    [
        (zip_of(("a.csv", bytes(50 * MIB))), ZIP),
        (zip_of(*((f"{n}.csv", A + b"x@example.com,no\n" * 60_000) for n in range(3))), ZIP),
        (tar_of(("a.json", b"[" + b" " * 50 * MIB)), TAR),
    ],
    ids=["one zip member", "all zip members", "a tar member"],
)
def test_what_is_larger_unpacked_is_refused_at_flat_memory(data: bytes, download: Download) -> None:
    tracemalloc.start()
    with pytest.raises(UntrustedResponseError, match="larger than max_bytes"):
        deque(ArchivedFiles(io.BytesIO(data), download, 2 * MIB, print), maxlen=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB


def test_huge_header_is_not_read() -> None:
    data = tar_of(("1.json", b"[]"), format=tarfile.PAX_FORMAT, pax_headers={"comment": "x" * 5 * MIB})
    with pytest.raises(UntrustedResponseError, match="header of more than"):
        read(data, TAR)


def test_headers_of_many_members_are_read_at_flat_memory() -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for number in range(100):
            info = tarfile.TarInfo(f"{number}.txt")
            info.pax_headers = {"comment": "x" * 250_000}
            archive.addfile(info)
    tracemalloc.start()
    with pytest.raises(VendorAPIError, match="has no file"):
        read(data.getvalue(), TAR)
    peak = tracemalloc.get_traced_memory()[1] - len(data.getvalue())
    tracemalloc.stop()
    assert peak < 4 * MIB


@pytest.mark.parametrize("download", [ZIP, TAR])
def test_too_many_members_are_refused(download: Download, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 5)
    with pytest.raises(UntrustedResponseError, match="more than 5 members"):
        read((zip_of if download is ZIP else tar_of)(*((f"{n}.x", b"") for n in range(9))), download)


def test_tar_of_nested_headers_is_no_archive() -> None:
    with pytest.raises(FileUnavailableError):
        read(tar_header(b"x", 0) * 2000, TAR)


def test_tar_member_of_impossible_size_is_an_error() -> None:
    with pytest.raises(VendorAPIError, match="cannot be unpacked"):
        read(tar_of(("1.json", b"[]")).rstrip(b"\0") + bytes(510) + tar_header(b"0", 2**80), TAR)


def test_damaged_header_does_not_count_as_the_end() -> None:
    data = tar_of(("1.json", b"[]"), ("2.json", b"[]")).replace(b"2.json", b"3.json")
    with pytest.raises(VendorAPIError, match="damaged header"):
        read(data, TAR)


def test_zip_member_without_a_name_is_ignored() -> None:
    data = zip_of(("a.csv", A), ("QQ", b"")).replace(b"QQ", b"\0\0")
    assert emails(data) == ["a@example.com"]


def test_nothing_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows = iter(ArchivedFiles(io.BytesIO(zip_of(("a.csv", A), ("b.csv", B))), ZIP, MIB, print))
    next(rows)
    assert not list(tmp_path.iterdir())


# --- JSON lists


def json_items(text: str) -> list[Any]:
    return [result.item for result in read(tar_of(("1.json", text.encode())), TAR, 64 * MIB)]


@pytest.mark.parametrize("size", [1, 4000, 100_000])
def test_list_of_any_length_is_read(size: int) -> None:
    items = [{"n": n, "text": "ä" * (n % size), "list": [[]], "number": 1.5} for n in range(50)]
    assert json_items(json.dumps(items)) == items
    assert json_items(json.dumps(items, indent=4, ensure_ascii=False)) == items
    assert not json_items("[ ]\n")


@pytest.mark.parametrize("text", ['[{"a": 1}', '[{"a": 1},', '[{"a": 1} {"b": 2}]', '[{"a": 1', "[", '[{"a": }]'])
def test_incomplete_list_is_an_error(text: str) -> None:
    with pytest.raises(VendorAPIError, match="not a complete list"):
        json_items(text)


def test_element_that_is_no_object_is_an_error() -> None:
    with pytest.raises(VendorAPIError, match="JSON objects"):
        json_items("[[1]]")


def test_element_that_is_too_long_is_an_error() -> None:
    with pytest.raises(VendorAPIError, match="longer than"):
        json_items(json.dumps([{"a": "x" * 5 * MIB}]))


def test_object_instead_of_a_list_may_have_expired() -> None:
    with pytest.raises(FileUnavailableError, match="no list of items"):
        json_items('{"error": "expired"}')
