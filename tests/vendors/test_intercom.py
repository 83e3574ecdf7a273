# SPDX-License-Identifier: Apache-2.0
"""Intercom only: a success that is contradicted by its tasks, and its jobs that accept more requests."""

import json
from typing import Any

import pytest
from vendors.fixture_loader import JOB_ID, SAMPLE_OF, Answer
from vendors.generated import ok
from vendors.in_memory import play
from vendors.submit_cases import CASE_OF, CASES, Case
from vendors.submit_rules import send

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BulkJobError,
    JobNotFoundError,
    PermissionDeniedError,
    UnknownOutcomeError,
    UnknownStateError,
    VendorAPIError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.protocol.job import JobState

CONTACTS = SAMPLE_OF["intercom", "contacts"]
APPENDS = [case for case in CASES if case.limits.supports_append]
each_append = pytest.mark.parametrize("case", APPENDS, ids=str)
ID = ok({"id": JOB_ID, "state": "running", "tasks": []})


def status(body: dict[str, Any]) -> Any:
    transport, account = play(CONTACTS.of, ok(body))
    return transport.outcome(lambda: CONTACTS.kind.status(account, JOB_ID))


def closed(status: int = 403, code: str = "forbidden") -> Answer:
    return {"status": status, "body": {"type": "error.list", "errors": [{"code": code, "message": "job is closed"}]}}


@pytest.mark.parametrize("tasks", ["none", 3, ["task"], [None], True], ids=repr)
def test_success_with_unreadable_tasks_is_retried(tasks: Any) -> None:
    assert isinstance(status({"state": "completed", "tasks": tasks}), VendorUnavailableError)


@pytest.mark.parametrize("word", ["failed", ["completed_with_errors"], True, {"state": "completed"}], ids=repr)
def test_undocumented_task_state_is_an_error(word: Any) -> None:
    assert isinstance(status({"state": "completed", "tasks": [{"state": word}]}), UnknownStateError)


@pytest.mark.parametrize("word", ["pending", "running"])
def test_job_with_unfinished_task_is_still_running(word: str) -> None:
    job = status({"state": "completed", "tasks": [{"state": "completed_with_errors"}, {"state": word}]})
    assert (job.state, job.vendor_state) == (JobState.RUNNING, "completed")


@each_append
def test_request_is_appended_to_the_open_job(case: Case) -> None:
    outcome, transport = send(case, ID, open_job="job/9")
    assert outcome == JOB_ID
    [sent] = transport.sent
    assert (sent.method, sent.path) == (case.submit.method, case.submit.path)
    assert json.loads(sent.body) == {**case.submit.body, "job": {"id": "job/9"}}
    assert sent.headers["intercom-version"] == "Preview"


@pytest.mark.parametrize(("status", "code"), [(403, "forbidden"), (404, "job_not_found")])
@each_append
def test_closed_job_is_replaced_by_new_job(case: Case, status: int, code: str) -> None:
    outcome, transport = send(case, closed(status, code), ID, open_job="job-9")
    assert outcome == JOB_ID
    first, second = transport.sent
    assert json.loads(first.body) == {**case.submit.body, "job": {"id": "job-9"}}
    assert json.loads(second.body) == case.submit.body
    assert (second.method, second.path) == (first.method, first.path)


@pytest.mark.parametrize(
    ("status", "error", "open_job"),
    [
        (403, PermissionDeniedError, None),
        (404, JobNotFoundError, None),
        (401, AuthenticationError, "job-9"),
        (422, VendorAPIError, "job-9"),
    ],
)
def test_other_rejection_of_append_is_an_error(status: int, error: type[BulkJobError], open_job: str | None) -> None:
    for case in APPENDS:
        outcome, transport = send(case, closed(status), ID, open_job=open_job)
        assert type(outcome) is error, case
        assert len(transport.sent) == 1


def test_new_job_after_closed_job_is_not_created_twice() -> None:
    for case in APPENDS:
        if not case.limits.idempotent:
            outcome, transport = send(case, closed(), {"breaks": "closed"}, ID, open_job="job-9")
            assert type(outcome) is UnknownOutcomeError, case
            assert len(transport.sent) == 2


def test_rejected_new_job_is_an_error() -> None:
    refused = closed(code="api_plan_restricted")
    outcome, transport = send(CASE_OF["intercom", "contacts", "create"], refused, refused, ID, open_job="job-9")
    assert type(outcome) is PermissionDeniedError
    assert "api_plan_restricted" in str(outcome)
    assert len(transport.sent) == 2


def test_submit_sends_api_version() -> None:
    outcome, transport = send(CASE_OF["intercom", "contacts", "create"], ID, api_version="2.17")
    assert outcome == JOB_ID
    assert transport.sent[0].headers["intercom-version"] == "2.17"


def test_misspelled_export_id_is_read() -> None:
    outcome, _ = send(CASE_OF["intercom", "export", "export"], ok({"job_identfier": JOB_ID, "status": "pending"}))
    assert outcome == JOB_ID


def test_pending_export_is_not_retried() -> None:
    body = {"errors": [{"code": "too_many", "message": "You can only have 1 pending message data export job"}]}
    outcome, transport = send(CASE_OF["intercom", "export", "export"], {"status": 429, "body": body})
    assert isinstance(outcome, VendorAPIError), outcome
    assert len(transport.sent) == 1


def test_check_accepts_non_text_field_name() -> None:
    assert "'7'" in (CASE_OF["intercom", "contacts", "update"].operation.check({"id": "x", 7: "x"}) or "")
