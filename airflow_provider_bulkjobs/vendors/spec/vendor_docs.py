# SPDX-License-Identifier: Apache-2.0
"""The prose of a vendor's page in the docs: facts that cannot be generated from its declaration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VendorDocs:
    """Sentences about a vendor.

    :param permissions: the permissions that the credentials need; the connection test shows them if they are missing.
    :param limits: limits that the operations do not declare: rates, retention, plans.
    :param not_reported: data that the vendor does not report, and the consequence in the result.
    """

    permissions: str = ""
    limits: tuple[str, ...] = ()
    not_reported: tuple[str, ...] = ()
