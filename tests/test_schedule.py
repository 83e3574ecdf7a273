# SPDX-License-Identifier: Apache-2.0
import pytest

from airflow_provider_bulkjobs.schedule import JITTER, Schedule


def test_plain_intervals_are_jittered_but_never_longer():
    waits = [Schedule(60).wait_after(polls) for polls in range(200)]
    assert all(60 * (1 - JITTER) <= wait <= 60 for wait in waits)
    assert len(set(waits)) > 100


@pytest.mark.parametrize(("polls", "least"), [(1, 30), (2, 60), (3, 120), (6, 960)])
def test_backoff_doubles(polls, least):
    assert least <= Schedule(60, exponential_backoff=True).wait_after(polls) <= 2 * least


def test_backoff_never_overflows():
    assert Schedule(60, exponential_backoff=True, max_wait=3600).wait_after(10**6) == 3600


def test_max_wait_is_the_limit_of_the_backoff_only():
    assert Schedule(600, exponential_backoff=True, max_wait=90).wait_after(9) == 90
    assert Schedule(600, max_wait=90).wait_after(9) > 500
