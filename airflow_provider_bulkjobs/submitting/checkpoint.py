# SPDX-License-Identifier: Apache-2.0
"""How far a submit has come, and where that is noted down."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self

from airflow_provider_bulkjobs.exceptions import BulkJobError


class CheckpointError(BulkJobError):
    """The checkpoint of a submit could not be written or read."""


@dataclass(frozen=True)
class Finished:
    """The task has its result. Only a clear of the task makes the next run a new submit.

    :param max_tries: of the task instance at that moment. A clear raises it, a retry does not.
    :param submitted: how many records were submitted.
    :param rejected: how many were left out.
    """

    max_tries: int | None
    submitted: int
    rejected: int


@dataclass
class Checkpoint:
    """How far a submit has come: what a second try has to know.

    :param fingerprint: of the records and options that are submitted.
    :param accepted: how many requests the vendor has accepted.
    :param in_flight: whether the next one may be on its way, and must not be sent again.
    :param finished: set once the task has its result.
    """

    fingerprint: str
    accepted: int = 0
    in_flight: bool = False
    job_ids: list[str] = field(default_factory=list)
    finished: Finished | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return what :meth:`to_json` has made JSON of."""
        finished = values.get("finished")
        return cls(**{**values, "finished": Finished(**finished) if finished else None})


class CheckpointStore(Protocol):
    """Where the progress is noted down."""

    def save(self, progress: Checkpoint) -> None:
        """Note down the progress.

        :raises CheckpointError: it could not be written.
        """

    def publish(self, progress: Checkpoint) -> None:
        """Make the job ids known to other tasks, if they are not yet."""
