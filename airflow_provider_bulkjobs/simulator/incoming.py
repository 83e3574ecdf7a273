# SPDX-License-Identifier: Apache-2.0
"""A request as the simulated vendors read it, with parsers for the usual bodies, and the exceptions that reject it."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from aiohttp import web


class InvalidBodyError(ValueError):
    """The body or the query of a request cannot be parsed; the vendor answers with a 400."""


class RefusedError(Exception):
    """A request is rejected; has the response."""

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


class Part(NamedTuple):
    """One part of a multipart form."""

    data: bytes
    filename: str | None
    content_type: str


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """A request to a simulated vendor.

    :param path: the path, as sent.
    :param query: the decoded query parameters.
    :param headers: the headers; names are case-insensitive.
    :param params: the variable parts of the route: ``{id}``.
    :param origin: scheme, host and port, as the client reached the server.
    :param root: the base URL of the vendor, as the client reached it.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    params: Mapping[str, str]
    origin: str
    root: str

    @property
    def json(self) -> Any:
        """The parsed JSON body.

        :raises InvalidBodyError: it is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise InvalidBodyError("The request body is not JSON.") from None

    @property
    def object(self) -> dict[str, Any]:
        """The JSON body, which must be an object.

        :raises InvalidBodyError: it is not JSON, or not an object.
        """
        body = self.json
        if not isinstance(body, dict):
            raise InvalidBodyError("The request body must be a JSON object.")
        return body

    def integer(self, name: str, default: int, *, minimum: int = 0, maximum: int = 1_000_000_000) -> int:
        """Return a number from the query.

        :raises InvalidBodyError: it is not a whole number within the bounds.
        """
        value = self.query.get(name, str(default))
        if not value.isdecimal() or not minimum <= int(value) <= maximum:
            raise InvalidBodyError(f"{name} must be a number from {minimum} to {maximum}.")
        return int(value)

    @property
    def form(self) -> dict[str, str]:
        """The fields of a URL-encoded form; empty for any other body."""
        if not self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return {}
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))

    @property
    def parts(self) -> dict[str, Part]:
        """The parts of a multipart form by name.

        :raises InvalidBodyError: it is not a multipart form.
        """
        content_type = self.headers.get("Content-Type", "")
        message = BytesParser(policy=HTTP).parsebytes(
            b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + self.body
        )
        if message.get_content_type() != "multipart/form-data" or not message.is_multipart():
            raise InvalidBodyError("The request body is not a multipart form.")
        parts = {}
        for part in message.iter_parts():
            data = part.get_payload(decode=True)
            name = str(part.get_param("name", "", "content-disposition"))
            parts[name] = Part(data if isinstance(data, bytes) else b"", part.get_filename(), part.get_content_type())
        return parts


def nested(value: Any, *path: str) -> Any:
    """Return a value below nested objects, or ``None`` if there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def csv_lines(data: bytes, delimiter: str = ",") -> list[list[str]] | None:
    """Return the lines of a CSV file, plain or gzipped, without empty ones; ``None`` if it is invalid."""
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
        return [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if line]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error):
        return None
