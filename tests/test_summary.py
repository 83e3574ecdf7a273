# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState
from airflow_provider_bulkjobs.waiting.summary import describe, summarize


def job(number, state=JobState.SUCCEEDED, **values):
    return BulkJob(f"job-{number}", state, state.value, **values)


def summary(*jobs):
    return summarize(vendor="sendgrid", conn_id="sendgrid_default", job_kind="contacts", jobs=jobs)


def test_one_job():
    only = job(1, JobState.PARTIALLY_FAILED, total=10, succeeded=7, failed=3, started_at="2026-03-14T12:00:00+00:00")
    result = summary(only)
    assert result["jobs"] == [
        {"job_id": "job-1", "state": "partially_failed", "vendor_state": "partially_failed", "total": 10, "failed": 3}
    ]
    assert (result["total"], result["succeeded"], result["failed"], result["created"]) == (10, 7, 3, None)
    assert (result["created_at"], result["started_at"], result["job_count"]) == (None, "2026-03-14T12:00:00+00:00", 1)


def test_sums_are_exact_and_jobs_are_the_worst():
    jobs = [job(n, total=10, failed=0, succeeded=10) for n in range(395)]
    jobs += [job(500 + n, JobState.PARTIALLY_FAILED, total=10, failed=n + 1, succeeded=9 - n) for n in range(4)]
    jobs += [job(900, JobState.FAILED, total=10, failed=10, succeeded=0)]
    result = summary(*jobs)
    assert (result["job_count"], result["total"], result["failed"], result["succeeded"]) == (400, 4000, 20, 3980)
    assert result["state"] == "failed"
    assert [entry["job_id"] for entry in result["jobs"][:5]] == ["job-900", "job-503", "job-502", "job-501", "job-500"]
    assert len(result["jobs"]) == 20


def test_a_number_one_job_lacks_is_unknown():
    result = summary(job(1, total=10, created=3), job(2, total=None, created=4))
    assert (result["total"], result["created"]) == (None, 7)


@pytest.mark.parametrize(
    ("jobs", "failed"),
    [
        ([job(1), job(2)], None),
        ([job(1, failed=0), job(2)], 0),
        ([job(1), job(2, JobState.PARTIALLY_FAILED, failed=3)], 3),
        ([job(1, failed=0), job(2, JobState.PARTIALLY_FAILED)], None),
        ([job(1, failed=0), job(2, JobState.FAILED)], None),
    ],
)
def test_failed_items_are_summed_where_all_are_known(jobs, failed):
    assert summary(*jobs)["failed"] == failed


def test_state_is_the_worst():
    order = ["failed", "canceled", "partially_failed", "running", "pending", "succeeded"]
    for position, worst in enumerate(order):
        jobs = [job(state, JobState(state)) for state in reversed(order[position:])]
        assert summary(*jobs)["state"] == worst


def test_it_stays_small_whatever_the_ids():
    jobs = [BulkJob(f"{n:04}" + "é" * 508, JobState.FAILED, "failed", total=10**9, failed=10**9) for n in range(1000)]
    result = summary(*jobs)
    assert len(json.dumps(result).encode()) < 4096
    assert (result["job_count"], result["failed"]) == (1000, 1000 * 10**9)
    assert describe(result)
