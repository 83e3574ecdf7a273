# SPDX-License-Identifier: Apache-2.0
"""How far a submit has come, and where that is noted down."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


@dataclass
class Progress:
    """How far a submit has come: what a second try has to know.

    :param fingerprint: of the records and options that are submitted.
    :param accepted: how many requests the vendor has accepted.
    :param committing: whether the next one may be on its way, and must not be sent again.
    """

    fingerprint: str
    accepted: int = 0
    committing: bool = False
    job_ids: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)


class Ledger(Protocol):
    """Where the progress is noted down."""

    def save(self, progress: Progress) -> None:
        """Note down the progress."""
