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
    also: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """Return the request that carries the records as a JSON list.

    :param key: where the list stands in the body; by itself if not given.
    :param also: what else stands in the body.
    """
    body = b"[%b]" % context.payload.data
    if key is not None:
        rest = b"".join(b"%b:%b," % (encode_json(name), encode_json(value)) for name, value in (also or {}).items())
        body = b"{%b%b:%b}" % (rest, encode_json(key), body)
    return Request(method, path, {**JSON_HEADERS, **(headers or {})}, body=body)


def accepted_job_id(vendor: str, answer: Mapping[str, Any], *names: str) -> str:
    """Return the id of the job that a submit was answered with.

    :param names: the keys it may stand under.
    :raises TransientError: it is not there, or is no id that could be waited for.
    """
    for name in names:
        with suppress(BadArgumentError):
            return read_job_id(answer.get(name))
    raise TransientError(f"{vendor} answered a submit without the id of a job")
