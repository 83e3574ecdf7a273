# SPDX-License-Identifier: Apache-2.0
"""The status of a job as data, item lists in it, and composite job ids."""

from typing import Any

import pytest

from airflow_provider_bulkjobs.arguments import read_job_ids
from airflow_provider_bulkjobs.exceptions import (
    BadArgumentError,
    JobNotFinishedError,
    TransientError,
    UnknownStateError,
)
from airflow_provider_bulkjobs.protocol.flow import Request, Response
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.vendors.spec.body_path import value_at
from airflow_provider_bulkjobs.vendors.spec.errors import Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.composite_ids import CompositeId
from airflow_provider_bulkjobs.vendors.toolkit.listed_items import ListedItems, listed_results
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint

STATES = States(
    "Vendor",
    "https://docs.example.com",
    "status",
    {
        "ADDED": JobState.PENDING,
        "IN PROGRESS": JobState.RUNNING,
        "COMPLETED": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
    },
)
ACCOUNT = Account("mine", {})
IDS = CompositeId("Vendor", ("import", "sync"))


def endpoint(**values: Any) -> StatusEndpoint:
    return StatusEndpoint("/jobs/{job_id}", STATES, **values)


def run(flow: Any, *bodies: bytes) -> tuple[list[Any], Any]:
    """Return what a flow yields, and its result."""
    script, yielded = list(bodies), []
    try:
        step = next(flow)
        while True:
            yielded.append(step)
            step = flow.send(Response(200, {}, script.pop(0)) if isinstance(step, Request) else None)
    except StopIteration as end:
        return yielded, end.value


def test_status_is_requested_and_read() -> None:
    status = endpoint(
        at="data.0",
        counts={"total": "counts.all", "failed": "counts.bad"},
        times={"created_at": "created"},
        headers=lambda account: {"Version": account.conn_id},
    )
    body = b'{"data":[{"status":"IN PROGRESS","created":"2026-03-14T12:00:00+0100","counts":{"all":"9","bad":2}}]}'
    [request], job = run(status(ACCOUNT, "a/b?c"), body)
    assert request == Request("GET", "/jobs/a%2Fb%3Fc", {"Version": "mine"})
    created = "2026-03-14T11:00:00+00:00"
    assert job == BulkJob("a/b?c", JobState.RUNNING, "IN PROGRESS", total=9, failed=2, created_at=created)


@pytest.mark.parametrize(
    ("counts", "values", "expected"),
    [
        # total, succeeded, failed and state
        ({"total": "t", "succeeded": "s"}, {"t": 9, "s": 7}, (9, 7, 2, "partially_failed")),
        ({"total": "t", "succeeded": ("a", "u")}, {"t": 9, "a": 5, "u": 4}, (9, 9, None, "succeeded")),
        ({"total": "t", "processed": "p", "failed": "f"}, {"t": 9, "p": 9, "f": 2}, (9, 7, 2, "partially_failed")),
        ({"total": "t", "processed": "p", "failed": "f"}, {"t": 9, "p": 8, "f": 0}, (9, 8, 1, "partially_failed")),
        ({"total": "t", "failed": "f"}, {"t": 9, "f": 0}, (9, 9, 0, "succeeded")),
        ({"total": ("s", "f"), "succeeded": "s", "failed": "f"}, {"s": 2, "f": 1}, (3, 2, 1, "partially_failed")),
        ({"total": "t"}, {"t": 9}, (9, None, None, "succeeded")),
        ({"total": "t", "processed": "p", "failed": "f"}, {"t": 9, "f": 0}, (9, None, 0, "succeeded")),
    ],
)
def test_successes_are_what_the_counts_say(counts: Any, values: Any, expected: Any) -> None:
    job = endpoint(counts=counts).read({"status": "COMPLETED", **values}, "1")
    assert (job.total, job.succeeded, job.failed, job.state) == expected


def test_unfinished_job_has_no_successes() -> None:
    for counts in ({"succeeded": "s"}, {"total": "s", "failed": "f"}):
        job = endpoint(counts=counts).read({"status": "ADDED", "s": 3, "f": 0}, "1")
        assert job.succeeded is None


@pytest.mark.parametrize("value", [True, -1, "five", "", 1.5, [], {}])
def test_unreadable_count_of_a_success_is_retried_and_of_others_ignored(value: Any) -> None:
    status = endpoint(counts={"total": ("t", "other")})
    with pytest.raises(TransientError, match="not a number"):
        status.read({"status": "COMPLETED", "t": value, "other": 3}, "1")
    assert status.read({"status": "FAILED", "t": value}, "1").total is None


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": []}, {"data": "x"}, {"data": {"status": None}}])
def test_missing_status_object_is_retried(body: Any) -> None:
    with pytest.raises(TransientError, match="no 'status'"):
        endpoint(at="data").read(body, "1")


def test_undocumented_word_is_an_error() -> None:
    with pytest.raises(UnknownStateError, match="IN_PROGRESS"):
        endpoint().read({"status": "IN_PROGRESS"}, "1")


def test_particular_vendor_adjusts_the_job() -> None:
    status = endpoint(at="data", adjust=lambda job, body: BulkJob(job.job_id, JobState.FAILED, body["why"]))
    assert status.read({"data": {"status": "COMPLETED", "why": "x"}}, "1").vendor_state == "x"


def test_path_has_the_parts_of_a_composite_id() -> None:
    status = StatusEndpoint("/imports/{import}/syncs/{sync}", STATES, ids=IDS)
    assert status.request(ACCOUNT, IDS.join("a/b", 6)).path == "/imports/a%2Fb/syncs/6"
    with pytest.raises(BadArgumentError, match="<import>:<sync>"):
        next(status(ACCOUNT, "6"))


@pytest.mark.parametrize(
    ("path", "value"), [("", {"a": [{"b": 1}]}), ("a.0.b", 1), ("a.1.b", None), ("a.b", None), ("a.0.b.c", None)]
)
def test_value_at_a_path(path: str, value: Any) -> None:
    assert value_at({"a": [{"b": 1}]}, path) == value


# --- composite ids


@pytest.mark.parametrize("parts", [("384", "6"), ("gid://x/Y/1", "a:b"), ("[1]", "<ä>"), ("%3A", "é")])
def test_composite_id_is_a_job_id_like_any_other(parts: tuple[str, str]) -> None:
    job_id = IDS.join(*parts)
    assert read_job_ids(job_id) == [job_id]
    assert read_job_ids([job_id, "other"]) == [job_id, "other"]
    assert tuple(IDS.split(job_id).values()) == parts


@pytest.mark.parametrize("job_id", ["", ":", "384", "384:", ":6", "1:2:3", "384: ", "..:6", "a%0Ab:6"])
def test_malformed_composite_id_is_an_error(job_id: str) -> None:
    with pytest.raises(BadArgumentError, match=r"no job id of Vendor, which has the form <import>:<sync>"):
        IDS.split(job_id)


@pytest.mark.parametrize("parts", [("1",), ("1", ""), ("1", "2", "3"), ("1", None)])
def test_composite_id_needs_all_parts(parts: Any) -> None:
    with pytest.raises(BadArgumentError):
        IDS.join(*parts)


# --- items in the status


LISTED = listed_results(
    endpoint(at="data"),
    ListedItems("created", "created"),
    ListedItems("failures", "failed", errors=(Message("failures.description"), Message("code"))),
    ListedItems("items", lambda item: "failed" if item["code"] >= 400 else "updated"),
)


def test_items_are_listed_with_status_and_errors() -> None:
    body = (
        b'{"data":{"status":"COMPLETED","created":[7],"failures":{"3":{"code":"x","failures":[{"description":"no"},'
        b'{"description":"nay"}]}},"items":[{"code":200},{"code":400}]}}'
    )
    [_, created, failed, items], _ = run(LISTED(ACCOUNT, "1"), body)
    assert [each[:3] for each in created] == [("created", None, {"id": 7})]
    assert [(each.status, each.error) for each in failed] == [("failed", "no; nay; x")]
    assert [each.status for each in items] == ["updated", "failed"]


def test_missing_lists_are_empty_and_others_are_retried() -> None:
    assert run(LISTED(ACCOUNT, "1"), b'{"data":{"status":"COMPLETED","created":null}}')[0][1:] == [[], [], []]
    with pytest.raises(TransientError, match="'created' is not a list"):
        run(LISTED(ACCOUNT, "1"), b'{"data":{"status":"COMPLETED","created":"x"}}')


def test_items_of_an_unfinished_job_are_an_error() -> None:
    with pytest.raises(JobNotFinishedError):
        run(LISTED(ACCOUNT, "1"), b'{"data":{"status":"ADDED"}}')
