# SPDX-License-Identifier: Apache-2.0
"""What the vendors' connection tests have in common."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow_provider_bulkjobs.errors import VendorAnswerError
from airflow_provider_bulkjobs.vendors.account import Account
from airflow_provider_bulkjobs.vendors.base import Vendor


def recognize(vendor: Vendor, account: Account, proof: object) -> None:
    """Believe an answer only if it has what nobody but the vendor sends: a good status alone is anybody's.

    :param proof: what was looked for, or nothing.
    :raises VendorAnswerError: it is not there.
    """
    if not proof:
        host = urlsplit(vendor.base_url(account)).hostname
        raise VendorAnswerError(
            f"The host {host} answered, but not as {vendor.label} does. "
            f"Check the host of connection {account.conn_id!r}."
        )
