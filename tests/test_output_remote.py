# SPDX-License-Identifier: Apache-2.0
"""Files on other file systems: complete under their name or not there, also where fsspec writes in place."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from fsspec.implementations import memory as fsspec_memory
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_bulkjobs.exceptions import OutputWriteError
from airflow_provider_bulkjobs.results.writers import RowsFile

try:
    from airflow.sdk.io import attach
except ImportError:
    from airflow.io.store import attach

PATH = "/bucket/some/a.jsonl"
NEW = b'{"a": 1}\n'


class InPlace(MemoryFileSystem):
    """Renames as most file systems do: at once, and onto a file that is there."""

    cachable = False
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    renamed: ClassVar[list[str]] = []

    def mv(self, path1: str, path2: str, **_: Any) -> None:
        self.renamed.append(path2)
        old, new = self._strip_protocol(path1), self._strip_protocol(path2)
        self.store[new] = self.store.pop(old)


class KeepsExisting(InPlace):
    """As SMB and HDFS: an error where a file would be replaced."""

    def mv(self, path1: str, path2: str, **_: Any) -> None:
        if self.exists(path2):
            raise FileExistsError(path2)
        super().mv(path1, path2)


class KeepsExistingSilently(InPlace):
    """As WebHDFS: nothing happens where a file would be replaced."""

    def mv(self, path1: str, path2: str, **_: Any) -> None:
        if not self.exists(path2):
            super().mv(path1, path2)


class NeverRenames(InPlace):
    def mv(self, path1: str, path2: str, **_: Any) -> None:
        raise PermissionError("someone@example.com may not rename https://host/a?sig=secret")


class DeletesOnlyTrees(InPlace):
    """As file systems of fsspec that implement ``rm`` and no other method to delete."""

    def rm_file(self, path: str) -> None:
        raise NotImplementedError

    def rm(self, path: str, **_: Any) -> None:
        del self.store[self._strip_protocol(path)]


class DeletesNothing(NeverRenames):
    def rm_file(self, path: str) -> None:
        raise ConnectionError("lost https://host/a?sig=secret of someone@example.com")


class NeverRenamesSilently(InPlace):
    def mv(self, path1: str, path2: str, **_: Any) -> None:
        pass


class ObjectStore(InPlace):
    protocol = ("s3", "s3a")


class RefusedError(Exception):
    """What a client library of an object store raises: no OSError."""


class RefusingStore(ObjectStore):
    error: Exception = RefusedError("AccessDenied for someone@example.com at https://host/a?sig=secret")

    def put_file(self, *_: Any, **__: Any) -> None:
        raise self.error


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[InPlace]], InPlace]]:
    def attached(kind: type[InPlace]) -> InPlace:
        fs = kind()
        monkeypatch.setattr(attach("memory", fs=MemoryFileSystem()), "fs", fs)
        return fs

    yield attached
    InPlace.store.clear()
    InPlace.renamed.clear()
    InPlace.pseudo_dirs[:] = [""]


def write() -> None:
    with RowsFile(f"memory:/{PATH}") as file:
        file.write({"a": 1})


def content(fs: InPlace) -> dict[str, bytes]:
    return {name: fs.cat(name) for name in fs.find("")}


@pytest.mark.parametrize("existing", [False, True], ids=["new", "replaced"])
@pytest.mark.parametrize("kind", [InPlace, KeepsExisting, KeepsExistingSilently, ObjectStore, MemoryFileSystem])
def test_the_file_and_nothing_else_is_there(use: Any, kind: Any, existing: bool) -> None:
    fs = use(kind)
    fs.store.clear()
    if existing:
        fs.pipe(PATH, b"old")
    write()
    assert content(fs) == {PATH: NEW}
    fs.store.clear()


@pytest.mark.parametrize("kind", [InPlace, KeepsExisting, KeepsExistingSilently])
def test_half_a_file_is_never_under_its_name(use: Any, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fs = use(kind)
    fs.pipe(PATH, b"old")
    seen: list[bytes] = []
    really_write = fsspec_memory.MemoryFile.write

    def watch(self: Any, data: bytes) -> int:
        written: int = really_write(self, data)
        seen.append(fs.cat(PATH))
        return written

    monkeypatch.setattr(fsspec_memory.MemoryFile, "write", watch)
    write()
    assert seen
    assert set(seen) == {b"old"}


def test_hidden_file_is_beside_the_target_and_recognisable(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fs, put = use(InPlace), []
    really_put = fs.put_file
    monkeypatch.setattr(fs, "put_file", lambda source, path: (put.append(path), really_put(source, path)))
    write()
    [hidden] = put
    assert hidden.startswith("/bucket/some/.bulkjobs-")
    assert hidden.endswith(".tmp")


def test_object_store_gets_the_file_without_renaming(use: Any) -> None:
    fs = use(ObjectStore)
    write()
    assert fs.renamed == []


@pytest.mark.parametrize("existing", [False, True], ids=["new", "replaced"])
@pytest.mark.parametrize("kind", [NeverRenames, NeverRenamesSilently])
def test_failed_rename_leaves_what_was_there(use: Any, kind: Any, existing: bool) -> None:
    fs = use(kind)
    if existing:
        fs.pipe(PATH, b"old")
    with pytest.raises(OutputWriteError, match="cannot be written"):
        write()
    assert content(fs) == ({PATH: b"old"} if existing else {})


@pytest.mark.parametrize("kind", [InPlace, DeletesOnlyTrees])
def test_broken_transfer_leaves_nothing(use: Any, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any, data: bytes) -> int:
        raise OSError("the connection was reset")

    fs = use(kind)
    monkeypatch.setattr(fsspec_memory.MemoryFile, "write", fail)
    with pytest.raises(OutputWriteError, match="cannot be written: OSError: the connection was reset"):
        write()
    assert content(fs) == {}


def test_file_that_cannot_be_deleted_is_named(use: Any, caplog: pytest.LogCaptureFixture) -> None:
    fs = use(DeletesNothing)
    with pytest.raises(OutputWriteError, match="cannot be written: PermissionError"):
        write()
    [hidden] = content(fs)
    assert f"{hidden} could not be deleted (ConnectionError)" in caplog.text
    assert "@" not in caplog.text


def test_folder_is_not_replaced(use: Any) -> None:
    fs = use(InPlace)
    fs.pipe(f"{PATH}/b", b"in a folder")
    with pytest.raises(OutputWriteError, match="cannot be written: Is a directory"):
        write()
    assert content(fs) == {f"{PATH}/b": b"in a folder"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RefusingStore.error, "RefusedError: AccessDenied for <e-mail address> at https://host/a"),
        (FileNotFoundError("The specified bucket does not exist"), "FileNotFoundError: The specified bucket"),
        (PermissionError(13, "Permission denied", "secret"), "Permission denied"),
        (OSError(), "OSError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_refusal_is_an_error_in_words_with_nothing_private(
    use: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    use(RefusingStore)
    monkeypatch.setattr(RefusingStore, "error", error)
    with pytest.raises(OutputWriteError) as caught:
        write()
    assert f"a.jsonl' cannot be written: {reason}" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True), "a traceback would show it"
