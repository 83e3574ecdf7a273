# SPDX-License-Identifier: Apache-2.0
"""How many bytes of a request are not records."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from airflow_provider_bulkjobs.arguments import MAX_JOB_ID_LENGTH
from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Options, Payload, SubmitContext

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.vendors.spec.fields import Account


def request_overhead(operation: Operation, account: Account, options: Options, columns: tuple[str, ...]) -> int:
    """Return the size of the request for an empty batch: options, mappings of columns, the envelope.

    The longest job id there may be stands for that of an open job. A submit that asks a question first, or uploads a
    file, has no such request: its records go out alone.
    """
    batch = Payload(io.BytesIO, size=0, items=0, columns=columns)
    flow = operation.submit(
        SubmitContext(account, batch, options, "0" * MAX_JOB_ID_LENGTH if operation.supports_append else None)
    )
    try:
        request = next(flow, None)
    except BadArgumentError:  # the options do not fit the columns; the submit itself says so
        return 0
    if not isinstance(request, Request) or request.method == "GET":
        return 0
    return len(request.path) + len(request.body or b"")
