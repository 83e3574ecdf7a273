# SPDX-License-Identifier: Apache-2.0
"""How long a failing vendor is borne with."""

import random
import time
from collections.abc import Callable

import pytest
from tenacity import Retrying

from airflow_provider_bulkjobs.errors import (
    CredentialsError,
    DeadlineReachedError,
    TransientError,
    VendorUnavailableError,
    WaitTooLongError,
)
from airflow_provider_bulkjobs.http.patience import IMPATIENT, Patience


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)


def ask_with(patience: Patience, ask: Callable[[], str]) -> str:
    return Retrying(sleep=patience.sleep, **patience.retrying())(ask)


def failing(times: int, *, retry_after: float | None = None) -> Callable[[], str]:
    left = iter(range(times))

    def ask() -> str:
        if next(left, None) is None:
            return "good"
        raise TransientError("down", retry_after=retry_after)

    return ask


@pytest.mark.usefixtures("no_jitter")
def test_waits_double_up_to_the_longest(slept: list[float]) -> None:
    assert ask_with(Patience(first_wait=1, longest_wait=10), failing(6)) == "good"
    assert slept == [1, 2, 4, 8, 10, 10]


def test_waits_are_jittered_between_half_and_whole(slept: list[float]) -> None:
    ask_with(Patience(failures=1000, first_wait=8, longest_wait=8), failing(200))
    assert all(4 <= wait <= 8 for wait in slept)
    assert len(set(slept)) > 100


@pytest.mark.usefixtures("no_jitter")
def test_what_the_vendor_asks_for_may_be_longer_than_the_longest_wait(slept: list[float]) -> None:
    ask_with(Patience(longest_wait=10), failing(2, retry_after=100))
    assert slept == [100, 100]


@pytest.mark.usefixtures("no_jitter")
def test_what_the_vendor_asks_for_is_no_shortcut(slept: list[float]) -> None:
    ask_with(Patience(), failing(3, retry_after=0))
    assert slept == [1, 2, 4]


def test_too_many_failures_in_a_row(slept: list[float]) -> None:
    with pytest.raises(VendorUnavailableError, match="down 10 times in a row") as caught:
        ask_with(Patience(), failing(99, retry_after=3))
    assert len(slept) == 9
    assert caught.value.retry_after == 3
    assert isinstance(caught.value.__cause__, TransientError)


def test_other_errors_are_not_borne_with(slept: list[float]) -> None:
    def ask() -> str:
        raise CredentialsError("no")

    with pytest.raises(CredentialsError):
        ask_with(Patience(), ask)
    assert slept == []


def test_each_failure_that_is_borne_with_is_reported(slept: list[float]) -> None:
    told: list[str] = []
    ask_with(Patience(failures=5, report=told.append), failing(2, retry_after=7))
    assert told == [
        "down; failure 1 of at most 5 in a row, asking again in 7 s",
        "down; failure 2 of at most 5 in a row, asking again in 7 s",
    ]
    assert slept == [7, 7]


def test_a_sleep_ends_at_the_deadline(slept: list[float]) -> None:
    with pytest.raises(DeadlineReachedError, match="another 6 s"):
        Patience(remaining=lambda: 4).sleep(10)
    assert slept == [4]


def test_a_sleep_after_the_deadline_takes_no_time(slept: list[float]) -> None:
    with pytest.raises(DeadlineReachedError):
        Patience(remaining=lambda: -4).sleep(10)
    assert slept == [0]


def test_a_sleep_that_is_too_long_does_not_begin(slept: list[float]) -> None:
    with pytest.raises(WaitTooLongError, match="have to wait 10"):
        Patience(longest_sleep=9).sleep(10)
    assert slept == []


def test_the_impatient_give_up_at_once(slept: list[float]) -> None:
    with pytest.raises(VendorUnavailableError, match=r"^down$"):
        ask_with(IMPATIENT, failing(1))
    with pytest.raises(WaitTooLongError):
        IMPATIENT.sleep(0.1)
    assert slept == []
