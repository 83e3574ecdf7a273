# SPDX-License-Identifier: Apache-2.0
"""Files that a vendor downloads itself: which URL it gets, and what is uploaded before."""

import io
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_bulkjobs.exceptions import BadArgumentError, BulkJobError
from airflow_provider_bulkjobs.submitting.staged_files import require_folder, with_file_url
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Payload

try:
    from airflow.sdk.io import attach
except ImportError:
    from airflow.io.store import attach

ROWS = b"email\r\nada@example.com\r\n"
PAYLOAD = Payload(lambda: io.BytesIO(ROWS), size=len(ROWS), items=1, columns=("email",))
OPERATION = Operation("import", lambda _: iter(()), 10, replaces_records="url", upload_folder="folder")  # type: ignore[arg-type,return-value]
SECRET = "s3cret"


class Bucket(MemoryFileSystem):
    """An object storage that signs URLs."""

    cachable = False
    fails: Exception | None = None

    def sign(self, path: str, expiration: int = 100, **_: Any) -> str:
        if self.fails:
            raise self.fails
        return f"https://bucket.example.com{path}?expires={expiration}&signature=abc"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Any:
    bucket = Bucket()
    bucket.store.clear()
    monkeypatch.setattr(attach("memory", fs=MemoryFileSystem()), "fs", bucket)
    yield bucket
    bucket.store.clear()


def url_of(options: dict[str, Any]) -> Any:
    sent = with_file_url(OPERATION, options, PAYLOAD, "a.csv")
    assert sent.keys() == {"url", "name"}
    return sent["url"]


def test_records_are_uploaded_and_signed_for_two_hours(bucket: Any) -> None:
    url = url_of({"folder": "memory://people/folder", "name": "crm"})
    assert url == "https://bucket.example.com/people/folder/a.csv?expires=7200&signature=abc"
    assert bucket.cat("/people/folder/a.csv") == ROWS


def test_retry_replaces_the_file(bucket: Any) -> None:
    for _ in range(2):
        url_of({"folder": "memory://people", "name": "crm"})
    assert list(bucket.store) == ["/people/a.csv"]
    assert bucket.cat("/people/a.csv") == ROWS


def test_file_in_object_storage_is_signed(bucket: Any) -> None:
    url = url_of({"url": "memory://people/b.csv", "name": "crm"})
    assert url == "https://bucket.example.com/people/b.csv?expires=7200&signature=abc"
    assert not bucket.store


@pytest.mark.parametrize("url", ["https://example.com/a.csv?sig=x", "HTTPS://example.com/a.csv"])
def test_url_is_sent_as_it_is(bucket: Any, url: str) -> None:
    assert url_of({"url": url, "name": "crm"}) == url
    assert not bucket.store


def test_nothing_is_uploaded_to_a_storage_that_cannot_sign(bucket: Any) -> None:
    bucket.fails = NotImplementedError("Sign is not implemented for this filesystem")
    with pytest.raises(BadArgumentError, match=r"'folder'.*no signed URLs. Use S3, GCS or Azure"):
        url_of({"folder": "memory://people", "name": "crm"})
    assert not bucket.store


def test_local_file_has_no_url(tmp_path: Any) -> None:
    (tmp_path / "a.csv").write_bytes(ROWS)
    with pytest.raises(BadArgumentError, match=r"'url'.*no signed URLs"):
        url_of({"url": str(tmp_path / "a.csv"), "name": "crm"})


def test_errors_of_the_storage_show_no_credentials(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    error = PermissionError(f"AccessDenied: key {SECRET}")
    bucket.fails = error
    with pytest.raises(BulkJobError, match=r"no URL could be signed.*PermissionError") as of_sign:
        url_of({"folder": "memory://people", "name": "crm"})
    bucket.fails = None

    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(bucket, "open", refuse)
    with pytest.raises(BulkJobError, match=r"could not be uploaded to 'memory:/{2,3}people/a.csv'") as of_open:
        url_of({"folder": "memory://people", "name": "crm"})
    for caught in (of_sign, of_open):
        assert SECRET not in str(caught.getrepr(style="short").reprcrash)
        assert caught.value.__suppress_context__


@pytest.mark.parametrize("options", [{"folder": "memory://people"}, {"url": "https://example.com/a.csv"}])
def test_folder_or_url_is_enough(options: Any) -> None:
    require_folder(OPERATION, options)


def test_records_need_a_folder() -> None:
    with pytest.raises(BadArgumentError, match=r"option 'folder' is missing.*set 'url' instead of records"):
        require_folder(OPERATION, {"name": "crm"})
