# SPDX-License-Identifier: Apache-2.0
"""How a vendor takes dates and times, for which JSON and CSV have no type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

Plain = str | int


def iso_date(value: date) -> str:
    """Return a date in ISO 8601: ``2026-03-14``."""
    return date.isoformat(value)


def iso_time(value: datetime) -> str:
    """Return a time in ISO 8601, in UTC: ``2026-03-14T11:00:00Z``; with microseconds if it has any."""
    return datetime.isoformat(value.astimezone(UTC).replace(tzinfo=None)) + "Z"


def epoch_seconds(value: datetime) -> int:
    """Return a time in seconds since 1970."""
    return int(value.timestamp() // 1)


@dataclass(frozen=True, slots=True)
class ValueFormats:
    """The formats of dates and times. Text that a source already has is never changed.

    :param date: formats a date; ``None`` if the vendor takes none.
    :param moment: formats a time that has a time zone.
    :param date_remedy: what to do, if there is no format for dates.
    """

    date: Callable[[date], Plain] | None = iso_date
    moment: Callable[[datetime], Plain] = iso_time
    date_remedy: str = "convert it to text in the format that the vendor documents"


ISO_8601 = ValueFormats()
