# SPDX-License-Identifier: Apache-2.0
"""When the next request may go."""

import pytest

from airflow_provider_bulkjobs.http.throttle import AFTER_PAUSE, MARGIN, Throttle


def turns(throttle: Throttle, now: float, many: int) -> list[float]:
    return [throttle.reserve(now) for _ in range(many)]


def test_turns_are_even_and_in_order() -> None:
    assert turns(Throttle(4), 100.0, 5) == pytest.approx([turn * MARGIN / 4 for turn in range(5)])


def test_a_rate_below_one_a_second() -> None:
    assert turns(Throttle(0.1), 100.0, 3) == pytest.approx([0, 10 * MARGIN, 20 * MARGIN])


def test_unused_turns_are_not_saved_up_for_a_burst() -> None:
    throttle = Throttle(4)
    assert throttle.reserve(100.0) == 0
    assert turns(throttle, 200.0, 3) == pytest.approx([0, MARGIN / 4, MARGIN / 2])


def test_no_limit_means_no_wait() -> None:
    assert turns(Throttle(0), 100.0, 100) == [0] * 100


@pytest.mark.parametrize("per_second", [0, 4])
def test_a_pause_holds_for_everybody_and_ends_one_by_one(per_second: float) -> None:
    throttle = Throttle(per_second)
    throttle.pause(100.0, 30)
    gap = MARGIN / per_second if per_second else AFTER_PAUSE
    assert turns(throttle, 100.0, 3) == pytest.approx([30, 30 + gap, 30 + 2 * gap])


def test_a_pause_is_over_when_it_is_over() -> None:
    throttle = Throttle(0)
    throttle.pause(100.0, 30)
    assert throttle.pause_left(129.5) == pytest.approx(0.5)
    assert throttle.pause_left(130.0) == 0
    assert throttle.pause_left(131.0) == 0
    assert throttle.reserve(130.0) == 0
    assert throttle.reserve(130.0) == 0


def test_a_turn_taken_before_the_pause_is_void_while_it_lasts() -> None:
    throttle = Throttle(1)
    assert throttle.reserve(100.0) == 0
    assert throttle.reserve(100.0) == pytest.approx(MARGIN)
    throttle.pause(100.5, 10)
    assert throttle.pause_left(101.0) == pytest.approx(9.5)
    assert throttle.reserve(101.0) == pytest.approx(9.5)


def test_the_longer_pause_counts() -> None:
    throttle = Throttle(0)
    throttle.pause(100.0, 30)
    throttle.pause(101.0, 1)
    assert throttle.pause_left(129.0) == pytest.approx(1)
    assert throttle.reserve(101.0) == pytest.approx(29)


def test_a_pause_of_no_length_stops_nobody() -> None:
    throttle = Throttle(0)
    throttle.pause(100.0, 0)
    assert throttle.pause_left(100.0) == 0
    assert throttle.reserve(100.0) == 0


def test_those_who_come_late_do_not_go_all_at_once() -> None:
    throttle = Throttle(10)
    turns(throttle, 100.0, 3)
    assert throttle.release(100.0) == 0
    assert throttle.release(101.0) == 0  # the loop was held up for a second, and three are late
    assert throttle.release(101.0) == pytest.approx(MARGIN / 10)
    assert throttle.release(101.0 + MARGIN / 10) == 0


def test_a_turn_in_time_is_never_held_up() -> None:
    throttle = Throttle(10)
    for turn in turns(throttle, 100.0, 5):
        assert throttle.release(100.0 + turn) == 0
