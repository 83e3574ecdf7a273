# SPDX-License-Identifier: Apache-2.0
"""Per-item results of every vendor."""

import gzip
import os
from collections.abc import Callable
from typing import Any

import pytest
from vendors.fixture_loader import (
    CREDENTIALS,
    LEAK,
    PATHS,
    PRIVATE,
    REFUSALS,
    RESULTS,
    Answer,
)
from vendors.scripted import LOGIN, SECRET, Script, make_account
from vendors.submit_cases import HERE, JOB, KINDS, QUICK, answer, each_kind_with_results, make_hook, sent
from vendors.test_contract import CASES as STATUS_CASES
from vendors.test_contract import Case as StatusCase

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BulkJobError,
    JobNotFinishedError,
    JobNotFoundError,
    UnknownStateError,
    UntrustedResponseError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.results.item_results import iter_item_results
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor


def exported(status: str, *urls: str) -> Answer:
    return answer({"id": JOB, "status": status, "urls": [f"{HERE}{url}" for url in urls]}, 200)


ERRORS_CSV = b'email,error\n"ada@example.com","bad\nrow"\n\nbob@example.com,\n'


FAILED = {"code": 400, "message": "email: A valid email is required.", "details": {}, "type": None}


DETAILS = [{"id": 1, "statusCode": 201}, {"id": 2, "statusCode": 200}, {"id": 3, "statusCode": 400, "errors": FAILED}]


OVER = answer({"status": "completed"}, 200)


KIND_OF = {(vendor.conn_type, kind.name): (vendor, kind) for vendor, kind in KINDS}


FETCHES = [(key, name) for key, fetches in RESULTS.items() for name in fetches]


EVERY_BYTE = 10**9


def fetch(script: Script, key: tuple[str, str], prefix: str = "", max_bytes: int = EVERY_BYTE) -> list[ItemResult]:
    vendor, kind = KIND_OF[key]
    hook = make_hook(vendor, make_account(vendor, script.url(prefix)))
    try:
        return list(iter_item_results(hook, kind, JOB, max_bytes, QUICK))
    finally:
        hook.transport.close()


def test_kinds_with_results_have_fixtures() -> None:
    wanted = {key for key, (_, kind) in KIND_OF.items() if kind.results is not None}
    missing = ["/".join((*key, "results")) for key in wanted - RESULTS.keys()]
    assert not missing, f"no fixture in {', '.join(sorted(missing))}"
    assert wanted == RESULTS.keys(), "results of a kind that has none"


@pytest.mark.parametrize("prefix", ["", "/prefix"], ids=["root", "prefix"])
@pytest.mark.parametrize(("key", "name"), FETCHES, ids=[f"{'-'.join(key)}-{name}" for key, name in FETCHES])
def test_item_results(script: Script, key: tuple[str, str], name: str, prefix: str) -> None:
    expected = RESULTS[key][name]
    script.play(expected.answers)
    assert fetch(script, key, prefix) == expected.outcomes
    assert not script.answers
    own = [f"{prefix}{path}" for path in (PATHS[key].format(JOB), *expected.asked)]
    assert sent(script) == [("GET", path) for path in (*own, *expected.files)]
    header, value = CREDENTIALS[key[0]]
    for seen in script.seen[: len(own)]:
        assert seen.headers[header] == value
    for seen in script.seen[len(own) :]:
        assert SECRET not in str(seen)
        assert header not in seen.headers


def test_export_is_requested_as_octet_stream(script: Script) -> None:
    key = ("intercom", "export")
    script.play(RESULTS[key]["a_file"].answers)
    fetch(script, key)
    assert script.seen[1].headers["accept"] == "application/octet-stream"
    assert script.seen[1].headers["intercom-version"] == "2.15"


def each_status_case(test: Callable[[StatusCase], bool]) -> Any:
    """Parametrize over the status fixtures of job kinds that have results."""
    cases = [case for case in STATUS_CASES if case.kind.results is not None and not case.conn and test(case)]
    return pytest.mark.parametrize(
        "case", cases, ids=[f"{case.vendor.conn_type}-{case.kind.name}-{case.name}" for case in cases]
    )


@each_status_case(lambda case: case.state is not None and not case.state.is_finished)
def test_unfinished_job_has_no_results(script: Script, case: StatusCase) -> None:
    script.play(case.answers)
    with pytest.raises(JobNotFinishedError, match="BulkJobSensor"):
        fetch(script, (case.vendor.conn_type, case.kind.name))
    assert len(script.seen) == 1


@each_status_case(lambda case: case.content.get("error") == "UnknownStateError")
def test_unknown_state_has_no_results(script: Script, case: StatusCase) -> None:
    script.play(case.answers)
    with pytest.raises(UnknownStateError):
        fetch(script, (case.vendor.conn_type, case.kind.name))


@pytest.mark.parametrize("body", [{}, [], "<html>"], ids=["an empty object", "a list", "no JSON"])
@each_kind_with_results
def test_malformed_body_has_no_results(script: Script, vendor: Vendor, kind: JobKind, body: Any) -> None:
    script.play([answer(body, 200)])
    with pytest.raises(VendorUnavailableError):
        fetch(script, (vendor.conn_type, kind.name))


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationError), (404, JobNotFoundError), (400, VendorAPIError)]
)
@each_kind_with_results
def test_rejected_results_request_is_redacted(
    script: Script, vendor: Vendor, kind: JobKind, status: int, error: type[BulkJobError]
) -> None:
    script.play([answer(REFUSALS[vendor.conn_type], status)])
    with pytest.raises(error, match="bad row for") as caught:
        fetch(script, (vendor.conn_type, kind.name))
    assert not any(word in str(caught.value) for word in PRIVATE)


ACQUIA = ("acquia_campaign_studio", "contacts")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example.com/api/contacts/job/j-1?details=1&page=2",
        "//elsewhere.example.com/api/contacts/job/j-1?details=1&page=2",
        f"https://{LOGIN}:x@127.0.0.1/api/contacts/job/j-1",
    ],
)
def test_next_page_on_other_host_is_rejected(script: Script, elsewhere: str) -> None:
    details = {"contacts": DETAILS, "next-page": elsewhere}
    script.play([OVER, answer({"status": "completed", "details": details}, 200)])
    with pytest.raises(UntrustedResponseError) as caught:
        fetch(script, ACQUIA)
    assert len(script.seen) == 2
    assert "elsewhere.example.com" not in str(caught.value)


@pytest.mark.parametrize("details", [None, "nonsense", {}, {"contacts": "nonsense"}, {"contacts": {"1": DETAILS[2]}}])
def test_missing_details_are_not_treated_as_no_failures(script: Script, details: Any) -> None:
    script.play([OVER, answer({"status": "completed", "details": details}, 200)])
    with pytest.raises(VendorUnavailableError):
        fetch(script, ACQUIA)


@pytest.mark.parametrize("status", [403, 404, 410, 302])
@pytest.mark.parametrize(
    ("key", "name"), [(("sendgrid", "contacts"), "a_file"), (("sendgrid", "export"), "files")], ids=["errors", "export"]
)
def test_rejected_download_is_an_error(script: Script, key: tuple[str, str], name: str, status: int) -> None:
    refused = answer(LEAK, status, Location="https://elsewhere.example.com")
    script.play([RESULTS[key][name].answers[0], refused] * 3)
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
    script.play([RESULTS["sendgrid", "contacts"]["a_file"].answers[0], answer(file, 200)])
    with pytest.raises(UntrustedResponseError, match="max_bytes"):
        fetch(script, ("sendgrid", "contacts"), max_bytes=len(ERRORS_CSV) * 99 - 1)


@pytest.mark.parametrize("file", [ERRORS_CSV * 99, gzip.compress(ERRORS_CSV * 99)], ids=["plain", "gzipped"])
def test_file_at_size_limit_is_read(script: Script, file: bytes) -> None:
    script.play([RESULTS["sendgrid", "contacts"]["a_file"].answers[0], answer(file, 200)])
    assert len(fetch(script, ("sendgrid", "contacts"), max_bytes=len(ERRORS_CSV) * 99)) == 99 * 3 - 1


BROKEN = {
    "cut off": {"status": 200, "body": ERRORS_CSV, "breaks": "half a body"},
    "half a gzip": answer(gzip.compress(os.urandom(9999))[:999], 200),
    "a broken gzip": answer(gzip.compress(ERRORS_CSV)[:10] + b"\xff" * 99, 200),
}


@pytest.mark.parametrize("how", BROKEN)
def test_truncated_file_is_an_error(script: Script, how: str) -> None:
    script.play([RESULTS["sendgrid", "contacts"]["a_file"].answers[0], BROKEN[how]])
    with pytest.raises(BulkJobError, match=r"127\.0\.0\.1"):
        fetch(script, ("sendgrid", "contacts"))


@pytest.mark.parametrize("line", ["[1]", "7", "{", "null"])
def test_file_of_non_objects_is_an_error(script: Script, line: str) -> None:
    script.play([exported("ready", "/part-0.json?sig=a"), answer(f'{{"id": "1"}}\n{line}\n', 200)])
    with pytest.raises(VendorAPIError, match="JSON objects"):
        fetch(script, ("sendgrid", "export"))
