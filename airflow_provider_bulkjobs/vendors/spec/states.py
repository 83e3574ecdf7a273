# SPDX-License-Identifier: Apache-2.0
"""The mapping from a vendor's job states to :class:`JobState`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError, UnknownStateError
from airflow_provider_bulkjobs.protocol.job import JobState
from airflow_provider_bulkjobs.protocol.redact import redact


@dataclass(frozen=True, slots=True)
class States:
    """The documented job states of a vendor.

    :param vendor: the vendor's name, for messages.
    :param docs_url: the documentation of the states.
    :param key: the key of the state in the response.
    :param words: the vendor's state names and their meaning.
    :param any_case: upper and lower case are the same, as the vendor's own sources differ.
    :param remarks: what users should know about a state, for the log of a wait: why it may last, say.
    """

    vendor: str
    docs_url: str
    key: str
    words: Mapping[str, JobState]
    any_case: bool = False
    remarks: Mapping[str, str] = field(default_factory=dict)

    def read(self, body: Mapping[str, Any]) -> tuple[JobState, str]:
        """Return the state in a response, and the vendor's name for it.

        :raises TransientError: the response has no state; a retry may return one.
        :raises UnknownStateError: the state is not documented.
        """
        word = body.get(self.key)
        if word is None:
            raise TransientError(f"{self.vendor} response has no {self.key!r}")
        state = self.words.get(word) if isinstance(word, str) else None
        if state is None and self.any_case and isinstance(word, str):
            state = next((each for name, each in self.words.items() if name.lower() == word.lower()), None)
        if state is None:
            raise UnknownStateError(
                f"{self.vendor} returned {self.key}={redact(str(word))[:60]!r}, which is not a documented state "
                f"({', '.join(self.words)}). See {self.docs_url}"
            )
        return state, word
