# SPDX-License-Identifier: Apache-2.0
"""The result of each item of a job, as far as the vendor reports it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple

from airflow_provider_bulkjobs.protocol.flow import Download, Request, Response


class ItemResult(NamedTuple):
    """The result of one item, or of one task if the vendor reports no single items.

    :param status: ``created``, ``updated``, ``deleted``, ``failed``, ``exported`` …
    :param error: the vendor's error message.
    :param item: the item as the vendor reports it.
    """

    status: str
    error: str | None
    item: Mapping[str, Any]


# Yields requests, and receives their responses; also yields lists of results, and receives None for them.
ResultsFlow = Generator[Request | Download | list[ItemResult], Response, None]
