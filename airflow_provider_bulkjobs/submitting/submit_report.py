# SPDX-License-Identifier: Apache-2.0
"""How far a submit has come, in words: what was accepted, what is unknown, what was not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.submitting.batches import Batch, Batcher
    from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint

MOST_NAMED = 20  # job ids in a message


def describe_request(progress: Checkpoint, vendor: str) -> str:
    """Return the state of a submit without records, which is one request."""
    if progress.accepted:
        return f"The request was accepted ({named(progress.job_ids)})."
    if progress.in_flight:
        return f"The outcome of the request is unknown. Check {vendor} before you submit it again."
    return "The request was not accepted."


def describe_batches(progress: Checkpoint, batcher: Batcher, vendor: str) -> str:
    """Return the state of a submit of records, with the lines that each part of it has."""
    accepted, total = progress.accepted, batcher.requests
    words = f"{accepted} of {total} batches accepted"
    if accepted:
        first, last = _portion(batcher, 1), _portion(batcher, accepted)
        words += f" ({lines(first.first, last.last)}; {named(progress.job_ids)})"
    if accepted == total:
        return f"{words}."
    number = accepted + 1
    following = _portion(batcher, number)
    outcome = "outcome unknown" if progress.in_flight else "not accepted"
    words += f". Batch {number} ({lines(following.first, following.last)}): {outcome}."
    if number + 1 == total:
        words += f" Batch {total}: not sent."
    elif number < total:
        words += f" Batches {number + 1}-{total}: not sent."
    if progress.in_flight:
        words += f" Check {vendor} for batch {number}, then submit the remaining lines."
    return words


def lines(first: int, last: int) -> str:
    """Return a range of lines in words."""
    return f"line {first}" if first == last else f"lines {first}-{last}"


def named(job_ids: list[str]) -> str:
    """Return the last job ids, as many as fit into a message."""
    more = f" and {len(job_ids) - MOST_NAMED} more" if len(job_ids) > MOST_NAMED else ""
    return f"job ids {', '.join(job_ids[-MOST_NAMED:])}{more}" if job_ids else "no job ids"


def _portion(batcher: Batcher, number: int) -> Batch:
    return next(batcher.batches(number - 1))
