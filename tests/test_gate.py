# SPDX-License-Identifier: Apache-2.0
import pytest

from airflow_provider_bulkjobs.protocol.job import JobState
from airflow_provider_bulkjobs.waiting.gate import judge


def result(state="partially_failed", total=None, failed=None):
    return {"state": state, "total": total, "failed": failed}


@pytest.mark.parametrize("allowed", [0, 10, 0.5, None])
def test_success_passes(allowed):
    assert judge(result("succeeded", 100, 0), allowed).passed
    assert judge(result("succeeded"), allowed).passed


@pytest.mark.parametrize("state", [state for state in JobState if state not in {"succeeded", "partially_failed"}])
def test_nothing_else_passes(state):
    assert not judge(result(state.value, 100, 0), None).passed


@pytest.mark.parametrize(
    ("total", "failed", "allowed", "passed"),
    [
        (100, 3, 0, False),
        (100, 3, 2, False),
        (100, 3, 3, True),
        (None, 3, 3, True),
        (100, 3, 0.0, False),
        (100, 3, 0.029, False),
        (100, 3, 0.03, True),
        (100, 100, 0.99, False),
        (100, 100, None, True),
        (None, None, None, True),
    ],
)
def test_failed_items(total, failed, allowed, passed):
    assert judge(result(total=total, failed=failed), allowed).passed is passed


def test_a_success_that_counts_failures_is_held_to_them():
    assert not judge(result("succeeded", 100, 1), 0).passed


@pytest.mark.parametrize("allowed", [0, 5, 0.5])
def test_unknown_number_of_failures(allowed):
    verdict = judge(result(total=100), allowed)
    assert not verdict.passed
    assert "allowed_failures=None" in verdict.reason


def test_share_of_an_unknown_total():
    verdict = judge(result(failed=3), 0.05)
    assert not verdict.passed
    assert "expected_items" in verdict.reason
    assert judge(result(failed=3), 0.05, expected_items=60).passed
    assert not judge(result(failed=3), 0.05, expected_items=59).passed


def test_the_vendors_total_beats_the_expected_one():
    assert not judge(result(total=10, failed=3), 0.05, expected_items=1000).passed


def test_failures_of_a_total_of_zero():
    assert not judge(result(total=0, failed=3), 0.5).passed
