# SPDX-License-Identifier: Apache-2.0
"""The suite on a vendor that is made up: it needs its sample files only, and each mistake is noticed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vendors import fixture_loader, result_rules, status_rules, submit_rules, vendor_rules
from vendors.fixture_loader import Sample
from vendors.submit_cases import Case

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response, Token, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, SubmitContext, SubmitFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.toolkit.auth import HeaderKey
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.paging import Pages
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict, request_details, require_finished
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id, json_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs

DOCS = "https://tiny.example.com/docs"
WORDS = {"open": JobState.PENDING, "done": JobState.SUCCEEDED, "lost": JobState.FAILED}
STATES = States("Tiny", DOCS, "phase", WORDS)
STATUS = StatusEndpoint("/jobs/{job_id}", STATES, at="job", counts={"total": "rows"})


def path_of(job_id: str) -> str:
    """Return the path of a job; its id has the data center as well."""
    return f"/jobs/{path_segment(job_id.removeprefix('eu/'))}"


def read_errors(job_id: str, page: str) -> Flow[tuple[list[Any], str | None]]:
    body = yield from request_details("Tiny", f"{path_of(job_id)}/errors{page and f'?page={page}'}")
    following = body.get("next")
    if not isinstance(body.get("errors"), list) or not isinstance(following, str | None):
        raise TransientError("Tiny response has no list of errors")
    return body["errors"], following


def errors_of(job_id: str) -> Pages:
    return Pages("Tiny: the list of errors", lambda page: read_errors(job_id, page), max_pages=9)


def status(account: Account, job_id: str) -> Flow[BulkJob]:
    job = STATUS.read((yield Request("GET", path_of(job_id))).json, job_id)
    if job.state is not JobState.SUCCEEDED:
        return job
    pages, failed = errors_of(job_id), 0
    while pages.has_next:
        failed += len((yield from pages.read_next()))
    if not pages.is_complete:
        return BulkJob(job_id, JobState.PARTIALLY_FAILED, job.vendor_state)
    return replace(job, failed=failed)


def results(account: Account, job_id: str) -> ResultsFlow:
    require_finished(STATES, as_dict((yield Request("GET", path_of(job_id))).json.get("job")))
    pages = errors_of(job_id)
    while pages.has_next:
        yield [ItemResult("failed", None, as_dict(error)) for error in (yield from pages.read_next())]
    pages.require_complete()


def submit(context: SubmitContext) -> SubmitFlow:
    return "eu/" + accepted_job_id("Tiny", (yield json_request("POST", "/jobs", context, key="rows")).json, "id")


def cancel(account: Account, job_id: str) -> Flow[None]:
    yield Request("DELETE", path_of(job_id))


IMPORT = Operation("import", submit, max_items=50, check=needs("email"))
KIND = JobKind("rows", "row import", status, cancel=cancel, operations=(IMPORT,), results=results, states=STATES)


class Tiny(Vendor):
    """A vendor whose access token is requested first."""

    conn_type = "klaviyo"  # a hook is needed that exists
    label = "Tiny"
    docs_url = DOCS
    fields = (
        Field("password", "Secret", "In Tiny: Settings.", required=True),
        Field("host", "Host", "The address."),
        Field("login", "Client", "In Tiny: Settings."),
    )
    kinds = (KIND,)
    errors = Errors(messages=(Message("", "problem"),))

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:
        """Return the token."""
        return {"Authorization": f"Bearer {token}"}

    def token_flow(self, account: Account) -> Flow[Token] | None:
        """Request the token."""

        def fetch() -> Flow[Token]:
            form = {"client_secret": account["password"]}
            body = (yield Request("POST", "/token", form=form, authorized=False)).json
            return Token(body["token"], 60)

        return fetch()

    def check(self, account: Account) -> Flow[str]:
        """Request the name of the account."""
        name = (yield Request("GET", "/me")).json.get("tiny_name")
        require_vendor_response(self, account, name)
        return f"Connected to Tiny as {name}."

    def status_of(self, response: Response) -> int:
        """Return 429 for a 400 that says so."""
        return 429 if response.status == 400 and b"too fast" in response.body else response.status


FILES: dict[str, Any] = {
    "vendor.json": {
        "docs": DOCS,
        "credential": {"header": "authorization", "value": "Bearer ACCESS"},
        "token": [{"body": {"token": "ACCESS"}}],
        "refusal": {"problem": "{leak}"},
        "throttled": [{"status": 400, "body": {"problem": "too fast"}}],
        "check": {
            "expected_requests": ["/me"],
            "answers": [{"body": {"tiny_name": "Ada"}}],
            "expected_message": "Connected to Tiny as Ada.",
        },
    },
    "rows/sample.json": {
        "docs": DOCS,
        "path": "/jobs/{}",
        "job_id": "eu/{}",
        "state": "job.phase",
        "words": {"open": "pending", "done": "succeeded", "lost": "failed"},
        "body": {"job": {"id": "j-1", "phase": "done", "rows": 2}},
        "job": {"state": "succeeded", "vendor_state": "done", "total": 2, "failed": 0},
        "details": [{"body": {"errors": []}}],
        "counts": ["job.rows"],
        "pages": {"items": "errors", "next": "next", "cursor": "{}"},
    },
    "rows/cancel.json": {
        "docs": DOCS,
        "cases": {
            "canceled": {"answers": [{"body": {}}], "expected_requests": [["DELETE", "/jobs/j-1"]], "canceled": True},
            "gone": {
                "answers": [{"status": 404, "body": {}}, {"status": 404, "body": {}}],
                "expected_requests": [["DELETE", "/jobs/j-1"], ["GET", "/jobs/j-1"]],
                "canceled": False,
            },
        },
    },
    "rows/submit/import.json": {
        "docs": DOCS,
        "limits": {"items": 50, "idempotent": False},
        "request": {"method": "POST", "path": "/jobs", "body": {"rows": [{"email": "ada@example.com"}]}},
        "records": [{"email": "ada@example.com"}],
        "answers": [{"status": 202, "body": {"id": "j-1"}}],
        "refused": [{"record": {"name": "s3cret-cell"}, "fields": ["email"]}],
    },
}


def problems(folder: Path, vendor: Vendor, **files: Any) -> list[str]:
    """Return what the suite finds.

    :param files: other content of a file, by its stem.
    """
    for name, content in FILES.items():
        path = folder / "fixtures" / vendor.conn_type / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(files.get(path.stem, content)))
    of = fixture_loader.vendor_sample(vendor, folder / "fixtures")
    operations = fixture_loader.read_operations(vendor, folder / "fixtures")
    found = [problem for rule in vendor_rules.RULES.values() for problem in rule(of)]
    for sample in fixture_loader.kind_samples(of, folder / "fixtures"):
        rules: list[Callable[[Sample], Any]] = [*status_rules.RULES.values(), *result_rules.RULES.values()]
        found += [problem for rule in rules for problem in rule(sample)]
        for operation in sample.kind.operations:
            case = Case(sample, operation, operations[(*sample.key, operation.name)])
            found += [problem for rule in submit_rules.RULES.values() for problem in rule(case)]
    return found


def tiny(**changes: Any) -> Vendor:
    """Return the vendor with other attributes."""
    vendor: Vendor = type("Tiny", (Tiny,), changes)()
    return vendor


def with_kind(**changes: Any) -> Vendor:
    return tiny(kinds=(replace(KIND, **changes),))


def with_operation(**changes: Any) -> Vendor:
    return with_kind(operations=(replace(IMPORT, **changes),))


def test_vendor_needs_only_its_files(tmp_path: Path) -> None:
    assert problems(tmp_path, Tiny()) == []


def from_body(read: Callable[[Mapping[str, Any], str], BulkJob]) -> Any:
    """Return a status that is one request."""

    def flow(account: Account, job_id: str) -> Flow[BulkJob]:
        return read(as_dict((yield Request("GET", path_of(job_id))).json.get("job")), job_id)

    return flow


def unquoted(account: Account, job_id: str) -> Flow[BulkJob]:
    return BulkJob(job_id, *STATES.read(as_dict((yield Request("GET", f"/jobs/{job_id[3:]}")).json.get("job"))))


def accepts_any_id(context: SubmitContext) -> SubmitFlow:
    return str((yield json_request("POST", "/jobs", context, key="rows")).json.get("id"))


def cancel_by_post(account: Account, job_id: str) -> Flow[None]:
    yield Request("POST", f"/jobs/{job_id}/cancel")


def guess(body: Mapping[str, Any], job_id: str) -> BulkJob:
    return BulkJob(job_id, WORDS.get(str(body.get("phase")), JobState.PENDING), "open")


def accepts_gone(account: Account, job_id: str) -> ResultsFlow:
    try:
        yield from results(account, job_id)
    except TransientError:
        return


def instead(status: int) -> Any:
    """Return a ``status_of`` that takes a status for a conflict."""
    return lambda _self, response: 409 if response.status == status else response.status


WRONG_STATES = replace(STATES, words={**WORDS, "lost": JobState.CANCELED})
MISTAKES: dict[str, tuple[Vendor, str]] = {
    "a wrong state": (with_kind(states=WRONG_STATES), "'lost' is canceled in the declaration"),
    "a state too many": (with_kind(states=replace(STATES, words={**WORDS, "x": JobState.FAILED})), "'x' is failed"),
    "an unknown state is pending": (
        with_kind(status=from_body(guess)),
        "UnknownStateError expected",
    ),
    "no details are read": (
        with_kind(status=from_body(lambda body, job_id: BulkJob(job_id, *STATES.read(body)))),
        "page of details",
    ),
    "an id that is not quoted": (with_kind(status=unquoted), "job id 'eu/a/b'"),
    "a 429 that is ignored": (tiny(status_of=instead(429)), "429"),
    "a dialect that is ignored": (
        tiny(status_of=lambda _self, response: response.status),
        "throttled, 3, 400",
    ),
    "a rejected key that is no rejected key": (tiny(status_of=instead(401)), "AuthenticationError expected"),
    "no message of the vendor": (tiny(error_text=lambda _self, _body: None), "error_text does not read"),
    "a key in a field that is no secret": (tiny(auth=HeaderKey(field="host")), "fields that authenticate are secret"),
    "no credentials": (tiny(headers=lambda _self, _account, _token: {}), "credentials"),
    "a cancel of another path": (
        with_kind(cancel=cancel_by_post),
        "cancel",
    ),
    "results without their list": (with_kind(results=accepts_gone), "results, no errors"),
    "a limit": (with_operation(max_items=100), "items is 100 in the declaration, 50"),
    "an idempotent request": (with_operation(idempotent=True), "lost (reset)"),
    "no check": (with_operation(check=lambda _record: None), "'s3cret-cell'"),
    "any id": (with_operation(submit=accepts_any_id), "job id None"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_noticed(tmp_path: Path, mistake: str) -> None:
    vendor, words = MISTAKES[mistake]
    found = problems(tmp_path, vendor)
    assert [problem for problem in found if words in problem], found[:9]


def test_wrong_sample_is_noticed(tmp_path: Path) -> None:
    sample = {**FILES["rows/sample.json"], "words": {"open": "pending", "done": "succeeded", "lost": "canceled"}}
    assert any(
        "'lost' is failed in the declaration" in problem for problem in problems(tmp_path, Tiny(), sample=sample)
    )
