# SPDX-License-Identifier: Apache-2.0
"""Whether the result of an import is good enough to go on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_bulkjobs.arguments import AllowedFailures
from airflow_provider_bulkjobs.protocol.job import JobState


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a result passes, and why not."""

    passed: bool
    reason: str


def judge(
    result: Mapping[str, Any], allowed_failures: AllowedFailures = 0, expected_items: int | None = None
) -> Verdict:
    """Hold the failed items of a result against what is allowed.

    :param result: what the sensor returns, with every job finished.
    :param allowed_failures: items as an ``int``, a share of all items as a ``float`` below 1, or ``None`` for any
        number of failed items. A job that failed or was canceled as a whole never passes.
    :param expected_items: how many items there were, where the vendor does not say.
    """
    state, failed, total = JobState(result["state"]), result["failed"], result["total"]
    if state is JobState.SUCCEEDED and not failed:
        return Verdict(passed=True, reason="nothing failed")
    if state not in {JobState.SUCCEEDED, JobState.PARTIALLY_FAILED}:
        return Verdict(passed=False, reason=f"the import is {state.value}")
    if allowed_failures is None:
        return Verdict(passed=True, reason="items failed, and any number of failed items is allowed")
    if failed is None:
        return Verdict(
            passed=False,
            reason="items failed, and the vendor does not say how many; look at the job, and set allowed_failures=None "
            "if any number of failed items will do",
        )
    if isinstance(allowed_failures, int):
        return _compare(failed, allowed_failures, f"{failed} items failed, {allowed_failures} are allowed")
    if total is None:
        total = expected_items
    if not total:
        return Verdict(
            passed=False,
            reason=f"{failed} items failed, and the vendor does not say of how many; set expected_items to the "
            "number of items submitted, or allowed_failures to a number of items",
        )
    share = f"{failed} of {total} items failed, a share of {failed / total:.4g}; {allowed_failures:g} is allowed"
    return _compare(failed / total, allowed_failures, share)


def _compare(failed: float, allowed: float, reason: str) -> Verdict:
    return Verdict(passed=failed <= allowed, reason=reason)
