# SPDX-License-Identifier: Apache-2.0
"""The protocol of what can be passed as ``records``, apart from lists, data frames and paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from airflow_provider_bulkjobs.submitting.row import Row


@runtime_checkable
class RecordSource(Protocol):
    """A source of records. It is read once per try, one row after the other."""

    def read_rows(self) -> Iterator[Row]:
        """Yield the rows; a table makes them with :meth:`Row.of_table`. Release all resources when the iterator closes.

        :raises BulkJobError: the source cannot be read. The message names the argument and what to do, and no values.
        """
