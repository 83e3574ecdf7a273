# SPDX-License-Identifier: Apache-2.0
"""The connection test, in words for whoever fills in the form."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_bulkjobs import exceptions as errors
from airflow_provider_bulkjobs.protocol.redact import redact

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
    from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
    from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

LONGEST = 20.0  # seconds after which nothing more is asked: somebody is sitting in front of it
MAX_PAUSE = 5.0  # seconds that the vendor may ask for between two questions


def ask(vendor: Vendor, account: Account, transport: RequestsTransport) -> str:
    """Ask the cheapest question that needs the credentials; return a sentence that names the account."""
    from airflow_provider_bulkjobs.http.retry import RetryPolicy

    end = time.monotonic() + LONGEST
    policy = RetryPolicy(failures=1, max_sleep=MAX_PAUSE, remaining=lambda: end - time.monotonic())
    flow = vendor.check(account)
    try:
        request = next(flow)
        while True:
            # Told also of an outage, or a pause: what was established before is for the conversation to say.
            request = transport.step(flow, request, policy, known_jobs=errors.BulkJobError)
    except StopIteration as told:
        return redact(str(told.value), account.secrets)


def explain(vendor: Vendor, conn_id: str, error: Exception) -> str:
    """Return what is wrong and what to do about it.

    The form tests a copy of the connection under a name that nobody has chosen, so that name is left out.
    """
    told = str(error).replace(f"Connection {conn_id!r}", "This connection")
    told = told.replace(f"connection {conn_id!r}", "this connection")
    told = f"{told[:1].upper()}{told[1:]}"
    match error:
        case errors.AuthenticationError():
            return f"{told}{_help(field for field in vendor.fields if field.name == 'password' or field.choices)}"
        case errors.PermissionDeniedError():
            return f"{told} {vendor.notes.permissions}"
        case errors.JobNotFoundError():
            told = told.partition(". Check the id")[0]
            return f"{told}: the API is not at this address.{_help(_host(vendor))}"
        case errors.VendorUnavailableError() | errors.TransientError() | errors.VendorAPIError():
            return f"{told.rstrip('.')}.{_help(_host(vendor))}"
        case errors.BulkJobError():
            return told
    return f"{vendor.label} could not be asked ({type(error).__name__}). Check all fields."


def _host(vendor: Vendor) -> Iterator[Field]:
    return (field for field in vendor.fields if field.name == "host")  # a vendor may have but one address


def _help(fields: Iterable[Field]) -> str:
    told = ""
    for field in fields:
        example = f" Example: {field.placeholder}" if field.placeholder and field.name != "password" else ""
        told += f" {field.label}: {field.help}{example}"
    return told
