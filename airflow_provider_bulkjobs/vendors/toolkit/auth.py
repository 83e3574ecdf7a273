# SPDX-License-Identifier: Apache-2.0
"""Authentication as data: a vendor sets one of these as its ``auth``.

Where a parameter names a field, it is a field of the connection: ``login``, ``password`` or a key of its extra.
"""

from __future__ import annotations

import base64
import json
import math
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_bulkjobs.exceptions import AuthenticationError, TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Token
from airflow_provider_bulkjobs.protocol.job import count
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.vendors.spec.auth import Auth
from airflow_provider_bulkjobs.vendors.spec.body_path import text_at
from airflow_provider_bulkjobs.vendors.spec.fields import Account

ASSERTION_LIFETIME = 180  # seconds; Salesforce accepts up to three minutes
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523
PEM_MARK = "-----"


@dataclass(frozen=True, slots=True)
class HeaderKey(Auth):
    """A key in a header.

    :param prefix: what stands before the key, with the blank that separates them.
    :param field: the field with the key.
    """

    header: str = "Authorization"
    prefix: str = ""
    field: str = "password"

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the header with the key."""
        return {self.header: f"{self.prefix}{account.require(self.field)}"}


BEARER = HeaderKey(prefix="Bearer ")


@dataclass(frozen=True, slots=True)
class Basic(Auth):
    """HTTP basic authentication (RFC 7617).

    :param user: returns the user name; by default, it is the field ``login``.
    :param password: the field with the password.
    """

    user: Callable[[Account], str] = lambda account: account.require("login")
    password: str = "password"  # noqa: S105

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the header with user name and password."""
        user = self.user(account)
        if ":" in user:
            raise account.error(
                "login", "contains a colon, which basic authentication does not support", "Use another user name."
            )
        return {"Authorization": _basic(user, account.require(self.password))}


@dataclass(frozen=True, slots=True, kw_only=True)
class _OAuth2(Auth):
    """An OAuth2 access token (RFC 6749).

    :param endpoint: the path of the token endpoint, relative to the configured host, or its URL if it is on another
        host of the vendor; or a function that returns either.
    :param credentials: how client id and secret are sent: in the form, in a Basic header, in the query, or in a JSON
        object that replaces the form.
    :param scope: the scopes to ask for.
    :param extra: more members of the form (or of the query, or of the JSON object).
    :param request_headers: returns more headers of the token request.
    :param scheme: the authorization scheme of the access token; empty if the header has the token alone.
    :param header: the header with the access token.
    :param base_url: the path of the API's base URL in the response, if the vendor returns it there.
    :param lifetime: of a token, in seconds, if the response does not say.
    :param client_id: the field with the client id.
    :param client_secret: the field with the client secret.
    """

    endpoint: str | Callable[[Account], str]
    credentials: Literal["form", "basic", "query", "json"] = "form"
    scope: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    request_headers: Callable[[Account], Mapping[str, str]] = lambda _account: {}
    scheme: str = "Bearer"
    header: str = "Authorization"
    base_url: str = ""
    lifetime: float = 3600.0
    client_id: str = "login"
    client_secret: str = "password"  # noqa: S105

    @abstractmethod
    def grant(self, account: Account) -> Mapping[str, str]:
        """Return the members of the form that are particular to the grant."""

    def check_response(self, account: Account, body: Mapping[str, Any]) -> None:
        """Check what else is in the response.

        :raises BadConnectionError: the credentials cannot be used again.
        """

    def client(self, account: Account) -> tuple[str, str]:
        """Return client id and secret."""
        return account.require(self.client_id), account.require(self.client_secret)

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the header with the access token."""
        return {self.header: f"{self.scheme} {token}".lstrip()}

    def token_flow(self, account: Account) -> Flow[Token]:
        """Request a token."""
        request = self._request(account)
        body = (yield request).json
        if error := text_at(body, "error"):
            message = ": ".join(filter(None, [error, text_at(body, "error_description")]))
            raise AuthenticationError(
                f"The token request was rejected ({redact(message, [*account.secrets, *request.credentials])})",
                hint=f"Check the credentials in {account.name}.",
            )
        token = body.get("access_token")
        if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
            raise TransientError(f"The response to the token request of {account.name} has no access token")
        expires_in = count(body.get("expires_in"))
        if expires_in == 0:  # the same token again, in its last second
            raise TransientError(f"The access token of {account.name} is about to expire")
        self.check_response(account, body)
        return Token(token, expires_in or self.lifetime, _base_url(account, body, self.base_url))

    def _request(self, account: Account) -> Request:
        form = {**self.grant(account), **({"scope": self.scope} if self.scope else {}), **self.extra}
        url = self.endpoint if isinstance(self.endpoint, str) else self.endpoint(account)
        client_id, client_secret = self.client(account)
        headers = self.request_headers(account)
        if self.credentials == "basic":
            headers = {**headers, "Authorization": _basic(client_id, client_secret)}
            return Request("POST", url, headers, form=form, authorized=False)
        client = {"client_id": client_id, "client_secret": client_secret}
        form |= {name: value for name, value in client.items() if value}
        if self.credentials == "query":
            return Request("POST", url, headers, authorized=False, secret_query=form)
        if self.credentials == "json":
            headers = {**headers, "Content-Type": "application/json"}
            return Request("POST", url, headers, body=json.dumps(form).encode(), authorized=False)
        return Request("POST", url, headers, form=form, authorized=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials(_OAuth2):
    """OAuth2 with client id and secret (RFC 6749, section 4.4)."""

    def grant(self, account: Account) -> Mapping[str, str]:  # noqa: ARG002
        """Return the grant type."""
        return {"grant_type": "client_credentials"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken(_OAuth2):
    """OAuth2 with a refresh token (RFC 6749, section 6) that stays valid: a new one cannot be stored in the connection.

    :param refresh_token: the field with the refresh token.
    """

    refresh_token: str = "refresh_token"  # noqa: S105

    def grant(self, account: Account) -> Mapping[str, str]:
        """Return the refresh token."""
        return {"grant_type": "refresh_token", "refresh_token": account.require(self.refresh_token)}

    def check_response(self, account: Account, body: Mapping[str, Any]) -> None:
        """Reject a new refresh token: it replaces the one in the connection, which other processes need as well.

        :raises BadConnectionError: there is a new one.
        """
        if body.get("refresh_token") not in (None, "", account.require(self.refresh_token)):
            raise account.error(
                self.refresh_token,
                "was replaced by the vendor with its first use, and a new one cannot be stored in the connection",
                "Set the application to refresh tokens that do not rotate, authorize it again, and enter the new one.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtBearer(_OAuth2):
    """OAuth2 with a signed assertion (RFC 7523, RS256).

    :param claims: returns the claims (``iss``, ``sub``, ``aud`` …); the expiry time is added.
    :param private_key: the field with the private key, in PEM format.
    """

    claims: Callable[[Account], Mapping[str, str]]
    private_key: str = "private_key"

    def client(self, account: Account) -> tuple[str, str]:  # noqa: ARG002
        """Return empty strings: the assertion identifies the client."""
        return "", ""

    def grant(self, account: Account) -> Mapping[str, str]:
        """Return the assertion, signed now."""
        import jwt  # late: only accounts with a private key need these
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        pem = read_pem(account.require(self.private_key)).encode()
        now = int(time.time())
        claims = {**self.claims(account), "iat": now, "exp": now + ASSERTION_LIFETIME}
        try:
            # Validating the user's own key would block the event loop for up to half a second.
            key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
            assertion = jwt.encode(claims, key, algorithm="RS256")  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001  (many kinds of errors, some of which quote the key)
            raise account.error(
                self.private_key, "is not a private RSA key without a password", "Enter it in PEM format."
            ) from None
        return {"grant_type": JWT_GRANT, "assertion": assertion}


@dataclass(frozen=True, slots=True)
class DiscoveredHost(Auth):
    """Another authentication, with a request that returns the API's base URL before the first one.

    It is repeated after a 401, since an account may have moved.

    :param auth: the authentication of this and of all further requests.
    :param url: the path or URL to request, as in ``endpoint`` above.
    :param base_url: the path of the base URL in the response, or a function that returns it.
    """

    auth: Auth
    url: str
    base_url: str | Callable[[Any], str | None]

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:
        """Return the headers of the other authentication."""
        return self.auth.headers(account, token)

    def token_flow(self, account: Account) -> Flow[Token]:
        """Fetch the token of the other authentication, if it has one, and the base URL."""
        flow = self.auth.token_flow(account)
        token = (yield from flow) if flow is not None else Token("", math.inf)
        headers = self.auth.headers(account, token.value)
        body = (yield Request("GET", self.url, headers, authorized=False)).json
        return Token(token.value, token.expires_in, _base_url(account, body, self.base_url))


@dataclass(frozen=True, slots=True)
class AuthChoice(Auth):
    """One of several kinds of authentication, as a field of the connection says.

    :param choices: the authentication for each value of the field.
    :param field: the field, which has these values as its choices and one of them as its default.
    """

    choices: Mapping[str, Auth]
    field: str = "auth_type"

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:
        """Return the headers of the chosen authentication."""
        return self.choices[account[self.field]].headers(account, token)

    def token_flow(self, account: Account) -> Flow[Token] | None:
        """Return the token flow of the chosen authentication."""
        return self.choices[account[self.field]].token_flow(account)


def read_pem(text: str) -> str:
    r"""Return a key in PEM format with its line breaks, which a form may have turned into blanks or ``\n``."""
    lines = text.replace("\\n", "\n").strip()
    if "\n" in lines or lines.count(PEM_MARK) != 4:
        return lines
    _, begin, data, end, _ = lines.split(PEM_MARK)
    return "\n".join([f"{PEM_MARK}{begin}{PEM_MARK}", *data.split(), f"{PEM_MARK}{end}{PEM_MARK}"])


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _base_url(account: Account, body: Any, where: str | Callable[[Any], str | None]) -> str | None:
    if not where:
        return None
    url = text_at(body, where) if isinstance(where, str) else where(body)
    if not url:
        raise TransientError(f"The response to the sign-in request of {account.name} has no API address")
    return url
