# SPDX-License-Identifier: Apache-2.0
"""The progress of a submit for messages: batches accepted, unknown and not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_bulkjobs.protocol.redact import redact

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.submitting.batches import Batch, Batcher
    from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint

MAX_LISTED = 20  # job ids in a message


def describe_request(checkpoint: Checkpoint, vendor: str) -> str:
    """Return the progress of a submit without records, which is one request."""
    if checkpoint.accepted:
        return f"The request was accepted ({named(checkpoint.job_ids)})."
    if checkpoint.in_flight:
        return f"The outcome of the request is unknown{_begun(checkpoint)}. Check {vendor} before you submit it again."
    if checkpoint.progress:
        return f"The request was begun ({describe_progress(checkpoint)}) and not completed."
    return "The request was not accepted."


def describe_batches(checkpoint: Checkpoint, batcher: Batcher, vendor: str) -> str:
    """Return the progress of a submit of records, with the lines of the batches."""
    accepted, total = checkpoint.accepted, batcher.requests
    report = f"{accepted} of {total} batches accepted"
    if accepted:
        last = _batch(batcher, accepted)
        report += f" ({batcher.where(0, last.last_index)}; {named(checkpoint.job_ids)})"
    if accepted == total:
        return f"{report}."
    number = accepted + 1
    next_batch = _batch(batcher, number)
    outcome = f"outcome unknown{_begun(checkpoint)}" if checkpoint.in_flight else "not accepted"
    if checkpoint.progress and not checkpoint.in_flight:
        outcome = f"begun ({describe_progress(checkpoint)}), not completed"
    report += f". Batch {number} ({where_of(next_batch, batcher)}): {outcome}."
    if number + 1 == total:
        report += f" Batch {total}: not sent."
    elif number < total:
        report += f" Batches {number + 1}-{total}: not sent."
    if checkpoint.in_flight:
        report += f" Check {vendor} for batch {number}, then submit the remaining lines."
    return report


def describe_progress(checkpoint: Checkpoint) -> str:
    """Return the progress of a request that takes several steps as text: the vendor's ids."""
    return redact(", ".join(f"{name} {value}" for name, value in checkpoint.progress.items()))


def _begun(checkpoint: Checkpoint) -> str:
    return f" (begun: {describe_progress(checkpoint)})" if checkpoint.progress else ""


def where_of(batch: Batch, batcher: Batcher) -> str:
    """Return the location of the records of a batch as text."""
    return batcher.where(batch.before, batch.last_index)


def named(job_ids: list[str]) -> str:
    """Return the last job ids as text, at most ``MAX_LISTED``."""
    more = f" and {len(job_ids) - MAX_LISTED} more" if len(job_ids) > MAX_LISTED else ""
    return f"job ids {', '.join(job_ids[-MAX_LISTED:])}{more}" if job_ids else "no job ids"


def _batch(batcher: Batcher, number: int) -> Batch:
    return next(batcher.batches(number - 1))
