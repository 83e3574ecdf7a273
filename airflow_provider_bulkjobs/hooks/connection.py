# SPDX-License-Identifier: Apache-2.0
"""The values of an Airflow connection, checked against the fields that its vendor declares."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_bulkjobs.exceptions import BadConnectionError
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field, connection_title

LONGEST_SHOWN = 8  # characters


USUAL_PORTS = {"https": 443, "http": 80}


MASKED = "***"  # what Airflow shows instead of a secret; it comes back when a form is saved with it


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
    """Check a connection's values against the fields its vendor declares.

    :param fields: the vendor's declaration; anything else in the connection is left alone.
    :raises BadConnectionError: a value is missing or cannot be meant; names the field and the remedy.
    """
    given = {**(extra or {}), "host": host, "login": login, "password": password}
    teller = _Teller(conn_id, (password or "").strip())
    values: dict[str, Any] = {}
    for declared in fields:
        value = given.get(declared.name)
        if isinstance(value, str):
            value = value.strip()
        if value is None or value == "":
            if declared.required:
                raise teller.bad(declared, "is missing", declared.help)
            values[declared.name] = declared.default
        elif declared.name == "host":
            values["host"] = _base_url(teller, declared, str(value), port, schema)
        else:
            values[declared.name] = _checked(teller, declared, value)
    return Account(conn_id, values)


@dataclass(frozen=True, slots=True)
class _Teller:
    """Tells what is wrong with a connection, and nothing of its secret, in whichever field it stands."""

    conn_id: str | None
    secret: str = field(repr=False)

    def bad(self, declared: Field, problem: str, remedy: str) -> BadConnectionError:
        """Return the error for a field."""
        return BadConnectionError(
            f"{connection_title(self.conn_id)}: the field {declared.name!r} ({declared.label}) {problem}. {remedy}"
        )

    def shown(self, text: str) -> str:
        """Return a value, if it is no part of the secret and too short to be another one."""
        one, other = text.casefold(), self.secret.casefold()
        is_secret = bool(other) and (one in other or other in one)
        return f"a text of {len(text)} characters" if is_secret or len(text) > LONGEST_SHOWN else repr(text)


def _checked(teller: _Teller, declared: Field, value: Any) -> Any:
    if declared.type == "number":
        return _number(teller, declared, value)
    text = str(value)
    if text == MASKED:
        raise teller.bad(declared, f"still reads {MASKED}", "Enter the real value and save the connection.")
    # A line break in a header value would smuggle in a second header.
    if not text.isprintable():
        raise teller.bad(declared, "contains a line break or another invisible character", "Copy it again.")
    if not text.isascii() and not declared.is_standard:
        raise teller.bad(declared, "contains characters that no request header can carry", "Copy it again.")
    if declared.choices and text not in declared.choices:
        raise teller.bad(declared, f"is {teller.shown(text)}", f"Choose one of {', '.join(declared.choices)}.")
    return text


def _number(teller: _Teller, declared: Field, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise teller.bad(declared, f"is {teller.shown(str(value))}", "Enter a number, 0 or more.")
    return number


def _base_url(teller: _Teller, declared: Field, host: str, port: int | None, schema: str | None) -> str:
    if not host.isprintable() or " " in host:  # urlsplit would drop line breaks, and so make another host of it
        raise teller.bad(declared, "contains a space or an invisible character", "Copy it again.")
    scheme, has_scheme, rest = host.partition("://")
    if not has_scheme:
        # In a connection URI the path is Airflow's "schema", which means the scheme of an HTTP connection.
        if schema not in {None, "", "http", "https"}:
            raise BadConnectionError(
                f"{connection_title(teller.conn_id)}: the field 'schema' is {teller.shown(str(schema))}, which is not "
                f"used. Give the whole address in the field 'host' ({declared.label})."
            )
        scheme, rest = schema or "https", host
    try:
        parts = urlsplit(f"{scheme.lower()}://{rest}")
        port = parts.port or port or None
    except ValueError:
        raise teller.bad(declared, "is not an address", f"Example: {declared.placeholder}") from None
    if port is not None and not 0 < port < 65536:
        raise teller.bad(declared, f"has the port {port}", "A port is between 1 and 65535.")
    if parts.scheme not in {"http", "https"}:
        raise teller.bad(declared, f"starts with {teller.shown(parts.scheme)}", "Use https://.")
    if parts.username is not None or parts.query or parts.fragment:
        raise teller.bad(
            declared,
            "contains a user name, a query or a fragment",
            f"Give the address alone, like {declared.placeholder}",
        )
    name = parts.hostname or ""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+|[0-9a-f:.]+", name) or not _is_plain(parts.path):
        raise teller.bad(declared, "is not an address", f"Example: {declared.placeholder}")
    if port == USUAL_PORTS[parts.scheme]:  # or else the vendor's own host would not be known for it
        port = None
    address = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{address}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _is_plain(path: str) -> bool:
    """Tell whether a path is one that every library sends as it stands."""
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
