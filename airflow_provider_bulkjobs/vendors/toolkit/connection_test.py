# SPDX-License-Identifier: Apache-2.0
"""What the vendors' connection tests have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_bulkjobs.exceptions import BulkJobError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor


def require_vendor_response(vendor: Vendor, account: Account, proof: object) -> None:
    """Believe an answer only if it has what nobody but the vendor sends: a good status alone is anybody's.

    :param proof: what was looked for, or nothing.
    :raises VendorAPIError: it is not there.
    """
    if not proof:
        host = urlsplit(vendor.base_url(account)).hostname
        raise VendorAPIError(
            f"The host {host} answered, but not as {vendor.label} does. Check the host of {account.name}."
        )


def request_optional(path: str) -> Flow[Mapping[str, Any]]:
    """Ask what is good to know beside; return nothing where it cannot be had, for the connection is good already."""
    try:
        return (yield Request("GET", path)).json
    except BulkJobError:
        return {}


def format_identity(name: object, number: object) -> str:
    """Return a name with its id, which still tells whose it is where the name is an e-mail address, and not shown."""
    if not name:
        return f"id {number}"
    return f"{name!r} (id {number})" if number else repr(name)
