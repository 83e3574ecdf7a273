# SPDX-License-Identifier: Apache-2.0
"""How a simulated vendor authenticates requests, as data: a key in a header, Basic, access tokens from an endpoint."""

from __future__ import annotations

import base64
import binascii
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest


class Tokens:
    """The access tokens that a vendor has issued."""

    def __init__(self) -> None:
        self.issued = 0
        self._expiry: dict[str, float] = {}  # epoch seconds

    def issue(self, expires: float) -> str:
        """Return a new token."""
        self.issued += 1
        token = secrets.token_urlsafe(32)
        self._expiry[token] = expires
        return token

    def is_known(self, token: str) -> bool:
        """Return whether a token was issued and not revoked; it may have expired."""
        return token in self._expiry

    def is_valid(self, token: str, now: float) -> bool:
        """Return whether a token was issued, has not expired, and was not revoked."""
        return now < self._expiry.get(token, 0)

    def revoke_all(self) -> int:
        """Revoke all tokens; return their number."""
        number = len(self._expiry)
        self._expiry.clear()
        return number


class Authentication(ABC):
    """One way to authenticate a request.

    ``header``
        The header with the credentials.
    """

    header: str

    @abstractmethod
    def accepts(self, request: IncomingRequest, tokens: Tokens, now: float) -> bool:
        """Return whether the credentials of a request are valid."""

    @abstractmethod
    def describe(self) -> str:
        """Return the valid credentials for the help page."""


@dataclass(frozen=True)
class HeaderKey(Authentication):
    """A constant value of a header."""

    header: str
    value: str

    def accepts(self, request: IncomingRequest, tokens: Tokens, now: float) -> bool:  # noqa: ARG002
        """Return whether the header has the value."""
        return request.headers.get(self.header) == self.value

    def describe(self) -> str:
        """Return the header."""
        return f"{self.header}: {self.value}"


def bearer(key: str) -> HeaderKey:
    """Return the authentication with a constant key in ``Authorization: Bearer``."""
    return HeaderKey("Authorization", f"Bearer {key}")


@dataclass(frozen=True)
class Basic(Authentication):
    """HTTP Basic authentication; ``login=None`` accepts any user."""

    login: str | None
    password: str
    header: str = "Authorization"

    def accepts(self, request: IncomingRequest, tokens: Tokens, now: float) -> bool:  # noqa: ARG002
        """Return whether user and password are right."""
        given = basic_credentials(request)
        return given is not None and given[1] == self.password and self.login in (None, given[0])

    def describe(self) -> str:
        """Return user and password."""
        return f"user {self.login or '(any)'}, password {self.password}"


def basic_credentials(request: IncomingRequest) -> tuple[str, str] | None:
    """Return user and password of a request with Basic authentication."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        login, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return login, password


class GrantError(NamedTuple):
    """Why a token endpoint issues no token, in the words of RFC 6749, section 5.2."""

    code: str
    description: str


@dataclass(frozen=True)
class OAuth2(Authentication):
    """Access tokens from a token endpoint.

    :param path: the token endpoint, below the vendor's root.
    :param grants: by ``grant_type`` the other fields that it needs, with their values; ``None`` accepts any value.
        ``client_id`` and ``client_secret`` may also come by Basic authentication.
    :param scheme: the word before the token in the header; empty if there is none.
    :param header: the header with the token.
    :param in_query: the fields are in the query instead of the form.
    :param in_json: the fields are in a JSON object instead of the form.
    :param error_status: the status of a rejection.
    """

    path: str
    grants: Mapping[str, Mapping[str, str | None]]
    scheme: str = "Bearer"
    header: str = "Authorization"
    in_query: bool = False
    in_json: bool = False
    error_status: int = 400

    def accepts(self, request: IncomingRequest, tokens: Tokens, now: float) -> bool:
        """Return whether the request has a valid token."""
        token = self.token_of(request)
        return token is not None and tokens.is_valid(token, now)

    def token_of(self, request: IncomingRequest) -> str | None:
        """Return the token of a request, valid or not."""
        value = request.headers.get(self.header)
        if value is None or not self.scheme:
            return value
        scheme, _, token = value.partition(" ")
        return token if scheme.lower() == self.scheme.lower() else None

    def error_of(self, request: IncomingRequest) -> GrantError | None:
        """Return why a request to the token endpoint is rejected; ``None`` if it is valid."""
        given = request.query if self.in_query else request.object if self.in_json else request.form
        fields: dict[str, Any] = dict(given)
        if basic := basic_credentials(request):
            fields |= {"client_id": basic[0], "client_secret": basic[1]}
        grant = fields.get("grant_type")
        if not grant:
            return GrantError("invalid_request", "The parameter grant_type is missing.")
        if grant not in self.grants:
            return GrantError("unsupported_grant_type", f"Use a supported grant type: {', '.join(self.grants)}.")
        for name, value in self.grants[grant].items():
            if not fields.get(name) or value not in (None, fields[name]):
                is_client = name in ("client_id", "client_secret")
                return (
                    GrantError("invalid_client", "The client credentials are invalid")
                    if is_client
                    else GrantError("invalid_grant", f"The parameter {name} is invalid.")
                )
        return None

    def describe(self) -> str:
        """Return the fields of each grant."""
        grants = [
            f"{grant} with " + ", ".join(f"{name} {value or '(any)'}" for name, value in fields.items())
            for grant, fields in self.grants.items()
        ]
        return f"OAuth2 token from {self.path}: {'; '.join(grants)}"
