# SPDX-License-Identifier: Apache-2.0
"""The job that every vendor's response is converted to: its state and its item counts."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

MAX_DIGITS = 15
MAX_COUNT = 10**MAX_DIGITS  # larger numbers are not counts
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")  # without it, "12:00" and "now" would be parsed as times of today
FAR_FUTURE = 253402300800  # 1 January 10000 in epoch seconds, which datetime cannot represent


class JobState(StrEnum):
    """The states of a job, in the order in which they occur."""

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
_COUNTED = frozenset({JobState.SUCCEEDED, JobState.PARTIALLY_FAILED})  # the vendor has processed every item


@dataclass(slots=True)  # not frozen, which would triple the cost per poll
class BulkJob:
    """One bulk job as reported by its vendor.

    Counts are numbers of items (contacts, companies, rows); ``None`` means that the vendor did not report one,
    never zero. Times are UTC in ISO 8601. Counts and state agree, by one rule for all vendors: items of a finished job
    that are in no count have failed, and a job with failed items has not succeeded.

    :param job_id: the vendor's id of the job.
    :param state: the normalized state.
    :param vendor_state: the state as reported by the vendor.
    :param known: ``False`` while the vendor responds, but has no record of the job yet.
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

    def __post_init__(self) -> None:
        """Make the counts and the state agree."""
        if self.total is not None and self.succeeded is not None:
            if self.state in _COUNTED and self.succeeded + (self.failed or 0) < self.total:
                self.failed = self.total - self.succeeded
            # Some vendors count a failed item as processed as well.
            self.succeeded = min(self.succeeded, max(self.total - (self.failed or 0), 0))
        if self.state is JobState.SUCCEEDED and self.failed:
            self.state = JobState.PARTIALLY_FAILED

    def with_unknown_failures(self, **counts: Any) -> BulkJob:
        """Return the finished job as one of which the vendor does not say how many items have failed, if any.

        :param counts: other counts to change, such as ``succeeded=None``.
        """
        return replace(self, state=JobState.PARTIALLY_FAILED, failed=None, **counts)

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON, without empty fields."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return {**values, "state": self.state.value}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> BulkJob:
        """Return the job that :meth:`to_json` has serialized."""
        return cls(**{**values, "state": JobState(values["state"])})


def count(value: Any) -> int | None:
    """Return a vendor's number of items, or ``None`` if the value is not a valid count."""
    if type(value) is int:  # the usual case, several times in every poll
        return value if 0 <= value < MAX_COUNT else None
    if value is None:
        return None
    number = _digits(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < MAX_COUNT:
        return None
    return int(number) if number == int(number) else None


def utc_time(value: Any) -> str | None:
    """Return a vendor's time (epoch seconds or ISO 8601) as ISO 8601 in UTC, or ``None`` if it is neither."""
    if value is None:
        return None
    if isinstance(value, str) and (digits := _digits(value)) is not None:
        value = digits
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC).isoformat() if 0 < value < FAR_FUTURE else None
    if not isinstance(value, str) or not ISO_DATE.match(value):
        return None
    try:
        moment = _parse_time(value)
        return moment.astimezone(UTC).isoformat() if moment else None
    except (ValueError, TypeError, OverflowError):
        return None


def _parse_time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)  # a tenth of pendulum's time, which counts: jobs report it in every poll
    except ValueError:
        import pendulum

        parsed = pendulum.parse(text)
        return parsed if isinstance(parsed, datetime) else None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _digits(value: str) -> int | None:
    return int(value) if len(value) <= MAX_DIGITS and value.isascii() and value.isdigit() else None
