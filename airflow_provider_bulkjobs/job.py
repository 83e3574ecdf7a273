# SPDX-License-Identifier: Apache-2.0
"""What every vendor's answer becomes: a job, the state it is in, and how many items went which way."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

FAR_FUTURE = 253402300800  # 1 January 10000 in epoch seconds: where datetime ends


class JobState(StrEnum):
    """The states of a job, in the order in which they happen."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIALLY_FAILED = "partially_failed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_finished(self) -> bool:
        """Whether the vendor will not work on the job any more."""
        return self not in _UNFINISHED


_UNFINISHED = frozenset({JobState.PENDING, JobState.RUNNING})


@dataclass(frozen=True, slots=True)
class BulkJob:
    """One bulk job as its vendor tells it.

    Counts are numbers of items (contacts, companies, rows); ``None`` means that the vendor did not say,
    never zero. Times are UTC in ISO 8601.

    :param job_id: the vendor's id of the job.
    :param state: where the job stands.
    :param vendor_state: the vendor's own word for it.
    :param known: ``False`` while the vendor answers but has no record of the job yet.
    """

    job_id: str
    state: JobState
    vendor_state: str
    total: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    created: int | None = None
    updated: int | None = None
    deleted: int | None = None
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    known: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON, without the fields the vendor did not fill."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return {**values, "state": self.state.value}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> BulkJob:
        """Return the job that :meth:`to_json` was made from."""
        return cls(**{**values, "state": JobState(values["state"])})


def count(value: Any) -> int | None:
    """Return a vendor's number of items, or ``None`` for anything that is not one."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() else None
    if isinstance(value, (int, float)) and value >= 0 and value == value // 1:
        return int(value)
    return None


def utc_time(value: Any) -> str | None:
    """Return a vendor's time (epoch seconds or ISO 8601) as ISO 8601 in UTC, or ``None`` if it is neither."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC).isoformat() if 0 < value < FAR_FUTURE else None
    if not isinstance(value, str):
        return None
    import pendulum

    try:
        moment = pendulum.parse(value)
    except ValueError:
        return None
    return moment.in_timezone("UTC").isoformat() if isinstance(moment, pendulum.DateTime) else None
