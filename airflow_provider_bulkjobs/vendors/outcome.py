# SPDX-License-Identifier: Apache-2.0
"""How single items of a job fared, as far as the vendor tells."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from airflow_provider_bulkjobs.errors import JobNotFoundError, NotFinishedError, TransientError
from airflow_provider_bulkjobs.vendors.base import Conversation, Request, Response, States


class Outcome(NamedTuple):
    """One item, or one task of items where the vendor tells no more.

    :param status: ``created``, ``updated``, ``deleted``, ``failed``, ``exported`` …
    :param error: the vendor's own words for what went wrong.
    :param item: the item as the vendor tells it.
    """

    status: str
    error: str | None
    item: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Download:
    """A file with one item per row.

    :param url: where it is. It gets no credentials, whatever the vendor says.
    :param status: what being in the file means for an item.
    :param format: how the file is written, gzipped or not.
    :param own: ``url`` is a path on the account's own host, not taken from an answer; it gets the credentials.
    :param error_field: the column that tells what went wrong.
    """

    url: str
    status: str
    format: Literal["csv", "jsonl"] = "csv"
    error_field: str | None = None
    own: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


# Yields requests, whose answers it is sent, and what it has found out, for which nothing is sent.
ResultsConversation = Generator[Request | Download | list[Outcome], Response, None]


def ask_more(vendor: str, path: str) -> Conversation[dict[str, Any]]:
    """Ask for more of a job whose state has just been told: its errors, or how its items fared.

    :raises TransientError: that is not found. Whether the job itself is gone only its state may say, which is asked
        for first when all of it is asked again.
    """
    try:
        return (yield Request("GET", path)).json
    except JobNotFoundError as error:
        raise TransientError(f"{vendor} has told the state of the job, but not what belongs to it: {error}") from error


def finished_word(states: States, answer: Mapping[str, Any]) -> str:
    """Return the word for the state of a job that is over.

    :raises NotFinishedError: it is not, so that its results would be half of them.
    """
    state, word = states.read(answer)
    if not state.is_finished:
        raise NotFinishedError(
            f"the job is still {word!r}: wait for it with BulkJobSensor before asking for its results"
        )
    return word
