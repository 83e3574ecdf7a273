# SPDX-License-Identifier: Apache-2.0
"""When the next request may go."""

from itertools import pairwise

import pytest

from airflow_provider_bulkjobs.http.pacing import GAP_AFTER_PAUSE, MARGIN, SLOWDOWN, Pace


def sent_after(pace: Pace, now: float, many: int) -> list[float]:
    """Return how long each of a crowd that comes at once has to wait."""
    waits, queued_at = [], now
    for _ in range(many):
        now += pace.wait(now)
        pace.record(now, queued_at)
        waits.append(now - queued_at)
    return waits


def test_requests_are_evenly_spaced() -> None:
    assert sent_after(Pace(4), 100.0, 5) == pytest.approx([turn * MARGIN / 4 for turn in range(5)])


def test_rate_below_one_per_second() -> None:
    assert sent_after(Pace(0.1), 100.0, 3) == pytest.approx([0, 10 * MARGIN, 20 * MARGIN])


def test_idle_time_allows_no_burst() -> None:
    pace = Pace(4)
    assert sent_after(pace, 100.0, 1) == [0]
    assert sent_after(pace, 200.0, 3) == pytest.approx([0, MARGIN / 4, MARGIN / 2])


def test_late_request_delays_the_following_ones() -> None:
    pace = Pace(10)
    pace.record(100.0, 100.0)
    pace.record(107.0, 100.0)  # the loop was held up
    assert pace.wait(107.0) == pytest.approx(MARGIN / 10)


def test_no_limit_no_delay() -> None:
    assert sent_after(Pace(0), 100.0, 100) == [0] * 100


@pytest.mark.parametrize("per_second", [0, 4])
def test_pause_applies_to_all_and_ends_without_a_burst(per_second: float) -> None:
    pace = Pace(per_second)
    pace.pause(100.0, 30)
    gap = MARGIN / per_second if per_second else GAP_AFTER_PAUSE
    assert sent_after(pace, 100.0, 3) == pytest.approx([30, 30 + gap, 30 + 2 * gap])


def test_pause_does_not_add_a_limit() -> None:
    pace = Pace(0)
    pace.pause(100.0, 30)
    sent_after(pace, 100.0, 3)
    assert sent_after(pace, 200.0, 100) == [0] * 100


def test_pause_ends_in_time() -> None:
    pace = Pace(0)
    pace.pause(100.0, 30)
    assert pace.pause_left(129.5) == pace.wait(129.5) == pytest.approx(0.5)
    assert pace.pause_left(130.0) == pace.wait(130.0) == 0


def test_the_longer_pause_counts() -> None:
    pace = Pace(0)
    pace.pause(100.0, 30)
    pace.pause(101.0, 1)
    assert pace.pause_left(129.0) == pace.wait(129.0) == pytest.approx(1)


def test_pause_of_zero_seconds_has_no_effect() -> None:
    pace = Pace(0)
    pace.pause(100.0, 0)
    assert pace.pause_left(100.0) == pace.wait(100.0) == 0


def test_requests_after_a_pause_are_not_spaced() -> None:
    pace = Pace(0)
    pace.pause(100.0, 30)
    assert pace.record(130.0, 110.0) == 20, "the wait due to the pause, without the queue"
    assert pace.wait(130.0) == pytest.approx(GAP_AFTER_PAUSE)
    pace.record(130.05, 130.01)
    assert pace.wait(130.05) == 0


def test_what_is_queued_behind_a_queue_after_a_pause_is_spaced_as_well() -> None:
    pace = Pace(0)
    pace.pause(100.0, 30)
    sent_after(pace, 110.0, 3)
    pace.record(130.2, 130.05)  # queued before the third was sent
    assert pace.wait(130.2) == pytest.approx(GAP_AFTER_PAUSE)
    pace.record(130.4, 130.3)
    assert pace.wait(130.4) == 0


def test_long_queue_after_a_pause_gets_faster() -> None:
    pace = Pace(0)
    pace.pause(100.0, 30)
    sent = sent_after(pace, 100.0, 1000)
    assert sent[200] == pytest.approx(40), "20 a second"
    assert sent[600] == pytest.approx(50), "40 a second"
    assert sent[-1] == pytest.approx(55, abs=0.1), "80 a second"


def test_the_pace_may_change_while_others_wait() -> None:
    pace = Pace(10)
    pace.set_rate(1)
    assert sent_after(pace, 100.0, 2) == pytest.approx([0, MARGIN])


def test_burst_recovers_with_the_rate() -> None:
    pace, gap = Pace(100 / 3600, burst=9), MARGIN * 36
    sent_after(pace, 1000.0, 9)
    pace.slow_down(1000.0)
    pace.pause(1000.0, 60)
    waits = [0.0, *sent_after(pace, 1000.0, 6)]
    gaps = [round(later - earlier, 6) for earlier, later in pairwise(waits)]
    assert gaps[0] == pytest.approx(SLOWDOWN * gap)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] == pytest.approx(gap)


def test_slowdown_adds_nothing_to_a_burst() -> None:
    pace = Pace(1, burst=9)
    assert sent_after(pace, 1000.0, 9) == pytest.approx([0] * 9)
    pace.slow_down(1000.0)
    assert pace.wait(1000.0) == pytest.approx(SLOWDOWN * MARGIN)
