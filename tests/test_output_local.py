# SPDX-License-Identifier: Apache-2.0
"""Local files with data of people: who can read them, what they replace, and what a killed process leaves."""

import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_bulkjobs.exceptions import BadArgumentError, OutputWriteError
from airflow_provider_bulkjobs.results import publishing
from airflow_provider_bulkjobs.results.writers import RowsFile
from airflow_provider_bulkjobs.submitting.records import read_records

try:
    from airflow.sdk.io import attach
except ImportError:
    from airflow.io.store import attach

ROW = b'{"a": 1}\n'


@pytest.fixture(autouse=True)
def usual_umask() -> Any:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(params=["anonymous", "named"])
def beside(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write the file beside its target on a file system that has anonymous files, and on one that has not."""
    really_open = os.open

    def open_named(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "no anonymous files")
        return really_open(path, flags, *rest, **options)

    if request.param == "named":
        monkeypatch.setattr(os, "open", open_named)
    return request.param


def write(path: Any, rows: int = 1) -> None:
    with RowsFile(path) as file:
        for _ in range(rows):
            file.write({"a": 1})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_new_file_is_readable_by_its_owner_only(tmp_path: Path, beside: str) -> None:
    write(tmp_path / "a.jsonl")
    assert mode(tmp_path / "a.jsonl") == 0o600
    assert names(tmp_path) == ["a.jsonl"]


@pytest.mark.parametrize("before", [0o600, 0o640, 0o644, 0o400, 0o660])
def test_replaced_file_keeps_its_mode(tmp_path: Path, beside: str, before: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old")
    path.chmod(before)
    write(path)
    assert (mode(path), path.read_bytes()) == (before, ROW)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_replaced_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old")
    os.chown(path, 4321, 1234)
    path.chmod(0o640)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (4321, 1234, 0o640)


def test_another_group_gets_no_rights_where_the_group_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    path = tmp_path / "a.jsonl"
    path.write_text("old")
    path.chmod(0o664)
    monkeypatch.setattr(os, "fchown", refuse)
    write(path)
    assert mode(path) == 0o604


def test_file_is_private_while_it_is_written(tmp_path: Path, beside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    copy = publishing.shutil.copyfileobj

    def watch(source: Any, target: Any) -> None:
        copy(source, target)
        target.flush()
        seen.append((stat.S_IMODE(os.fstat(target.fileno()).st_mode), len(names(tmp_path))))

    monkeypatch.setattr(publishing.shutil, "copyfileobj", watch)
    write(tmp_path / "a.jsonl")
    assert seen == [(0o600, 0 if beside == "anonymous" else 1)]


def test_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    target, link = tmp_path / "there" / "a.jsonl", tmp_path / "link"
    target.parent.mkdir()
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to("there/a.jsonl")
    write(link)
    assert link.is_symlink()
    assert (target.read_bytes(), mode(target)) == (ROW, 0o640)
    assert names(tmp_path / "there") == ["a.jsonl"]


def test_dangling_link_gets_its_target(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "new" / "a.jsonl")
    write(link)
    assert link.is_symlink()
    assert (tmp_path / "new" / "a.jsonl").read_bytes() == ROW


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.mkdir(), "Is a directory"),
        (os.mkfifo, "a pipe"),
        (lambda path: path.symlink_to("/dev/null"), "a device"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: path.parent.joinpath("b").mkdir() or path.symlink_to("b"), "Is a directory"),
    ],
    ids=["directory", "pipe", "device", "loop", "link to a directory"],
)
def test_what_no_file_can_replace_is_refused_before_the_block(tmp_path: Path, make: Any, reason: str) -> None:
    path = tmp_path / "a.jsonl"
    make(path)
    before = path.lstat()
    with pytest.raises(OutputWriteError, match=rf"path='{path}' cannot be written: .*{reason}"):
        RowsFile(path).__enter__()
    assert path.lstat() == before


def test_file_in_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("no folder")
    with pytest.raises(OutputWriteError, match="cannot be written: Not a directory"):
        write(tmp_path / "a" / "b.jsonl")


@pytest.mark.parametrize("step", ["fsync", "replace", "link"])
def test_failed_publish_leaves_nothing_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.jsonl"
    path.write_text("old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OutputWriteError, match=rf"path='{path}' cannot be written: No space left on device"):
        write(path)
    assert (names(tmp_path), path.read_text()) == (["a.jsonl"], "old")


@pytest.mark.parametrize("rows", [1, 10_000], ids=["at the end", "on the way"])
def test_full_temporary_folder_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb", 0))  # noqa: PTH123, SIM115
    with pytest.raises(OutputWriteError, match=r"a\.jsonl' .* in /full: No space left on device\. Set TMPDIR"):
        write(tmp_path / "a.jsonl", rows)
    assert names(tmp_path) == []


def test_missing_temporary_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(OutputWriteError, match=r"gone: No such file or directory\. Set TMPDIR"):
        write(tmp_path / "a.jsonl")


def test_local_files_of_any_protocol_are_private(tmp_path: Path) -> None:
    attach("sftp", fs=LocalFileSystem())
    write(ObjectStoragePath(f"sftp://{tmp_path}/a.jsonl"))
    assert mode(tmp_path / "a.jsonl") == 0o600
    assert names(tmp_path) == ["a.jsonl"]


def test_stale_files_are_removed_and_others_stay(tmp_path: Path) -> None:
    for name, age in {".bulkjobs-1.tmp": 2, ".bulkjobs-2.tmp": 0, ".other-3.tmp": 2}.items():
        (tmp_path / name).write_text("people")
        then = time.time() - age * 24 * 3600
        os.utime(tmp_path / name, (then, then))
    write(tmp_path / "a.jsonl")
    assert names(tmp_path) == [".bulkjobs-2.tmp", ".other-3.tmp", "a.jsonl"]


def test_killed_process_leaves_nothing(tmp_path: Path) -> None:
    program = f"""
from airflow_provider_bulkjobs.results.writers import RowsFile
with RowsFile({str(tmp_path / "out" / "a.jsonl")!r}) as file:
    for _ in range(10_000):
        file.write({{"email": "someone@example.com"}})
    print("half", flush=True)
    input()
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        while (line := process.stdout.readline()).strip() != b"half":
            assert line, "it ended before it was killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert names(tmp_path) == []


def test_path_with_a_tilde_is_written_where_records_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)  # some versions of Airflow take ~ for the name of a folder
    with RowsFile("~/rows.jsonl", for_submit=True) as file:
        file.write({"email": "a"})
    assert [row.record for row in read_records("~/rows.jsonl")] == [{"email": "a"}]


def test_folder_needs_the_name_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadArgumentError, match=r"is a folder\. Add the name of the file"):
        RowsFile(f"{tmp_path}/failed/")
