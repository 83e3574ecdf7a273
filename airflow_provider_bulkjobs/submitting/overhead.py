# SPDX-License-Identifier: Apache-2.0
"""The size of a request without its records."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from airflow_provider_bulkjobs.arguments import MAX_JOB_ID_LENGTH
from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.submitting.checkpoint import SUBMIT_ID_BYTES
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Options, Payload, SubmitContext

MAX_MARKER_LENGTH = 2 * SUBMIT_ID_BYTES + 10  # with the number of the batch

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.vendors.spec.fields import Account


def request_overhead(operation: Operation, account: Account, options: Options, columns: tuple[str, ...]) -> int:
    """Return the size of the request for an empty batch: options, column mappings and the envelope.

    Texts of maximum length stand for the id of an open job and the marker. A submit whose first request is a GET, or
    does not have the records, has no overhead: a later request sends the records alone.
    """
    opened: list[io.BytesIO] = []

    def open_records() -> io.BytesIO:
        opened.append(io.BytesIO())
        return opened[-1]

    batch = Payload(open_records, size=0, items=0, columns=columns)
    open_job = "0" * MAX_JOB_ID_LENGTH if operation.supports_append else None
    marker = "0" * MAX_MARKER_LENGTH if operation.find else ""
    flow = operation.submit(SubmitContext(account, batch, options, open_job, marker=marker))
    try:
        request = next(flow, None)
    except BadArgumentError:  # the options do not match the columns; the submit raises this error again
        return 0
    if not isinstance(request, Request) or request.method == "GET":
        return 0
    body = request.body or b""
    if request.open is not None:
        with request.open() as file:
            body = file.read()
    return len(request.path) + len(body) if opened else 0
