# SPDX-License-Identifier: Apache-2.0
"""When the next request may go."""

import pytest

from airflow_provider_bulkjobs.http.pacing import GAP_AFTER_PAUSE, MARGIN, Pace


def turns(throttle: Pace, now: float, many: int) -> list[float]:
    """Return how long each of a crowd that comes at once has to wait."""
    waits, queued_at = [], now
    for _ in range(many):
        now += throttle.wait(now)
        throttle.record(now, queued_at)
        waits.append(now - queued_at)
    return waits


def test_turns_are_even() -> None:
    assert turns(Pace(4), 100.0, 5) == pytest.approx([turn * MARGIN / 4 for turn in range(5)])


def test_a_rate_below_one_a_second() -> None:
    assert turns(Pace(0.1), 100.0, 3) == pytest.approx([0, 10 * MARGIN, 20 * MARGIN])


def test_unused_turns_are_not_saved_up_for_a_burst() -> None:
    throttle = Pace(4)
    assert turns(throttle, 100.0, 1) == [0]
    assert turns(throttle, 200.0, 3) == pytest.approx([0, MARGIN / 4, MARGIN / 2])


def test_whoever_goes_late_pushes_back_those_behind() -> None:
    throttle = Pace(10)
    throttle.record(100.0, 100.0)
    throttle.record(107.0, 100.0)  # the loop was held up
    assert throttle.wait(107.0) == pytest.approx(MARGIN / 10)


def test_no_limit_means_no_wait() -> None:
    assert turns(Pace(0), 100.0, 100) == [0] * 100


@pytest.mark.parametrize("per_second", [0, 4])
def test_a_pause_holds_for_everybody_and_ends_one_by_one(per_second: float) -> None:
    throttle = Pace(per_second)
    throttle.pause(100.0, 30)
    gap = MARGIN / per_second if per_second else GAP_AFTER_PAUSE
    assert turns(throttle, 100.0, 3) == pytest.approx([30, 30 + gap, 30 + 2 * gap])


def test_after_a_pause_there_is_no_limit_again() -> None:
    throttle = Pace(0)
    throttle.pause(100.0, 30)
    turns(throttle, 100.0, 3)
    assert turns(throttle, 200.0, 100) == [0] * 100


def test_a_pause_is_over_when_it_is_over() -> None:
    throttle = Pace(0)
    throttle.pause(100.0, 30)
    assert throttle.pause_left(129.5) == throttle.wait(129.5) == pytest.approx(0.5)
    assert throttle.pause_left(130.0) == throttle.wait(130.0) == 0


def test_the_longer_pause_counts() -> None:
    throttle = Pace(0)
    throttle.pause(100.0, 30)
    throttle.pause(101.0, 1)
    assert throttle.pause_left(129.0) == throttle.wait(129.0) == pytest.approx(1)


def test_a_pause_of_no_length_stops_nobody() -> None:
    throttle = Pace(0)
    throttle.pause(100.0, 0)
    assert throttle.pause_left(100.0) == throttle.wait(100.0) == 0


def test_those_who_come_after_a_pause_are_not_slowed_by_those_who_waited_for_its_end() -> None:
    throttle = Pace(0)
    throttle.pause(100.0, 30)
    assert throttle.record(130.0, 110.0) == 20, "the pause is told apart from the queue"
    assert throttle.wait(130.0) == pytest.approx(GAP_AFTER_PAUSE)
    throttle.record(130.05, 130.01)
    assert throttle.wait(130.05) == 0


def test_the_pace_may_change_while_others_wait() -> None:
    throttle = Pace(10)
    throttle.set_rate(1)
    assert turns(throttle, 100.0, 2) == pytest.approx([0, MARGIN])
