# SPDX-License-Identifier: Apache-2.0
"""How single items of a job fared, as far as the vendor tells."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple

from airflow_provider_bulkjobs.protocol.flow import Download, Request, Response


class ItemResult(NamedTuple):
    """One item, or one task of items where the vendor tells no more.

    :param status: ``created``, ``updated``, ``deleted``, ``failed``, ``exported`` …
    :param error: the vendor's own words for what went wrong.
    :param item: the item as the vendor tells it.
    """

    status: str
    error: str | None
    item: Mapping[str, Any]


# Yields requests, whose answers it is sent, and what it has found out, for which nothing is sent.
ResultsFlow = Generator[Request | Download | list[ItemResult], Response, None]
