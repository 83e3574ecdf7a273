# SPDX-License-Identifier: Apache-2.0
"""The retry policy: pure arithmetic, and the sleeps of a worker."""

import math
import random
import time

import pytest

from airflow_provider_bulkjobs.exceptions import (
    DeadlineExceededError,
    RateLimitDelayError,
    TransientError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.http.retry import NO_RETRY, RetryPolicy


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    sleeps: list[float] = []
    monkeypatch.setattr(time, "sleep", sleeps.append)
    return sleeps


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)


def waits(policy: RetryPolicy, failures: int, *, retry_after: float | None = None) -> list[float]:
    error = TransientError("down", retry_after=retry_after)
    return [policy.delay_before_retry(number, error) for number in range(1, failures + 1)]


@pytest.mark.usefixtures("no_jitter")
def test_backoff_doubles_up_to_its_maximum() -> None:
    assert waits(RetryPolicy(initial_delay=1, max_delay=10), 6) == [1, 2, 4, 8, 10, 10]


@pytest.mark.usefixtures("no_jitter")
def test_default_backoff_starts_at_one_second() -> None:
    assert waits(RetryPolicy(), 2) == [1, 2]


def test_backoff_is_jittered_between_half_and_all_of_it() -> None:
    jittered = waits(RetryPolicy(max_attempts=1000, initial_delay=8, max_delay=8), 200)
    assert all(4 <= wait <= 8 for wait in jittered)
    assert len(set(jittered)) > 100


@pytest.mark.usefixtures("no_jitter")
@pytest.mark.parametrize(("retry_after", "expected"), [(100, [100, 100]), (0, [1, 2])])
def test_retry_after_lengthens_the_backoff_and_never_shortens_it(retry_after: float, expected: list[float]) -> None:
    assert waits(RetryPolicy(max_delay=10), 2, retry_after=retry_after) == expected


def test_tenth_failure_in_a_row_is_the_last() -> None:
    assert len(waits(RetryPolicy(), 9)) == 9
    with pytest.raises(VendorUnavailableError, match="down 10 times in a row") as caught:
        RetryPolicy().delay_before_retry(10, TransientError("down", retry_after=3))
    assert caught.value.retry_after == 3
    assert isinstance(caught.value.__cause__, TransientError)


def test_a_wait_counts_the_time_and_not_the_attempts() -> None:
    policy = RetryPolicy(max_attempts=math.inf, max_outage=3600, on_retry=lambda _: None)
    assert policy.delay_before_retry(5000, TransientError("down"), 3599) <= 1, "the last attempt is at the end"
    with pytest.raises(VendorUnavailableError, match=r"^down 70 times in a row, for 60 minutes$"):
        policy.delay_before_retry(70, TransientError("down"), 3600)


def test_retry_after_is_kept_beyond_the_time() -> None:
    policy = RetryPolicy(max_attempts=math.inf, max_outage=60, on_retry=lambda _: None)
    assert policy.delay_before_retry(1, TransientError("down", retry_after=100), 50) == 100


def test_a_report_without_a_maximum_of_attempts() -> None:
    reports: list[str] = []
    waits(RetryPolicy(max_attempts=math.inf, on_retry=reports.append), 1, retry_after=7)
    assert reports == ["down; attempt 1 failed, retrying in 7 s"]


def test_each_retry_is_reported() -> None:
    reports: list[str] = []
    waits(RetryPolicy(max_attempts=5, on_retry=reports.append), 2, retry_after=7)
    assert reports == [
        "down; attempt 1 of 5 failed, retrying in 7 s",
        "down; attempt 2 of 5 failed, retrying in 7 s",
    ]


def test_sleep_ends_at_the_deadline(slept: list[float]) -> None:
    with pytest.raises(DeadlineExceededError, match="another 6 s"):
        RetryPolicy(remaining=lambda: 4).sleep(10)
    assert slept == [4]


def test_sleep_after_the_deadline_takes_no_time(slept: list[float]) -> None:
    with pytest.raises(DeadlineExceededError):
        RetryPolicy(remaining=lambda: -4).sleep(10)
    assert slept == [0]


def test_sleep_above_the_maximum_is_refused(slept: list[float]) -> None:
    with pytest.raises(RateLimitDelayError, match="must wait 10"):
        RetryPolicy(max_sleep=9).sleep(10)
    assert slept == []


def test_policy_without_retries(slept: list[float]) -> None:
    with pytest.raises(VendorUnavailableError, match=r"^down$"):
        NO_RETRY.delay_before_retry(1, TransientError("down"))
    with pytest.raises(RateLimitDelayError):
        NO_RETRY.sleep(0.1)
    assert slept == []
