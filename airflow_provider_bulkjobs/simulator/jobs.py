# SPDX-License-Identifier: Apache-2.0
"""Jobs: the submitted items, their outcomes, and the progress of the job.

All outcomes are determined at the submit, and the state is a pure function of the clock. So a job needs no
background task.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

# A vendor's name for a state; ActiveCampaign's first state is the JSON value false.
Word = str | bool | int | float | None

CREATED, UPDATED, DELETED, FAILED = "created", "updated", "deleted", "failed"
EXPORTED = "exported"  # not an item that was submitted


class Row(NamedTuple):
    """One item of a job.

    :param key: the identifier in the request: an e-mail address or an id.
    :param outcome: ``created``, ``updated``, ``deleted``, ``failed`` or ``exported``.
    :param contact_id: the vendor's id of the item; empty if it has none.
    :param error: the reason of a failure.
    """

    key: str
    outcome: str
    contact_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class JobStates:
    """The states of one job kind of a vendor.

    :param steps: the states of an unfinished job, in order.
    :param success: the state of a finished job.
    :param partial: the state if some items failed; ``None``: that is a success as well.
    :param failed: the state if all items failed; ``None``: that is as if some had failed.
    :param canceled: the state of a canceled job.
    :param others: the final states that only scripted jobs have.
    """

    steps: tuple[Word, ...]
    success: Word
    partial: Word = None
    failed: Word = None
    canceled: Word = None
    others: tuple[Word, ...] = ()

    def end_of(self, rows: Sequence[Row]) -> Word:
        """Return the final state of a job with these items."""
        failed = sum(row.outcome == FAILED for row in rows)
        if failed and failed == len(rows) and self.failed is not None:
            return self.failed
        return self.success if not failed or self.partial is None else self.partial

    def is_final(self, word: Word) -> bool:
        """Return whether a state is final."""
        ends = (self.success, self.partial, self.failed, self.canceled, *self.others)
        return word is not None and word in ends


@dataclass
class Task:
    """A unit of work that spends the same time in each of its steps.

    :param began: the start time; ``None`` while the task waits for its data.
    """

    id: str
    rows: Sequence[Row]
    steps: tuple[Word, ...]
    end: Word
    created: float
    seconds: float
    began: float | None

    def word(self, now: float) -> Word:
        """Return the state at a given time."""
        if self.began is None:
            return self.steps[0]
        if now >= self.finished:
            return self.end
        step = int((now - self.began) / self.seconds * len(self.steps))
        return self.steps[max(0, min(step, len(self.steps) - 1))]  # the clock may have been set back

    @property
    def started(self) -> float:
        """The time at which the task leaves its first step."""
        return (self.began or self.created) + self.seconds / len(self.steps)

    @property
    def finished(self) -> float:
        """The time at which the task is finished."""
        return (self.began or self.created) + self.seconds

    @cached_property
    def counts(self) -> Counter[str]:
        """The number of items per outcome."""
        return Counter(row.outcome for row in self.rows)


@dataclass
class Job:
    """A job: one task, or several if the vendor supports appending.

    :param action: the vendor's name of the operation.
    :param script: the states to return, one per poll; the last one is repeated. Overrides the tasks.
    :param body: the complete body of a poll response; overrides everything else.
    :param extra: vendor-specific data.
    """

    id: str
    kind: str
    action: str
    created: float
    tasks: list[Task]
    script: Sequence[Word] = ()
    body: Any = None
    canceled: bool = False
    polls: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    # Part of the signed URLs of its files.
    signature: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def scripted_word(self) -> Word:
        """The state of the latest poll."""
        return self.script[min(max(self.polls - 1, 0), len(self.script) - 1)]

    @property
    def rows(self) -> Iterator[Row]:
        """All items."""
        return (row for task in self.tasks for row in task.rows)

    @property
    def items(self) -> int:
        """The number of items."""
        return sum(len(task.rows) for task in self.tasks)

    @property
    def counts(self) -> Counter[str]:
        """The number of items per outcome."""
        return sum((task.counts for task in self.tasks), Counter())


def scripted_rows(items: int, failed: int) -> list[Row]:
    """Return generated items; the failed ones are last."""
    good = [Row(f"contact-{n}@example.com", CREATED, str(n)) for n in range(1, items - failed + 1)]
    bad = [
        Row(f"contact-{n}.example.com", FAILED, str(n), "A valid email is required.")
        for n in range(items - failed + 1, items + 1)
    ]
    return good + bad
