# SPDX-License-Identifier: Apache-2.0
"""The gate: whether the result of an import is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_bulkjobs.arguments import AllowedFailures
from airflow_provider_bulkjobs.protocol.job import JobState


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a result passes, and the reason."""

    passed: bool
    reason: str


def judge(
    result: Mapping[str, Any], allowed_failures: AllowedFailures = 0, expected_items: int | None = None
) -> Verdict:
    """Compare the failed items of a result with the number or share allowed.

    :param result: the sensor's result; every job has finished.
    :param allowed_failures: items as an ``int``, a share of all items as a ``float`` below 1, or ``None`` for any
        number of failed items. A job that failed or was canceled as a whole never passes.
    :param expected_items: the number of items submitted, if the vendor does not report it.
    """
    state, failed, total = JobState(result["state"]), result["failed"], result["total"]
    if state is JobState.SUCCEEDED and not failed:
        return Verdict(passed=True, reason="nothing failed")
    if state not in {JobState.SUCCEEDED, JobState.PARTIALLY_FAILED}:
        return Verdict(passed=False, reason=f"the import is {state.value}")
    if allowed_failures is None:
        return Verdict(passed=True, reason="items failed, any number is allowed (allowed_failures=None)")
    if failed is None:
        return Verdict(
            passed=False,
            reason="items failed, and the vendor does not report how many; check the job, and set "
            "allowed_failures=None to accept any number of failed items",
        )
    if isinstance(allowed_failures, int):
        return _compare(failed, allowed_failures, f"{failed} items failed, {allowed_failures} allowed")
    if total is None:
        total = expected_items
    if not total:
        return Verdict(
            passed=False,
            reason=f"{failed} items failed, and the vendor does not report the total; set expected_items to the "
            "number of items submitted, or allowed_failures to a number of items",
        )
    share = f"{failed} of {total} items failed (share {failed / total:.4g}), share {allowed_failures:g} allowed"
    return _compare(failed / total, allowed_failures, share)


def _compare(failed: float, allowed: float, reason: str) -> Verdict:
    return Verdict(passed=failed <= allowed, reason=reason)
