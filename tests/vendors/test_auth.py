# SPDX-License-Identifier: Apache-2.0
"""Each kind of authentication: its headers, its token request, and what a token response leads to."""

import base64
import json
import math
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from airflow_provider_bulkjobs.exceptions import AuthenticationError, BadConnectionError, TransientError
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.protocol.flow import Request, Response, Token
from airflow_provider_bulkjobs.vendors.spec.auth import Auth
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.toolkit.auth import (
    BEARER,
    JWT_GRANT,
    AuthChoice,
    Basic,
    ClientCredentials,
    DiscoveredHost,
    HeaderKey,
    JwtBearer,
    RefreshToken,
)

SECRET, REFRESH = "s3cret/of=it", "refresh-t0ken"
FIELDS = (
    Field("login", "Client id", "help"),
    Field("password", "Client secret", "help"),
    Field("refresh_token", "Refresh token", "help", secret=True),
    Field("private_key", "Private key", "help", type="text", secret=True),
    Field("auth_type", "Authentication", "help", choices=("key", "oauth2"), default="key"),
)
URL = "/oauth/token"
TOKEN = {"access_token": "t-1", "expires_in": 100}
CLIENT = {"client_id": "bot", "client_secret": SECRET}


def account(**extra: Any) -> Account:
    values = {"login": "bot", "password": SECRET, "extra": {"refresh_token": REFRESH, **extra}}
    return read_account(FIELDS, conn_id="mine", **values)


def response(body: Any, status: int = 200) -> Response:
    return Response(status, {}, str(body).replace("'", '"').encode())


def fetch(auth: Auth, *bodies: Any, using: Account | None = None) -> tuple[Token, list[Request]]:
    """Run the token flow; return the token, and the requests."""
    flow = auth.token_flow(using or account())
    assert flow is not None
    asked = [next(flow)]
    for body in bodies:
        try:
            asked.append(flow.send(response(body)))
        except StopIteration as finished:
            return finished.value, asked
    raise AssertionError("more requests than responses")


def b64(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        (BEARER, {"Authorization": f"Bearer {SECRET}"}),
        (HeaderKey("api-key"), {"api-key": SECRET}),
        (HeaderKey("X-Auth-Token", "api-key "), {"X-Auth-Token": f"api-key {SECRET}"}),
        (HeaderKey("X-Token", field="refresh_token"), {"X-Token": REFRESH}),
        (Basic(), {"Authorization": b64(f"bot:{SECRET}")}),
        (Basic(user=lambda each: f"{each['login']}/token"), {"Authorization": b64(f"bot/token:{SECRET}")}),
    ],
)
def test_keys_and_passwords_are_sent_in_headers(auth: Auth, headers: dict[str, str]) -> None:
    assert auth.headers(account(), None) == headers
    assert auth.token_flow(account()) is None


def test_basic_rejects_a_user_with_a_colon() -> None:
    with pytest.raises(BadConnectionError, match=r"'login' \(Client id\) contains a colon") as caught:
        Basic(user=lambda _: "a:b").headers(account(), None)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("auth", "form", "headers", "query"),
    [
        (ClientCredentials(endpoint=URL), {"grant_type": "client_credentials", **CLIENT}, {}, None),
        (
            ClientCredentials(endpoint=URL, credentials="basic", scope="a b"),
            {"grant_type": "client_credentials", "scope": "a b"},
            {"Authorization": b64(f"bot:{SECRET}")},
            None,
        ),
        (
            ClientCredentials(
                endpoint=URL, credentials="basic", request_headers=lambda each: {"X-User": each["login"]}
            ),
            {"grant_type": "client_credentials"},
            {"X-User": "bot", "Authorization": b64(f"bot:{SECRET}")},
            None,
        ),
        (
            ClientCredentials(endpoint=URL, credentials="query"),
            None,
            {},
            {"grant_type": "client_credentials", **CLIENT},
        ),
        (
            RefreshToken(endpoint=URL, extra={"redirect_uri": "https://x.example"}),
            {
                "grant_type": "refresh_token",
                "refresh_token": REFRESH,
                "redirect_uri": "https://x.example",
                **CLIENT,
            },
            {},
            None,
        ),
    ],
)
def test_token_request_carries_the_client_where_the_vendor_expects_it(
    auth: Auth, form: dict[str, str] | None, headers: dict[str, str], query: dict[str, str] | None
) -> None:
    token, [request] = fetch(auth, TOKEN)
    assert (token.value, token.expires_in, token.base_url) == ("t-1", 100, None)
    assert request.method == "POST"
    assert not request.authorized
    assert (request.path, request.form, request.headers, request.secret_query) == (URL, form, headers, query)
    assert auth.headers(account(), "t-1") == {"Authorization": "Bearer t-1"}
    for secret in (SECRET, REFRESH, b64(f"bot:{SECRET}")):
        assert secret not in repr(request)


def test_token_request_may_be_a_json_object() -> None:
    auth = ClientCredentials(endpoint=URL, credentials="json", scope="a b")
    token, [request] = fetch(auth, TOKEN)
    assert token.value == "t-1"
    assert json.loads(request.body or b"") == {"grant_type": "client_credentials", "scope": "a b", **CLIENT}
    assert (request.form, request.headers) == (None, {"Content-Type": "application/json"})
    assert not request.authorized
    assert SECRET not in repr(request)


def test_token_endpoint_and_scheme_may_depend_on_the_account() -> None:
    auth = RefreshToken(endpoint=lambda each: f"https://{each['login']}.example/token", scheme="Zoho-oauthtoken")
    _, [request] = fetch(auth, TOKEN)
    assert request.path == "https://bot.example/token"
    assert auth.headers(account(), "t") == {"Authorization": "Zoho-oauthtoken t"}


def test_token_may_be_alone_in_a_header() -> None:
    auth = ClientCredentials(endpoint="/token", scheme="", header="X-Token")
    assert auth.headers(account(), "T") == {"X-Token": "T"}


def test_token_without_a_lifetime_has_the_declared_one() -> None:
    token, _ = fetch(ClientCredentials(endpoint=URL, lifetime=900.0), {"access_token": "t"})
    assert token.expires_in == 900


def test_base_url_comes_with_the_token() -> None:
    auth = ClientCredentials(endpoint=URL, base_url="instance_url")
    token, _ = fetch(auth, {**TOKEN, "instance_url": "https://acme.example"})
    assert token.base_url == "https://acme.example"
    with pytest.raises(TransientError, match="no API address"):
        fetch(auth, TOKEN)


@pytest.mark.parametrize("body", [{}, {"access_token": ""}, {"access_token": 5}, {"access_token": "a\u00e9"}])
def test_response_without_a_usable_token_is_transient(body: Any) -> None:
    with pytest.raises(TransientError, match="no access token"):
        fetch(ClientCredentials(endpoint=URL), body)


def test_token_in_its_last_second_is_not_used() -> None:
    with pytest.raises(TransientError, match="about to expire"):
        fetch(ClientCredentials(endpoint=URL), {**TOKEN, "expires_in": 0})


def test_refusal_with_status_200_is_an_authentication_error_without_the_secret() -> None:
    with pytest.raises(AuthenticationError, match="invalid_code") as caught:
        fetch(RefreshToken(endpoint=URL), {"error": "invalid_code", "error_description": f"no {REFRESH}"})
    assert REFRESH not in str(caught.value)


@pytest.mark.parametrize("credentials", ["form", "basic", "query"])
def test_refusal_with_status_200_does_not_repeat_what_was_sent(credentials: Any) -> None:
    flow = RefreshToken(endpoint=URL, credentials=credentials).token_flow(account())
    sent = next(flow).credentials
    assert len(sent) == 2  # the refresh token, and the client secret or both in one header
    with pytest.raises(AuthenticationError, match="invalid_client: received") as caught:
        flow.send(response({"error": "invalid_client", "error_description": " ".join(["received", *sent])}))
    assert not any(secret in str(caught.value) for secret in sent)


def test_new_refresh_token_is_an_error_because_the_old_one_is_used_up() -> None:
    for same in ({}, {"refresh_token": REFRESH}):
        assert fetch(RefreshToken(endpoint=URL), {**TOKEN, **same})[0].value == "t-1"
    with pytest.raises(
        BadConnectionError, match=r"'refresh_token' \(Refresh token\) was replaced .* do not rotate"
    ) as caught:
        fetch(RefreshToken(endpoint=URL), {**TOKEN, "refresh_token": "another"})
    assert "another" not in str(caught.value)


def test_field_that_the_chosen_authentication_needs_must_not_be_empty() -> None:
    empty = account(refresh_token="")
    with pytest.raises(BadConnectionError, match=r"'mine': the field 'refresh_token' \(Refresh token\) is missing"):
        fetch(RefreshToken(endpoint=URL), TOKEN, using=empty)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


ASSERTING = JwtBearer(
    endpoint=URL, claims=lambda each: {"iss": each["login"], "sub": "ann", "aud": "https://x.example"}
)


@pytest.mark.parametrize("form", [str, lambda pem: pem.replace("\n", "\\n"), lambda pem: pem.replace("\n", " ")])
def test_assertion_is_signed_with_the_private_key(key: rsa.RSAPrivateKey, form: Callable[[str], str]) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    using = account(private_key=form(pem))
    _, [request] = fetch(ASSERTING, TOKEN, using=using)
    assert request.form is not None
    assert request.form.keys() == {"grant_type", "assertion"}
    assert request.form["grant_type"] == JWT_GRANT
    claims = jwt.decode(request.form["assertion"], key.public_key(), ["RS256"], audience="https://x.example")
    assert (claims["iss"], claims["sub"]) == ("bot", "ann")
    assert 0 < claims["exp"] - claims["iat"] <= 180
    assert form(pem).strip() in using.secrets


@pytest.mark.parametrize("bad", ["x", "-----BEGIN PRIVATE KEY-----\nsecretpart\n-----END PRIVATE KEY-----"])
def test_unusable_private_key_is_an_error_without_the_key(bad: str) -> None:
    with pytest.raises(BadConnectionError, match="'private_key'") as caught:
        fetch(ASSERTING, TOKEN, using=account(private_key=bad))
    assert "secretpart" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_host_is_discovered_with_the_credentials() -> None:
    auth = DiscoveredHost(Basic(), "https://login.example/id", "urls.base")
    token, [request] = fetch(auth, {"urls": {"base": "https://pod.example"}})
    assert (request.method, request.path, request.authorized) == ("GET", "https://login.example/id", False)
    assert request.headers == {"Authorization": b64(f"bot:{SECRET}")}
    assert (token.base_url, token.expires_in) == ("https://pod.example", math.inf)
    assert auth.headers(account(), token.value) == {"Authorization": b64(f"bot:{SECRET}")}


def test_host_is_discovered_with_a_token() -> None:
    auth = DiscoveredHost(RefreshToken(endpoint=URL), "/id", lambda body: body["base"])
    token, [_, request] = fetch(auth, TOKEN, {"base": "https://pod.example"})
    assert request.headers == {"Authorization": "Bearer t-1"}
    assert (token.value, token.expires_in, token.base_url) == ("t-1", 100, "https://pod.example")


def test_field_of_the_connection_chooses_the_authentication() -> None:
    auth = AuthChoice({"key": HeaderKey("api-key"), "oauth2": ClientCredentials(endpoint=URL)})
    assert auth.headers(account(), None) == {"api-key": SECRET}
    assert auth.token_flow(account()) is None
    assert auth.headers(account(auth_type="oauth2"), "t") == {"Authorization": "Bearer t"}
    assert auth.token_flow(account(auth_type="oauth2")) is not None


def test_all_secrets_of_an_account_are_known() -> None:
    known = account(private_key="-----\nkey\n-----").secrets
    assert known == (SECRET, REFRESH, "-----\nkey\n-----")
