# SPDX-License-Identifier: Apache-2.0
"""The result of each item of a job, as far as the vendor reports it: in responses, or in files."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from airflow_provider_bulkjobs.protocol.flow import Request, Response


class ItemResult(NamedTuple):
    """The result of one item, or of one task if the vendor reports no single items.

    :param status: ``created``, ``updated``, ``deleted``, ``failed``, ``warning`` (imported), ``exported`` …
    :param error: the vendor's error message.
    :param item: the item as the vendor reports it.
    :param record: the record of a failed item in the form in which it was submitted, if the vendor returns it; empty if
        an earlier result of the same job has it.
    """

    status: str
    error: str | None
    item: Mapping[str, Any]
    record: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """A file with one item per row.

    :param url: the URL. Credentials are never sent to it, unless ``own`` is set.
    :param status: the status of all items in the file; not needed with ``read_row``.
    :param format: ``csv``, ``jsonl`` (one object per line) or ``json`` (a list of objects). The file may be gzipped.
    :param delimiters: what may separate the cells of a CSV file; of several, the one that occurs first in its header.
    :param own: ``url`` is a path on the account's own host, or the URL of another host in ``Vendor.domains``; it gets
        the credentials.
    :param columns: columns that every such file has: without them it is no results file.
    :param error_field: the column with the error message.
    :param read_row: converts a row that has its own status; ``None`` leaves it out.
    :param archive: the files are members of such an archive.
    :param members: the members to read, as a pattern of their names: ``*.csv``.
    :param returns_records: a row has the record as it was submitted, in addition to the error.
    """

    url: str
    status: str = ""
    format: Literal["csv", "jsonl", "json"] = "csv"
    delimiters: str = ","
    columns: tuple[str, ...] = ()
    error_field: str | None = None
    own: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    read_row: Callable[[dict[str, Any]], ItemResult | None] | None = None
    archive: Literal["zip", "tar.gz"] | None = None
    members: str = "*"
    returns_records: bool = False


# Yields requests, and receives their responses; also yields lists of results, and receives None for them.
ResultsFlow = Generator[Request | Download | list[ItemResult], Response, None]
