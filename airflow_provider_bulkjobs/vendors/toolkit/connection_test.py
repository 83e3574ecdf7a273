# SPDX-License-Identifier: Apache-2.0
"""Building blocks of the vendors' connection tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_bulkjobs.exceptions import BulkJobError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor


def require_vendor_response(vendor: Vendor, account: Account, proof: object) -> None:
    """Check that a response comes from the vendor's API: any server may respond with status 200.

    :param proof: a value that only the vendor's API returns; falsy if it is missing.
    :raises VendorAPIError: ``proof`` is falsy.
    """
    if not proof:
        host = urlsplit(vendor.base_url(account)).hostname
        raise VendorAPIError(
            f"Unexpected response from {host}: not the {vendor.label} API. Check the host of {account.name}."
        )


def request_optional(path: str) -> Flow[Mapping[str, Any]]:
    """Request optional information; return an empty mapping on errors, because the connection was tested already."""
    try:
        return (yield Request("GET", path)).json
    except BulkJobError:
        return {}


def format_identity(name: object, number: object) -> str:
    """Return a name with its id. The id remains if the name is an e-mail address, which is redacted."""
    if not name:
        return f"id {number}"
    return f"{name!r} (id {number})" if number else repr(name)
