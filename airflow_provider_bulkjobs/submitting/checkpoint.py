# SPDX-License-Identifier: Apache-2.0
"""The progress of a submit, and the protocol of the store that keeps it."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self

from airflow_provider_bulkjobs.exceptions import BulkJobError
from airflow_provider_bulkjobs.protocol.flow import SaveProgress

SUBMIT_ID_BYTES = 8


class CheckpointError(BulkJobError):
    """The checkpoint of a submit could not be written or read."""


@dataclass(frozen=True)
class Finished:
    """The task has its result. Only after a clear of the task is the next run a new submit.

    :param max_tries: of the task instance at that time. A clear increases it, a retry does not.
    :param submitted: number of records submitted.
    :param rejected: number of records left out.
    """

    max_tries: int | None
    submitted: int
    rejected: int


@dataclass
class Checkpoint:
    """The progress of a submit, from which a retry resumes.

    :param fingerprint: hash of the records and options submitted.
    :param accepted: number of requests that the vendor has accepted, or of which it has refused all records.
    :param in_flight: whether the next request may have been sent, and must not be sent again.
    :param open_items: number of records in the accepted requests of the last job, to which more may be appended.
    :param refused: indices of the records that the vendor has refused, and that were left out.
    :param progress: what the next request has saved of its steps, such as the id of a job that was created.
    :param is_harmless: whether nothing was imported by these steps.
    :param finished: set once the task has its result.
    :param target: hash of the connection, the job kind and the operation.
    :param submit_id: random, so that no other submit has it; empty in a checkpoint of an earlier version.
    :param unordered_fingerprint: checksum of the records that does not depend on their order.
    """

    fingerprint: str
    accepted: int = 0
    in_flight: bool = False
    job_ids: list[str] = field(default_factory=list)
    finished: Finished | None = None
    progress: dict[str, str | int] = field(default_factory=dict)
    is_harmless: bool = False
    unordered_fingerprint: str = ""
    open_items: int = 0
    refused: list[int] = field(default_factory=list)
    submit_id: str = ""
    target: str = ""

    @property
    def has_sent(self) -> bool:
        """Whether the vendor has accepted anything, or may have."""
        is_begun = bool(self.progress) and not self.is_harmless
        return self.in_flight or is_begun or bool(self.job_ids)  # no job: the vendor has refused all records

    def accept(self, job_id: str | None, items: int) -> None:
        """Record that a request was accepted.

        :param job_id: the job that it has created, or was appended to; ``None`` if the vendor has refused all records.
        :param items: the number of records in it.
        """
        self.in_flight = False
        self.accepted += 1
        self.forget_progress()
        if job_id is None:
            return
        if job_id in self.job_ids[-1:]:
            self.open_items += items
            return
        self.open_items = items
        if job_id not in self.job_ids:
            self.job_ids.append(job_id)

    def add_progress(self, step: SaveProgress) -> None:
        """Record a step of the next request, which has ended."""
        values = {**self.progress, **step.values}
        self.progress = {name: value for name, value in values.items() if value != ""}
        self.is_harmless = step.harmless
        self.in_flight = False

    def forget_progress(self) -> None:
        """Forget the steps of the next request: it was accepted, or they were withdrawn."""
        self.progress.clear()
        self.is_harmless = False

    def to_json(self) -> dict[str, Any]:
        """Return the checkpoint as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the checkpoint from the output of :meth:`to_json`."""
        finished = values.get("finished")
        return cls(**{**values, "finished": Finished(**finished) if finished else None})


def new_submit_id() -> str:
    """Return a random id for a new submit."""
    return secrets.token_hex(SUBMIT_ID_BYTES)


class CheckpointStore(Protocol):
    """A store for the checkpoint of a submit."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Save the checkpoint.

        :raises CheckpointError: the checkpoint could not be written.
        """

    def publish(self, checkpoint: Checkpoint) -> None:
        """Publish the job ids for other tasks, if they have changed."""
