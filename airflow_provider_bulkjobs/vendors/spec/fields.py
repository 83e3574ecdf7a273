# SPDX-License-Identifier: Apache-2.0
"""The fields of a connection, declared once, and the account that a filled-in connection describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

STANDARD_FIELDS = ("host", "login", "password")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a connection form.

    :param name: ``host``, ``login`` or ``password``, or else the key in the connection's extra.
    :param label: what the vendor calls it.
    :param help: where in the vendor's settings the value is found, or what it means.
    :param placeholder: an example.
    :param where: the same as ``help`` in a few words: Airflow's own fields have no room for more.
    :param choices: the only values allowed; the form shows them as a list.
    :param default: what an empty field means.
    """

    name: str
    label: str
    help: str
    placeholder: str = ""
    where: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    default: str | float | None = None
    type: Literal["string", "number"] = "string"

    @property
    def is_standard(self) -> bool:
        """Whether Airflow's own form has the field already."""
        return self.name in STANDARD_FIELDS


@dataclass(frozen=True)
class Account:
    """The values of a connection, checked: what a vendor's functions work with."""

    conn_id: str | None
    values: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """What to call the connection in messages. The connection test has no name that the user knows."""
        return connection_name(self.conn_id)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def host(self) -> str | None:
        """The host as scheme, address and path prefix, without a slash at its end."""
        host: str | None = self.values.get("host")
        return host

    def host_without(self, *api_paths: str) -> str | None:
        """The host without the API's own path: people paste the address with and without it.

        :param api_paths: the paths, the longest first.
        """
        host = self.host or ""
        return next((host.removesuffix(path) for path in api_paths if host.endswith(path)), host) or None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown."""
        password = self.values.get("password")
        return (str(password),) if password else ()

    @property
    def fingerprint(self) -> tuple[object, ...]:
        """What tells this account, with these credentials, from any other."""
        return (self.conn_id, *sorted(self.values.items(), key=lambda item: item[0]))


def rate_field(requests_per_second: float) -> Field:
    """Return the field for the rate limit, which every connection type has."""
    return Field(
        "requests_per_second",
        "Requests per second",
        "How many requests a second one process may send to this account; 0 means no limit of our own. "
        "With several triggerers, give each its share.",
        type="number",
        default=int(requests_per_second) if requests_per_second == int(requests_per_second) else requests_per_second,
        placeholder=f"{requests_per_second:g}",
    )


def connection_name(conn_id: str | None) -> str:
    """Return what to call a connection in messages."""
    return "this connection" if conn_id is None else f"connection {conn_id!r}"


def connection_title(conn_id: str | None) -> str:
    """Return what to call a connection at the beginning of a message."""
    return "This connection" if conn_id is None else f"Connection {conn_id!r}"
