# SPDX-License-Identifier: Apache-2.0
import pytest

from airflow_provider_bulkjobs.waiting import poll_interval as schedule
from airflow_provider_bulkjobs.waiting.poll_interval import JITTER, PollInterval


def test_plain_intervals_are_jittered_but_never_longer():
    waits = [PollInterval(60).wait_after(polls) for polls in range(200)]
    assert all(60 * (1 - JITTER) <= wait <= 60 for wait in waits)
    assert len(set(waits)) > 100


@pytest.mark.parametrize(("polls", "least"), [(1, 30), (2, 60), (3, 120), (6, 960)])
def test_backoff_doubles(polls, least):
    assert least <= PollInterval(60, exponential_backoff=True).wait_after(polls) <= 2 * least


def test_backoff_never_overflows():
    assert PollInterval(60, exponential_backoff=True, max_wait=3600).wait_after(10**6) == 3600


def test_max_wait_is_the_limit_of_the_backoff_only():
    assert PollInterval(600, exponential_backoff=True, max_wait=90).wait_after(9) == 90
    assert PollInterval(600, max_wait=90).wait_after(9) > 500


@pytest.mark.parametrize("low", [True, False])
@pytest.mark.parametrize(("polls", "least"), [(1, 30), (2, 60), (3, 120), (4, 240), (41, 60 * 2**38), (90, 60 * 2**38)])
def test_each_step_of_the_backoff_is_between_its_least_and_twice_that(polls, least, low, monkeypatch):
    monkeypatch.setattr(schedule.random, "uniform", lambda a, b: a if low else b)
    assert PollInterval(60, exponential_backoff=True).wait_after(polls) == (least if low else 2 * least)


@pytest.mark.parametrize(("interval", "polls", "least"), [(0, 5, 1), (1, 1, 1), (1, 2, 1), (1, 3, 2), (3, 1, 1.5)])
def test_no_step_of_the_backoff_is_shorter_than_a_second(interval, polls, least, monkeypatch):
    monkeypatch.setattr(schedule.random, "uniform", lambda a, _b: a)
    assert PollInterval(interval, exponential_backoff=True).wait_after(polls) == least


def test_the_jitter_of_plain_intervals_is_a_tenth(monkeypatch):
    asked = []
    monkeypatch.setattr(schedule.random, "uniform", lambda a, b: asked.append((a, b)) or a)
    assert PollInterval(60).wait_after(1) == PollInterval(60).wait_after(7) == 54
    assert set(asked) == {(0.9, 1.0)}
