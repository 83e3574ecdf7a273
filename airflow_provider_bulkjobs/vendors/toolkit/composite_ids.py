# SPDX-License-Identifier: Apache-2.0
"""Job ids that consist of several ids of the vendor, because the vendor needs all of them to find the job."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from airflow_provider_bulkjobs.arguments import read_job_id
from airflow_provider_bulkjobs.exceptions import BadArgumentError

SEPARATOR = ":"


@dataclass(frozen=True, slots=True)
class CompositeId:
    """A job id of several parts, joined by colons: ``384:6``.

    Parts are percent-encoded, so a part may contain any character. The result is a job id like any other.

    :param vendor: the vendor's name, for messages.
    :param names: what the parts are: ``("import", "sync")``.
    """

    vendor: str
    names: tuple[str, ...]

    def join(self, *values: str | int) -> str:
        """Return the job id.

        :raises BadArgumentError: a part is empty or invalid, or their number is wrong.
        """
        if len(values) != len(self.names):
            raise BadArgumentError(f"a job id of {self.vendor} has {len(self.names)} parts, and not {len(values)}")
        return read_job_id(SEPARATOR.join(quote(read_job_id(value), safe="") for value in values))

    def split(self, job_id: str) -> dict[str, str]:
        """Return the parts of a job id by their names.

        :raises BadArgumentError: it does not have these parts.
        """
        parts = [unquote(part) for part in job_id.split(SEPARATOR)]
        if len(parts) != len(self.names) or not all(map(_is_id, parts)):
            form = SEPARATOR.join(f"<{name}>" for name in self.names)
            raise BadArgumentError(
                f"job_id={job_id[:80]!r} is no job id of {self.vendor}, which has the form {form}. Pass the id that "
                "the submitting task returned."
            )
        return dict(zip(self.names, parts, strict=True))


def _is_id(part: str) -> bool:
    try:
        read_job_id(part)
    except BadArgumentError:
        return False
    return True
