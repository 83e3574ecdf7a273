# SPDX-License-Identifier: Apache-2.0
"""Jobs: what was submitted, how each item fared, and how far the work has come.

Whatever can be known is decided at the submit; time only uncovers it. So a job needs no task in the background,
and its state is a pure function of the clock.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

# A vendor's word for a state; ActiveCampaign's first one is the JSON value false.
Word = str | bool | int | float | None

CREATED, UPDATED, DELETED, FAILED = "created", "updated", "deleted", "failed"


class Row(NamedTuple):
    """One item of a job.

    :param key: what its sender knows it by: an e-mail address or an id.
    :param outcome: ``created``, ``updated``, ``deleted`` or ``failed``.
    :param contact_id: the vendor's number for it.
    :param error: why it failed.
    """

    key: str
    outcome: str
    contact_id: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of jobs of a vendor: the words it uses, in the order they come.

    :param steps: the words of an unfinished job.
    :param ends: the words of a finished one; the first is success.
    """

    steps: tuple[Word, ...]
    ends: tuple[str, ...]


@dataclass(slots=True)
class Task:
    """A stretch of work that passes evenly through its steps to its end.

    :param began: ``None`` as long as it waits for its data.
    """

    id: str
    rows: Sequence[Row]
    steps: tuple[Word, ...]
    end: Word
    created: float
    seconds: float
    began: float | None

    def word(self, now: float) -> Word:
        """Return where the work stands."""
        if self.began is None:
            return self.steps[0]
        if now >= self.finished:
            return self.end
        step = int((now - self.began) / self.seconds * len(self.steps))
        return self.steps[max(0, min(step, len(self.steps) - 1))]  # a clock may have been set back

    @property
    def started(self) -> float:
        """When it left its first step."""
        return (self.began or self.created) + self.seconds / len(self.steps)

    @property
    def finished(self) -> float:
        """When it is, or will be, at its end."""
        return (self.began or self.created) + self.seconds


@dataclass
class Job:
    """A job of some vendor: one task, or several where the vendor lets people append.

    :param action: what it does: ``upsert``, ``delete`` ...
    :param script: the words to answer, one per poll, the last one for ever; overrides the tasks.
    :param body: a whole answer to a poll, overriding everything.
    :param extra: what only its vendor needs to remember.
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
    # What makes the address of its files unguessable.
    signature: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def scripted_word(self) -> Word:
        """The word of the latest poll."""
        return self.script[min(max(self.polls - 1, 0), len(self.script) - 1)]

    @property
    def rows(self) -> Iterator[Row]:
        """All items."""
        return (row for task in self.tasks for row in task.rows)

    @property
    def items(self) -> int:
        """How many items there are."""
        return sum(len(task.rows) for task in self.tasks)

    @cached_property
    def counts(self) -> Counter[str]:
        """How many items had which outcome; only for jobs that nobody appends to."""
        return Counter(row.outcome for row in self.rows)


def scripted_rows(items: int, failed: int) -> list[Row]:
    """Return made-up items, the failing ones last."""
    good = [Row(f"contact-{n}@example.com", CREATED, n) for n in range(1, items - failed + 1)]
    bad = [
        Row(f"contact-{n}.example.com", FAILED, n, "A valid email is required.")
        for n in range(items - failed + 1, items + 1)
    ]
    return good + bad


def fault_of(item: Mapping[str, Any]) -> str:
    """Return what is wrong with an item, or nothing; the one rule all vendors share."""
    email = item.get("email")
    if email is not None and "@" not in str(email):
        return "A valid email is required."
    if any(str(item.get(key, "")).startswith("bad") for key in ("id", "company_id")):
        return "Item was not found."
    return ""
