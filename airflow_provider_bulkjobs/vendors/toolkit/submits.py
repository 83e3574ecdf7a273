# SPDX-License-Identifier: Apache-2.0
"""Requests that submit records, and reading their responses."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from airflow_provider_bulkjobs.arguments import read_job_id
from airflow_provider_bulkjobs.exceptions import BadArgumentError, TransientError
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.spec.body_path import value_at
from airflow_provider_bulkjobs.vendors.spec.operation import SubmitContext, SubmitFlow, encode_json

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


def object_request(
    method: str,
    path: str,
    value: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    *,
    idempotent: bool | None = None,
    once: bool = False,
) -> Request:
    """Return the request with a JSON object, such as the options of a job, and without records.

    :param idempotent: see :class:`Request`, as for ``once``.
    """
    headers = {**JSON_HEADERS, **(headers or {})}
    return Request(method, path, headers, body=encode_json(value), idempotent=idempotent, once=once)


def column_mappings(context: SubmitContext, option: str) -> list[Any] | None:
    """Return the value of ``Operation.columns_option``, or ``None`` if the option is not given or empty.

    :raises BadArgumentError: it does not have an entry for each column.
    """
    mappings: list[Any] | None = context.options.get(option) or None
    columns = len(context.payload.columns)
    if mappings and len(mappings) != columns:
        raise BadArgumentError(
            f"option {option!r} has {len(mappings)} entries for {columns} columns: give one for each, in their order"
        )
    return mappings


def submit_request(vendor: str, request: Request, *paths: str) -> SubmitFlow:
    """Send the request that starts a job; return the job id. Raises like :func:`accepted_job_id`."""
    return accepted_job_id(vendor, (yield request).json, *paths)


def accepted_job_id(vendor: str, body: Mapping[str, Any], *paths: str) -> str:
    """Return the job id in the response to a submit.

    :param paths: the possible paths of the id, see :func:`~.body_path.value_at`.
    :raises TransientError: the response has no job id, or none that a sensor would accept.
    """
    for path in paths:
        with suppress(BadArgumentError):
            return read_job_id(value_at(body, path))
    raise TransientError(f"{vendor} response to a submit has no job id")
