# SPDX-License-Identifier: Apache-2.0
"""The connection test, and its messages for the connection form."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.exceptions import sentence
from airflow_provider_bulkjobs.protocol.redact import redact

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
    from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
    from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

MAX_SECONDS = 20.0  # a user is waiting for it
MAX_PAUSE = 5.0  # seconds of Retry-After between two requests


def run_test(vendor: Vendor, account: Account, transport: RequestsTransport) -> str:
    """Send the cheapest authenticated request; return a sentence that names the account."""
    from airflow_provider_bulkjobs.http.retry import RetryPolicy

    end = time.monotonic() + MAX_SECONDS
    policy = RetryPolicy(max_attempts=1, max_sleep=MAX_PAUSE, remaining=lambda: end - time.monotonic())
    flow = vendor.check(account)
    try:
        request = next(flow)
        while True:
            # Outages are thrown into the flow as well: it may have identified the account already.
            request = transport.step(flow, request, policy, thrown=errors.BulkJobError)
    except StopIteration as finished:
        return redact(str(finished.value), account.secrets)


def explain(vendor: Vendor, error: Exception) -> str:
    """Return the message for a failed test: what is wrong, and what to do."""
    match error:
        case errors.AuthenticationError():
            return _message(str(error), (field for field in vendor.fields if field.name == "password" or field.choices))
        case errors.PermissionDeniedError():
            return _message(f"{sentence(str(error))} {vendor.notes.permissions}")
        case errors.JobNotFoundError():
            return _message(f"{error.message}: the API is not at this address", _host(vendor))
        case errors.VendorUnavailableError() | errors.TransientError() | errors.VendorAPIError():
            return _message(str(error), _host(vendor))
        case errors.BulkJobError():
            return _message(str(error))
    return f"The connection test of {vendor.label} failed with an unexpected {type(error).__name__}. Check all fields."


def _message(text: str, fields: Iterable[Field] = ()) -> str:
    return f"{text[:1].upper()}{sentence(text)[1:]}{_help(fields)}"


def _host(vendor: Vendor) -> Iterator[Field]:
    return (field for field in vendor.fields if field.name == "host")  # a vendor may have but one address


def _help(fields: Iterable[Field]) -> str:
    text = ""
    for field in fields:
        example = f" Example: {field.placeholder}" if field.placeholder and field.name != "password" else ""
        text += f" {field.label}: {field.help}{example}"
    return text
