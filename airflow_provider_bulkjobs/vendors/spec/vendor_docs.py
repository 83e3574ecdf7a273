# SPDX-License-Identifier: Apache-2.0
"""The prose of a vendor's page in the docs: facts that cannot be generated from its declaration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reported:
    """What a vendor reports about the jobs of a kind, as cells of the vendors' comparison.

    :param total: whether it reports how many items a job has.
    :param failed: whether it reports how many items have failed.
    :param created: whether it reports how many items were created and updated.
    :param failed_job: whether it reports that a job as a whole has failed.
    """

    total: str
    failed: str
    created: str
    failed_job: str


@dataclass(frozen=True, slots=True)
class VendorDocs:
    """Sentences about a vendor.

    :param reported: what the vendor reports, by job kind.
    :param retention: how long finished jobs and their results can be read, as the cell of a table.
    :param permissions: the permissions that the credentials need; the connection test shows them if they are missing.
    :param credentials: how to get the credentials, where the vendor's settings pages do not show them ready-made.
    :param limits: limits that the operations do not declare: rates, retention, plans.
    :param not_reported: data that the vendor does not report, and the consequence in the result.
    """

    reported: Mapping[str, Reported] = field(default_factory=dict)
    retention: str = "undocumented"
    permissions: str = ""
    credentials: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    not_reported: tuple[str, ...] = ()
