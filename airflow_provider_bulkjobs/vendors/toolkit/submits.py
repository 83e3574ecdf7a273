# SPDX-License-Identifier: Apache-2.0
"""Requests that submit records, and reading their responses."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from airflow_provider_bulkjobs.arguments import read_job_id
from airflow_provider_bulkjobs.exceptions import BadArgumentError, TransientError
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.spec.operation import SubmitContext, encode_json

JSON_HEADERS = {"Content-Type": "application/json"}


def json_request(
    method: str,
    path: str,
    context: SubmitContext,
    *,
    key: str | None = None,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """Return the request with the records as a JSON list.

    :param key: the key of the list in the body; without it, the body is the list.
    :param extra: other members of the body.
    """
    body = b"[%b]" % context.payload.data
    if key is not None:
        rest = b"".join(b"%b:%b," % (encode_json(name), encode_json(value)) for name, value in (extra or {}).items())
        body = b"{%b%b:%b}" % (rest, encode_json(key), body)
    return Request(method, path, {**JSON_HEADERS, **(headers or {})}, body=body)


def accepted_job_id(vendor: str, body: Mapping[str, Any], *names: str) -> str:
    """Return the job id in the response to a submit.

    :param names: the possible keys of the id.
    :raises TransientError: the response has no job id, or none that a sensor would accept.
    """
    for name in names:
        with suppress(BadArgumentError):
            return read_job_id(body.get(name))
    raise TransientError(f"{vendor} response to a submit has no job id")
