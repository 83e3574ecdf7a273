# SPDX-License-Identifier: Apache-2.0
"""Processes that share an account without knowing of each other: "too many requests" slows them down, time heals.

Time is simulated.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from airflow_provider_bulkjobs.http.pacing import GAP_AFTER_PAUSE, MARGIN, MAX_SLOWDOWN, RECOVERY, SLOWDOWN, Pace
from airflow_provider_bulkjobs.http.rate_limiter import RateLimiter
from airflow_provider_bulkjobs.http.responses import DEFAULT_PAUSE
from airflow_provider_bulkjobs.http.thread_rate_limiter import ThreadRateLimiter
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit

PER_SECOND = 5
MINUTES = 20
LATENCY = 0.1  # seconds
GROUP = RateLimit(("/slow",), 1, seconds=1.0)


@dataclass
class LastSecond:
    """A vendor that accepts so many requests in any second."""

    accepted: deque[float] = field(default_factory=deque)

    def accepts(self, now: float) -> bool:
        while self.accepted and self.accepted[0] <= now - 1:
            self.accepted.popleft()
        if len(self.accepted) == PER_SECOND:
            return False
        self.accepted.append(now)
        return True


@dataclass
class FixedSecond:
    """A vendor that counts requests from one full second to the next."""

    second: int = -1
    count: int = 0

    def accepts(self, now: float) -> bool:
        if int(now) != self.second:
            self.second, self.count = int(now), 0
        self.count += 1
        return self.count <= PER_SECOND


@dataclass
class TokenBucket:
    """A vendor that has a token per request, and gets new ones all the time."""

    tokens: float = PER_SECOND
    filled_at: float = 0.0

    def accepts(self, now: float) -> bool:
        self.tokens = min(self.tokens + (now - self.filled_at) * PER_SECOND, PER_SECOND)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def simulate(vendor: LastSecond | FixedSecond | TokenBucket, processes: int, seed: int) -> tuple[int, int]:
    """Let processes send as many requests as they may; return how many were accepted and refused."""
    chance = random.Random(seed)
    paces = [Pace(PER_SECOND) for _ in range(processes)]
    accepted = refused = 0
    # When a process is ready to send (True), or receives a 429.
    events = [(chance.uniform(0, 1), number, True) for number in range(processes)]
    while events[0][0] < MINUTES * 60:
        now, number, is_ready = heapq.heappop(events)
        pace = paces[number]
        if not is_ready:
            pace.slow_down(now)
            pace.pause(now, DEFAULT_PAUSE)
        elif wait := pace.wait(now):
            heapq.heappush(events, (now + wait + chance.uniform(0, 0.003), number, True))
        else:
            pace.record(now, now)
            heapq.heappush(events, (now + 0.001, number, True))
            if vendor.accepts(now):
                accepted += 1
            else:
                refused += 1
                heapq.heappush(events, (now + LATENCY, number, False))
    return accepted, refused


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("processes", [2, 6])
@pytest.mark.parametrize("vendor", [LastSecond, FixedSecond, TokenBucket])
def test_at_most_one_429_per_process_and_minute(vendor: type, processes: int, seed: int) -> None:
    accepted, refused = simulate(vendor(), processes, seed)
    assert refused <= processes * MINUTES
    assert accepted >= 0.45 * PER_SECOND * MINUTES * 60, "and the account is still used"


@pytest.mark.parametrize("vendor", [LastSecond, FixedSecond, TokenBucket])
def test_one_process_gets_no_429(vendor: type) -> None:
    accepted, refused = simulate(vendor(), 1, 0)
    assert refused == 0
    assert accepted >= 0.9 * PER_SECOND * MINUTES * 60 / MARGIN


def test_429_divides_the_rate_and_silence_restores_it() -> None:
    pace = Pace(10)
    pace.slow_down(100.0)
    assert pace.gap == pytest.approx(SLOWDOWN * MARGIN / 10)
    pace.record(100.0 + RECOVERY, 100.0)
    assert pace.gap == pytest.approx(SLOWDOWN / 2 * MARGIN / 10)
    pace.record(100.0 + 2 * RECOVERY, 100.0)
    assert pace.gap == pytest.approx(MARGIN / 10)


def test_429s_of_the_same_moment_count_once() -> None:
    pace = Pace(10)
    pace.slow_down(100.0)
    pace.slow_down(100.5)
    pace.pause(100.5, 30)
    pace.slow_down(130.0)
    assert pace.gap == pytest.approx(SLOWDOWN * MARGIN / 10)


def test_many_429s_do_not_stop_the_process() -> None:
    pace = Pace(10)
    for number in range(100):
        pace.slow_down(100.0 + 2 * number)
    assert pace.gap == pytest.approx(MAX_SLOWDOWN * MARGIN / 10)


@pytest.mark.parametrize("burst", [1, 9])
def test_429_limits_a_connection_without_a_rate_for_a_while(burst: int) -> None:
    pace = Pace(burst=burst)
    pace.slow_down(100.0)
    pace.record(100.0, 100.0)
    assert pace.wait(100.0) == pytest.approx(SLOWDOWN * GAP_AFTER_PAUSE)
    pace.record(100.0 + 3 * RECOVERY, 100.0 + 3 * RECOVERY)
    assert pace.gap == pace.wait(100.0 + 3 * RECOVERY) == 0


def test_a_changed_rate_stays_reduced() -> None:
    pace = Pace(10)
    pace.slow_down(100.0)
    pace.set_rate(1)
    assert pace.gap == pytest.approx(SLOWDOWN * MARGIN)


@pytest.mark.parametrize("make", [lambda: RateLimiter("mine"), lambda: ThreadRateLimiter(0.0)])
def test_429_of_a_group_does_not_slow_the_account(make) -> None:
    limiter = make()
    limiter.slow_down(GROUP)
    assert limiter.try_acquire()
    assert limiter.try_acquire()
    limiter.slow_down()
    assert not (limiter.try_acquire() and limiter.try_acquire())
