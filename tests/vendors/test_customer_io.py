# SPDX-License-Identifier: Apache-2.0
"""Customer.io only: what the connection test tells apart, its two reports, and what an import of records requires."""

from contextlib import suppress
from typing import Any

import pytest
from vendors.fixture_loader import SAMPLE_OF
from vendors.generated import ok
from vendors.in_memory import play
from vendors.scripted import make_account
from vendors.submit_cases import CASE_OF
from vendors.vendor_rules import check

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadArgumentError,
    BulkJobError,
    PermissionDeniedError,
)
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.submitting.options import read_options
from airflow_provider_bulkjobs.vendors.spec.item_result import Download

SAMPLE = SAMPLE_OF["customer_io", "import"]
PEOPLE = CASE_OF["customer_io", "import", "import_people"].operation
WORKSPACES = ok({"workspaces": [{"id": 13, "name": "Acme", "people": 5000}]})
NOT_FOUND = {"status": 404, "body": {"errors": [{"detail": "not found", "status": "404"}]}}
FORBIDDEN = {"status": 403, "body": {"meta": {"error": "forbidden"}}}
IMPORT = {"id": 30, "state": "imported", "rows_to_import": 3, "rows_imported": 2}


@pytest.mark.parametrize(("region", "host"), [("us", "https://api.customer.io"), ("eu", "https://api-eu.customer.io")])
def test_host_is_that_of_the_region(region: str, host: str) -> None:
    assert SAMPLE.vendor.base_url(make_account(SAMPLE.vendor, "", region=region)) == host


@pytest.mark.parametrize(
    "body", [{"errors": [{"detail": "unauthorized", "status": "401"}]}, {"meta": {"error": "Unauthorized request"}}]
)
@pytest.mark.parametrize("region", ["us", "eu"])
def test_unknown_key_may_be_of_another_region(body: Any, region: str) -> None:
    transport, account = play(SAMPLE.of, {"status": 401, "body": body}, host="", region=region)
    outcome = transport.outcome(lambda: SAMPLE.vendor.check(account))
    assert type(outcome) is AuthenticationError
    assert "nauthorized" in outcome.message
    assert "App API key" in outcome.hint
    assert f"sent to region '{region}'" in outcome.hint


@pytest.mark.parametrize("answers", [(FORBIDDEN,), (WORKSPACES, FORBIDDEN)], ids=["workspaces", "imports"])
def test_connection_test_finds_a_missing_scope(answers: Any) -> None:
    outcome, transport = check(SAMPLE.of, *answers)
    assert type(outcome) is PermissionDeniedError
    assert len(transport.sent) == len(answers)


@pytest.mark.parametrize("answer", [NOT_FOUND, ok({}), {"status": 200, "body": ""}, {"status": 400, "body": {}}])
def test_any_other_response_to_an_unknown_import_passes(answer: Any) -> None:
    outcome, _ = check(SAMPLE.of, WORKSPACES, answer)
    assert outcome == "Connected to Customer.io as workspace 'Acme' (id 13)."


@pytest.mark.parametrize("job_id", ["import-30", "3.0", "-1", "\u0663"])
def test_id_that_is_no_number_is_refused_at_once(job_id: str) -> None:
    transport, account = play(SAMPLE.of)
    for flow in (SAMPLE.kind.status, SAMPLE.kind.results):
        outcome = transport.outcome(lambda flow=flow: flow(account, job_id))  # type: ignore[misc]
        assert isinstance(outcome, BadArgumentError)
        assert "is no job id of Customer.io, which is a number" in str(outcome)
    assert not transport.sent


def results(found: Any, *answers: Any) -> list[Any]:
    """Return the requests after the status, the downloads and the items, in their order, and the error at the end."""
    transport, account = play(SAMPLE.of, ok({"import": found}), *answers)
    seen: list[Any] = []

    def flow() -> Any:
        steps = SAMPLE.kind.results(account, "30")  # type: ignore[misc]
        step = next(steps)
        with suppress(StopIteration):
            while True:
                is_request = isinstance(step, Request)
                seen.append(step.path if isinstance(step, Request) else step)
                try:
                    response = (yield step) if is_request else None
                except BulkJobError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)

    outcome = transport.outcome(flow)
    return seen[1:] + ([] if outcome is None else [type(outcome).__name__])


def test_each_report_is_downloaded_before_the_next_link_is_requested() -> None:
    reports = {"error_export_id": 2, "warning_export_id": 1}
    links = [ok({"url": f"https://exports.example.com/{number}.csv?Signature=abc"}) for number in (2, 1)]
    assert results({**IMPORT, **reports}, *links) == [
        "/v1/exports/2/download",
        Download("https://exports.example.com/2.csv?Signature=abc", "failed"),
        "/v1/exports/1/download",
        Download("https://exports.example.com/1.csv?Signature=abc", "warning"),
    ]


@pytest.mark.parametrize("answer", [NOT_FOUND, ok({}), ok({"url": None})])
def test_report_that_is_not_there_yet_is_requested_again(answer: Any) -> None:
    assert results({**IMPORT, "error_export_id": 2}, answer)[-1] == "VendorUnavailableError"


@pytest.mark.parametrize("found", [IMPORT, {**IMPORT, "error_download_url": "https://api.customer.io/elsewhere"}])
def test_failed_rows_without_a_report_are_an_error(found: Any) -> None:
    assert results(found)[-1] == "VendorUnavailableError"


@pytest.mark.parametrize("identifier", ["id", "email"])
def test_records_need_the_identifier(identifier: str) -> None:
    problem = PEOPLE.check_for({"identifier": identifier})
    other = {"id": "email", "email": "id"}[identifier]
    assert problem({identifier: "s3cret-cell"}) is None
    assert f"'{identifier}'" in (problem({other: "s3cret-cell"}) or "")
    assert "s3cret-cell" not in (problem({other: "s3cret-cell"}) or "")


@pytest.mark.parametrize(
    ("operation", "options"),
    [
        ("import_people", {}),
        ("import_people", {"identifier": "cio_id"}),
        ("import_events", {"identifier": "id", "data_to_process": "only_new"}),
        ("import_objects", {"object_type_id": 1}),
        ("import_objects", {"object_type_id": "1", "identifier": "id"}),
    ],
)
def test_options_are_those_of_the_type(operation: str, options: Any) -> None:
    with pytest.raises(BadArgumentError):
        read_options(CASE_OF["customer_io", "import", operation].operation, options)
