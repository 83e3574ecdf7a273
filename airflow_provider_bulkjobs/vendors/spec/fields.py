# SPDX-License-Identifier: Apache-2.0
"""The fields of a connection form, and the validated values of one connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_bulkjobs.exceptions import BadConnectionError

STANDARD_FIELDS = ("host", "login", "password")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a connection form.

    :param name: ``host``, ``login`` or ``password``, or else the key in the connection's extra.
    :param label: the vendor's name for the field.
    :param help: where to find the value in the vendor's settings, or its meaning.
    :param placeholder: an example value.
    :param where: a short form of ``help``, shown in Airflow's own fields, which have little room.
    :param choices: the allowed values; the form shows them as a list.
    :param default: the value of an empty field.
    :param type: ``text`` may have line breaks, as a private key does.
    :param secret: the value is a secret, as that of ``password`` always is.
    :param header: the header in which the value is sent with each request, unless it is empty.
    """

    name: str
    label: str
    help: str
    placeholder: str = ""
    where: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    default: str | float | None = None
    type: Literal["string", "number", "text"] = "string"
    secret: bool = False
    header: str = ""

    @property
    def is_standard(self) -> bool:
        """Whether the field is one of Airflow's own connection fields."""
        return self.name in STANDARD_FIELDS

    @property
    def is_secret(self) -> bool:
        """Whether the value must never appear in logs or messages."""
        return self.secret or self.name == "password"


@dataclass(frozen=True)
class Account:
    """The validated values of a connection, as the vendor's functions use them.

    :param fields: the fields that the vendor declares.
    """

    conn_id: str | None
    values: Mapping[str, Any] = field(repr=False)
    fields: tuple[Field, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """What to call the connection in messages. The connection test has no name that the user knows."""
        return connection_name(self.conn_id)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def host(self) -> str | None:
        """The host: scheme, address and path prefix, without a trailing slash."""
        host: str | None = self.values.get("host")
        return host

    def host_without(self, *api_paths: str) -> str | None:
        """The host without the API's path, which users may have pasted with it.

        :param api_paths: the path suffixes to remove, longest first.
        """
        host = self.host or ""
        return next((host.removesuffix(path) for path in api_paths if host.endswith(path)), host) or None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never appear in logs or messages."""
        names = ("password", *(field.name for field in self.fields if field.is_secret))
        return tuple(dict.fromkeys(str(value) for name in names if (value := self.values.get(name))))

    def require(self, name: str) -> str:
        """Return the value of a field that the chosen authentication needs.

        :raises BadConnectionError: it is empty.
        """
        if value := self.values.get(name):
            return str(value)
        raise self.error(name, "is missing", "The chosen authentication needs it.")

    def error(self, name: str, problem: str, remedy: str) -> BadConnectionError:
        """Return the error for a field."""
        label = next((f" ({field.label})" for field in self.fields if field.name == name), "")
        return BadConnectionError(f"{connection_title(self.conn_id)}: the field {name!r}{label} {problem}. {remedy}")

    @property
    def fingerprint(self) -> tuple[object, ...]:
        """A key that is unique to this connection and its credentials."""
        return (self.conn_id, *sorted(self.values.items(), key=lambda item: item[0]))


def rate_field(requests_per_second: float) -> Field:
    """Return the field for the client-side rate limit, which every connection type has."""
    return Field(
        "requests_per_second",
        "Requests per second",
        "Maximum requests per second to this account; 0 disables the client-side limit. All workers and triggerers "
        "share it if Airflow's option [bulkjobs] rate_limit_storage is set; otherwise it is the limit of one process.",
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
