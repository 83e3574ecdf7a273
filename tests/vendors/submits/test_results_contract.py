# SPDX-License-Identifier: Apache-2.0
"""The written fixtures of results, and the files that a vendor offers for download, over a real connection."""

import gzip
import os

import pytest
from vendors.fixture_loader import LEAK, PRIVATE, SAMPLE_OF, SAMPLES, Answer, Sample, read_fetch
from vendors.scripted import HERE, SECRET, Script, make_account
from vendors.submit_cases import JOB, QUICK, answer, each_kind, make_hook, sent

from airflow_provider_bulkjobs.exceptions import BulkJobError, UntrustedResponseError, VendorAPIError
from airflow_provider_bulkjobs.results.item_results import iter_item_results
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult


def exported(status: str, *urls: str) -> Answer:
    return answer({"id": JOB, "status": status, "urls": [f"{HERE}{url}" for url in urls]}, 200)


ERRORS_CSV = b'email,error\n"ada@example.com","bad\nrow"\n\nbob@example.com,\n'


FETCHES = {sample.key: {name: read_fetch(content) for name, content in sample.results.items()} for sample in SAMPLES}


EVERY_BYTE = 10**9


def fetch(script: Script, key: tuple[str, str], prefix: str = "", max_bytes: int = EVERY_BYTE) -> list[ItemResult]:
    sample = SAMPLE_OF[key]
    vendor, kind = sample.vendor, sample.kind
    hook = make_hook(vendor, make_account(vendor, script.url(prefix), **sample.of.conn))
    try:
        return list(iter_item_results(hook, kind, sample.job_id, max_bytes, QUICK))
    finally:
        hook.transport.close()


@each_kind
def test_item_results(script: Script, sample: Sample) -> None:
    for name, expected in FETCHES[sample.key].items():
        script.play([*sample.of.token, *expected.answers, *expected.status_answers])
        assert fetch(script, sample.key, "/prefix") == expected.outcomes, name
        assert not script.answers, name
        script.seen = script.seen[len(sample.of.token) :]
        own = [f"/prefix{path}" for path in (sample.path_with(sample.vendor_id), *expected.asked)]
        paths = (*own[1:], *expected.files)
        if expected.status_answers:
            del script.seen[-len(expected.status_answers) :]
        assert sent(script) == [(sample.method, own[0]), *(("GET", path) for path in paths)], name
        header, value = sample.of.credential
        for seen in script.seen[: len(own)]:
            assert seen.headers[header] == value
        for seen in script.seen[len(own) :]:
            assert SECRET not in str(seen)
            assert header not in seen.headers


def test_export_is_requested_as_octet_stream(script: Script) -> None:
    key = ("intercom", "export")
    script.play(FETCHES[key]["a_file"].answers)
    fetch(script, key)
    assert script.seen[1].headers["accept"] == "application/octet-stream"
    assert script.seen[1].headers["intercom-version"] == "2.15"


@pytest.mark.parametrize("status", [403, 404, 410, 302])
@pytest.mark.parametrize(
    ("key", "name"), [(("sendgrid", "contacts"), "a_file"), (("sendgrid", "export"), "files")], ids=["errors", "export"]
)
def test_rejected_download_is_an_error(script: Script, key: tuple[str, str], name: str, status: int) -> None:
    refused = answer(LEAK, status, Location="https://elsewhere.example.com")
    script.play([FETCHES[key][name].answers[0], refused] * 3)
    with pytest.raises(VendorAPIError, match=str(status)) as caught:
        fetch(script, key)
    assert not any(word in str(caught.value) for word in (*PRIVATE, "sig="))


@pytest.mark.parametrize("url", ["ftp://example.com/x", "nonsense", "//example.com/x", "https://"])
@pytest.mark.parametrize("key", [("sendgrid", "contacts"), ("sendgrid", "export")], ids="-".join)
def test_invalid_download_url_is_an_error(script: Script, key: tuple[str, str], url: str) -> None:
    body = {"status": "errored" if key[1] == "contacts" else "ready", "results": {"errors_url": url}, "urls": [url]}
    script.play([answer(body, 200)])
    with pytest.raises(UntrustedResponseError):
        fetch(script, key)


@pytest.mark.parametrize("file", [ERRORS_CSV * 99, gzip.compress(ERRORS_CSV * 99)], ids=["plain", "gzipped"])
def test_too_large_file_is_not_read(script: Script, file: bytes) -> None:
    script.play([FETCHES["sendgrid", "contacts"]["a_file"].answers[0], answer(file, 200)])
    with pytest.raises(UntrustedResponseError, match="max_bytes"):
        fetch(script, ("sendgrid", "contacts"), max_bytes=len(ERRORS_CSV) * 99 - 1)


@pytest.mark.parametrize("file", [ERRORS_CSV * 99, gzip.compress(ERRORS_CSV * 99)], ids=["plain", "gzipped"])
def test_file_at_size_limit_is_read(script: Script, file: bytes) -> None:
    script.play([FETCHES["sendgrid", "contacts"]["a_file"].answers[0], answer(file, 200)])
    assert len(fetch(script, ("sendgrid", "contacts"), max_bytes=len(ERRORS_CSV) * 99)) == 99 * 3 - 1


BROKEN = {
    "cut off": {"status": 200, "body": ERRORS_CSV, "breaks": "half a body"},
    "half a gzip": answer(gzip.compress(os.urandom(9999))[:999], 200),
    "a broken gzip": answer(gzip.compress(ERRORS_CSV)[:10] + b"\xff" * 99, 200),
}


@pytest.mark.parametrize("how", BROKEN)
def test_truncated_file_is_an_error(script: Script, how: str) -> None:
    script.play([FETCHES["sendgrid", "contacts"]["a_file"].answers[0], BROKEN[how]])
    with pytest.raises(BulkJobError, match=r"127\.0\.0\.1"):
        fetch(script, ("sendgrid", "contacts"))


@pytest.mark.parametrize("line", ["[1]", "7", "{", "null"])
def test_file_of_non_objects_is_an_error(script: Script, line: str) -> None:
    script.play([exported("ready", "/part-0.json?sig=a"), answer(f'{{"id": "1"}}\n{line}\n', 200)])
    with pytest.raises(VendorAPIError, match="JSON objects"):
        fetch(script, ("sendgrid", "export"))
