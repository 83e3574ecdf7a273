# SPDX-License-Identifier: Apache-2.0
"""The counts and the state of a job agree, whichever vendor they come from."""

import json

import pytest

from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState

SUCCEEDED, PARTIAL, FAILED = JobState.SUCCEEDED, JobState.PARTIALLY_FAILED, JobState.FAILED


def job(state: JobState, **counts: int | None) -> BulkJob:
    return BulkJob("j-1", state, "word", **counts)


@pytest.mark.parametrize("counts", [{"failed": 1}, {"failed": 1, "total": 1}, {"failed": 1, "succeeded": 9}], ids=str)
def test_succeeded_job_with_failed_items_is_partially_failed(counts: dict[str, int]) -> None:
    assert job(SUCCEEDED, **counts).state is PARTIAL


@pytest.mark.parametrize("counts", [{}, {"failed": 0}, {"total": 3}, {"total": 3, "succeeded": 3}], ids=str)
def test_succeeded_job_without_failed_items_has_succeeded(counts: dict[str, int]) -> None:
    assert job(SUCCEEDED, **counts).state is SUCCEEDED


@pytest.mark.parametrize("state", [SUCCEEDED, PARTIAL])
@pytest.mark.parametrize(("failed", "all_failed"), [(None, 4), (0, 4), (3, 4), (4, 4)])
def test_items_counted_nowhere_have_failed(state: JobState, failed: int | None, all_failed: int) -> None:
    counted = job(state, total=10, succeeded=6, failed=failed)
    assert (counted.state, counted.succeeded, counted.failed) == (PARTIAL, 6, all_failed)


@pytest.mark.parametrize("state", [JobState.PENDING, JobState.RUNNING, JobState.CANCELED, FAILED])
def test_items_of_a_job_that_did_not_process_all_are_left_alone(state: JobState) -> None:
    counted = job(state, total=10, succeeded=6, failed=0)
    assert (counted.state, counted.succeeded, counted.failed) == (state, 6, 0)


@pytest.mark.parametrize(
    ("total", "succeeded", "failed", "left"), [(10, 10, 1, 9), (10, 12, None, 10), (10, 12, 0, 10), (1, 1, 2, 0)]
)
def test_failed_items_are_not_counted_as_succeeded_too(
    total: int, succeeded: int, failed: int | None, left: int
) -> None:
    counted = job(PARTIAL, total=total, succeeded=succeeded, failed=failed)
    assert (counted.succeeded, counted.failed) == (left, failed)


def test_counts_do_not_change_again_in_json() -> None:
    counted = job(SUCCEEDED, total=10, succeeded=6, failed=1)
    assert BulkJob.from_json(json.loads(json.dumps(counted.to_json()))) == counted
