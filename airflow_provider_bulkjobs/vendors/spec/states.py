# SPDX-License-Identifier: Apache-2.0
"""The words of a vendor for the states of its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_bulkjobs.exceptions import TransientError, UnknownStateError
from airflow_provider_bulkjobs.protocol.job import JobState
from airflow_provider_bulkjobs.protocol.redact import redact


@dataclass(frozen=True, slots=True)
class States:
    """A vendor's words for the states of a job.

    :param vendor: the vendor's name, for messages.
    :param docs_url: where the words are documented.
    :param key: the key that the word stands under.
    """

    vendor: str
    docs_url: str
    key: str
    words: Mapping[str, JobState]

    def read(self, answer: Mapping[str, Any]) -> tuple[JobState, str]:
        """Return what an answer's word means, and the word.

        :raises TransientError: the answer has no state at all, which is nonsense and may pass.
        :raises UnknownStateError: the word is not among the documented ones.
        """
        word = answer.get(self.key)
        if word is None:
            raise TransientError(f"{self.vendor} answered without a {self.key!r}")
        state = self.words.get(word) if isinstance(word, str) else None
        if state is None:
            raise UnknownStateError(
                f"{self.vendor} answered {self.key}={redact(str(word))[:60]!r}, which is not a documented state "
                f"({', '.join(self.words)}); see {self.docs_url}"
            )
        return state, word
