# SPDX-License-Identifier: Apache-2.0
"""Operations on ids that are sent in the query, such as a delete of many contacts: ``?ids=1,2,3``."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote, unquote

from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Record, SubmitContext

MAX_QUERY_BYTES = 4000  # the maximum is undocumented, and common servers accept this length


def ids_request(method: str, path: str, context: SubmitContext) -> Request:
    """Return the request with the ids of the records."""
    return Request(method, f"{path}?ids={context.payload.data.decode()}")


def _encode(record: Record) -> bytes:
    return quote(str(record["id"]), safe="").encode()


def _decode(data: bytes) -> Record:
    return {"id": unquote(data.decode())}


# An operation on records of which only the field ``id`` is sent.
ids_operation = partial(Operation, max_bytes=MAX_QUERY_BYTES, header_names=("id",), encode=_encode, decode=_decode)
