# SPDX-License-Identifier: Apache-2.0
"""Validate the values of an Airflow connection against the fields that its vendor declares."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_bulkjobs.exceptions import BadConnectionError
from airflow_provider_bulkjobs.http.addresses import HOST
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field, connection_title

MAX_SHOWN = 8  # characters of a value in an error message
DEFAULT_PORTS = {"https": 443, "http": 80}
MASK = "***"  # Airflow shows it instead of a secret, and stores it if the form is saved with it


def read_account(
    fields: Iterable[Field],
    *,
    conn_id: str | None,
    host: str | None = None,
    port: int | None = None,
    schema: str | None = None,
    login: str | None = None,
    password: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Account:
    """Validate a connection's values against the fields its vendor declares.

    :param fields: the vendor's declaration; other values in the connection are ignored.
    :raises BadConnectionError: a value is missing or invalid; names the field and what to do.
    """
    given = {**(extra or {}), "host": host, "login": login, "password": password}
    fields = tuple(fields)
    secrets = (given.get(field.name) for field in fields if field.is_secret)
    messages = _Messages(conn_id, tuple(secret.strip() for secret in secrets if isinstance(secret, str)))
    values: dict[str, Any] = {}
    for declared in fields:
        value = given.get(declared.name)
        if isinstance(value, str):
            value = value.strip()
        if value is None or value == "":
            if declared.required:
                raise messages.error(declared, "is missing", declared.help)
            values[declared.name] = declared.default
        elif declared.name == "host":
            values["host"] = _base_url(messages, declared, str(value), port, schema)
        else:
            values[declared.name] = _checked(messages, declared, value)
    return Account(conn_id, values, fields)


@dataclass(frozen=True, slots=True)
class _Messages:
    """Error messages about a connection, without its secrets, which may be in the wrong field."""

    conn_id: str | None
    secrets: tuple[str, ...] = field(repr=False)

    def error(self, declared: Field, problem: str, remedy: str) -> BadConnectionError:
        """Return the error for a field."""
        return BadConnectionError(
            f"{connection_title(self.conn_id)}: the field {declared.name!r} ({declared.label}) {problem}. {remedy}"
        )

    def safe_repr(self, text: str) -> str:
        """Return a value unless it is part of the secret, or long enough to be another secret."""
        value = text.casefold()
        is_secret = any(secret and (value in secret or secret in value) for secret in map(str.casefold, self.secrets))
        return f"a value of {len(text)} characters" if is_secret or len(text) > MAX_SHOWN else repr(text)


def _checked(messages: _Messages, declared: Field, value: Any) -> Any:
    if declared.type == "number":
        return _number(messages, declared, value)
    text = str(value)
    if text == MASK:
        raise messages.error(declared, f"still reads {MASK}", "Enter the real value and save the connection.")
    if declared.type == "text":
        return text
    # A line break in a header value would inject a second header.
    if not text.isprintable():
        raise messages.error(declared, "contains a line break or another invisible character", "Copy it again.")
    if not text.isascii() and not declared.is_standard:
        raise messages.error(declared, "contains characters that are not allowed in a header", "Copy it again.")
    if declared.choices and text not in declared.choices:
        raise messages.error(
            declared, f"is {messages.safe_repr(text)}", f"Choose one of {', '.join(declared.choices)}."
        )
    return text


def _number(messages: _Messages, declared: Field, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise messages.error(declared, f"is {messages.safe_repr(str(value))}", "Enter a number, 0 or more.")
    return number


def _base_url(messages: _Messages, declared: Field, host: str, port: int | None, schema: str | None) -> str:
    if not host.isprintable() or " " in host:  # urlsplit removes line breaks, which would change the host
        raise messages.error(declared, "contains a space or an invisible character", "Copy it again.")
    scheme, has_scheme, rest = host.partition("://")
    if not has_scheme:
        # In a connection URI, the path is Airflow's "schema", which is the scheme of an HTTP connection.
        if schema not in {None, "", "http", "https"}:
            raise BadConnectionError(
                f"{connection_title(messages.conn_id)}: the field 'schema' is {messages.safe_repr(str(schema))}, "
                f"which is not used. Enter the whole URL in the field 'host' ({declared.label})."
            )
        scheme, rest = schema or "https", host
    try:
        parts = urlsplit(f"{scheme.lower()}://{rest}")
        port = parts.port or port or None
    except ValueError:
        raise messages.error(declared, "is not a valid URL", f"Example: {declared.placeholder}") from None
    if port is not None and not 0 < port < 65536:
        raise messages.error(declared, f"has the port {port}", "A port is between 1 and 65535.")
    if parts.scheme not in {"http", "https"}:
        raise messages.error(declared, f"starts with {messages.safe_repr(parts.scheme)}", "Use https://.")
    if parts.username is not None or parts.query or parts.fragment:
        raise messages.error(
            declared,
            "contains a user name, a query or a fragment",
            f"Enter the URL alone, like {declared.placeholder}",
        )
    name = parts.hostname or ""
    if not HOST.fullmatch(name) or not _is_plain(parts.path):
        raise messages.error(declared, "is not a valid URL", f"Example: {declared.placeholder}")
    if port == DEFAULT_PORTS[parts.scheme]:  # with it, the vendor's own host would not be recognized
        port = None
    address = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{address}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _is_plain(path: str) -> bool:
    """Return whether every HTTP library sends a path unchanged."""
    return quote(unquote(path)) == path and not {".", ".."} & set(path.split("/"))


def read_extra(conn_id: str | None, extra: str | None) -> dict[str, Any]:
    """Return a connection's extra as a dict.

    :raises BadConnectionError: it is not a JSON object.
    """
    try:
        values = json.loads(extra) if extra else {}
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise BadConnectionError(
            f"{connection_title(conn_id)}: the field 'extra' is not a JSON object. Correct it or leave it empty."
        )
    return values
