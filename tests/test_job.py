# SPDX-License-Identifier: Apache-2.0
import json
import math

import pytest

from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count, utc_time


@pytest.mark.parametrize(("value", "number"), [(0, 0), (3, 3), (3.0, 3), ("3", 3)])
def test_counts(value, number):
    assert count(value) == number


@pytest.mark.parametrize("value", [None, True, False, -1, 1.5, math.nan, math.inf, "", "x", "-1", "٣", [], {}])
def test_invalid_counts(value):
    assert count(value) is None


@pytest.mark.parametrize(
    ("value", "time"),
    [
        (1713360000, "2024-04-17T13:20:00+00:00"),
        ("1713360000", "2024-04-17T13:20:00+00:00"),
        ("2026-03-14T12:00:00Z", "2026-03-14T12:00:00+00:00"),
        ("2026-03-14T14:00:00+02:00", "2026-03-14T12:00:00+00:00"),
        ("2026-03-14T12:00:00.25Z", "2026-03-14T12:00:00.250000+00:00"),
        ("2026-03-14 12:00:00", "2026-03-14T12:00:00+00:00"),
    ],
)
def test_times(value, time):
    assert utc_time(value) == time


@pytest.mark.parametrize("value", [None, "", "soon", True, 0, -5, math.inf, math.nan, 10**18, [], {}, "P1D", "9" * 30])
def test_invalid_times(value):
    assert utc_time(value) is None


def test_a_job_survives_json():
    job = BulkJob("a", JobState.PARTIALLY_FAILED, "errored", total=3, failed=1, known=True)
    assert BulkJob.from_json(json.loads(json.dumps(job.to_json()))) == job


def test_which_states_are_final():
    assert {state for state in JobState if not state.is_finished} == {JobState.PENDING, JobState.RUNNING}
