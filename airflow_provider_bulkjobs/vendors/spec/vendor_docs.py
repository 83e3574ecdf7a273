# SPDX-License-Identifier: Apache-2.0
"""What people want to know of a vendor before they start, and no code can tell: the prose of its page in the docs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VendorDocs:
    """Sentences about a vendor.

    :param permissions: what the credentials must be allowed to do; the connection test says it where they are not.
    :param limits: what the vendor limits, beside what the operations declare: rates, retention, plans.
    :param not_reported: what the vendor does not tell, so that nobody looks for it here.
    """

    permissions: str = ""
    limits: tuple[str, ...] = ()
    not_reported: tuple[str, ...] = ()
