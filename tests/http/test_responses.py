# SPDX-License-Identifier: Apache-2.0
"""Classification of responses by status and headers."""

import json
import math
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict
from vendors.fixture_loader import refusal
from vendors.scripted import required_extra

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    JobNotFoundError,
    PermissionDeniedError,
    TransientError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.hooks.connection import read_account
from airflow_provider_bulkjobs.http.responses import (
    DEFAULT_PAUSE,
    MAX_PAUSE,
    account_pause,
    parse_retry_after,
    raise_for_status,
)
from airflow_provider_bulkjobs.protocol.flow import Request, Response, origin
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.errors import Errors
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.throttling import Throttling
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

VENDOR_OF = {vendor.conn_type: vendor for vendor in VENDORS}
SECRET = "s3cret-of-the-account"
NOW = 1_900_000_000
POLL = Request("GET", "/status")
# GraphQL has one path, and a 200 for an unknown operation: a 404 is about the shop.
NOT_FOUND = {"shopify": VendorAPIError}
SIGN_IN = Request("POST", "/token", authorized=False)


def http_date(epoch: float) -> str:
    return format_datetime(datetime.fromtimestamp(epoch, UTC), usegmt=True)


def answer(status: int, headers: dict[str, str] | None = None, body: bytes | dict[str, Any] = b"") -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, CaseInsensitiveDict(headers or {}), content)


def account_of(vendor: Vendor) -> Account:
    values = {"conn_id": "mine", "host": "https://here.example", "login": "bot", "password": SECRET}
    return read_account(vendor.fields, **values, extra=required_extra(vendor))


def twice(value: str) -> str:
    """Return a header that came twice, as HTTP libraries join it."""
    return f"{value}, {value}"


def checked(conn_type: str, response: Response, request: Request = POLL) -> Exception:
    vendor = VENDOR_OF[conn_type]
    with pytest.raises(Exception) as caught:  # noqa: PT011  (its exact class is what the tests are about)
        raise_for_status(vendor, account_of(vendor), request, response)
    return caught.value


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {}, None),
        (200, {"Retry-After": "7"}, 7),
        (429, {"Retry-After": "7"}, 7),
        (503, {"retry-after": "1.5"}, 1.5),
        (429, {"Retry-After": "0"}, 0),
        (429, {"Retry-After": "-5"}, 0),
        (429, {"Retry-After": "soon"}, None),
        (429, {"Retry-After": "nan"}, None),
        (429, {"Retry-After": "inf"}, MAX_PAUSE),
        (429, {"Retry-After": "999999"}, MAX_PAUSE),
        (429, {"Retry-After": http_date(NOW + 90), "Date": http_date(NOW)}, 90),
        (429, {"Retry-After": http_date(NOW - 90), "Date": http_date(NOW)}, 0),
        (429, {"Retry-After": "30, 30"}, 30),
        (429, {"Retry-After": "30 , 60"}, 30),
        (429, {"Retry-After": twice(http_date(NOW + 90)), "Date": twice(http_date(NOW))}, 90),
        (429, {"Retry-After": ", 30"}, None),
        (429, {"X-RateLimit-Reset": "30"}, 30),
        (429, {"X-RateLimit-Reset": str(NOW + 40), "Date": http_date(NOW)}, 40),
        (429, {"X-RateLimit-Reset": str(NOW - 40), "Date": http_date(NOW)}, 0),
        (429, {"X-RateLimit-Reset": f"{NOW + 40}000", "Date": http_date(NOW)}, 40),
        (429, {"RateLimit-Reset": "12"}, 12),
        (429, {"RateLimit-Reset": "nonsense"}, None),
        (429, {"X-RateLimit-Reset": "NaN"}, None),
        (200, {"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": "0"}, 30),
        (200, {"RateLimit-Reset": "30", "RateLimit-Remaining": "0"}, 30),
        (200, {"RateLimit-Reset": twice("30"), "RateLimit-Remaining": twice("0")}, 30),
        (200, {"RateLimit-Reset": twice("30"), "RateLimit-Remaining": "5, 0"}, None),
        (200, {"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": "1"}, None),
        (200, {"X-RateLimit-Reset": "30"}, None),
        (429, {"Retry-After": "3", "X-RateLimit-Reset": "30"}, 3),
        (429, {"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": "0"}, 30),
        (429, {"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": "1"}, None),
    ],
)
def test_parse_retry_after(status: int, headers: dict[str, str], seconds: float | None) -> None:
    assert parse_retry_after(answer(status, headers)) == seconds


@pytest.mark.parametrize("conn_type", VENDOR_OF)
def test_429_pauses_the_account_with_and_without_retry_after(conn_type: str) -> None:
    vendor = VENDOR_OF[conn_type]
    assert account_pause(vendor, POLL, answer(429)) == DEFAULT_PAUSE
    assert account_pause(vendor, POLL, answer(429, {"Retry-After": "7"})) == 7
    assert account_pause(vendor, POLL, answer(503)) is None
    assert account_pause(vendor, POLL, answer(200)) is None


class Failing(type(VENDOR_OF["hubspot"])):  # type: ignore[misc]
    """A vendor with failures in successful responses."""

    errors = Errors((), codes=("code",), meaning={"busy": 429, "expired": 401}, failed=lambda body: "code" in body)
    throttling = Throttling(retry_after=lambda body: body.get("wait"))


@pytest.mark.parametrize(
    ("wait", "seconds"), [(3, 3), (1e13, MAX_PAUSE), (math.inf, MAX_PAUSE), (math.nan, None), (-1, None), (None, None)]
)
def test_pause_in_the_body_is_limited_for_account_and_request(wait: Any, seconds: float | None) -> None:
    vendor, busy = Failing(), answer(200, body={"code": "busy", "wait": wait})
    assert account_pause(vendor, POLL, busy) == (seconds or DEFAULT_PAUSE)
    with pytest.raises(TransientError) as caught:
        raise_for_status(vendor, account_of(vendor), POLL, busy)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(("code", "error"), [("expired", AuthenticationError), ("other", VendorAPIError)])
def test_large_body_means_the_same_as_a_small_one(code: str, error: type[VendorAPIError]) -> None:
    vendor = Failing()
    for request in (POLL, Request("POST", "/file", idempotent=False)):
        with pytest.raises(VendorAPIError) as caught:
            raise_for_status(vendor, account_of(vendor), request, answer(200, body={"code": code, "x": "x" * 300_000}))
        assert type(caught.value) is error


def test_local_clock_is_used_without_a_date_header() -> None:
    wanted = parse_retry_after(answer(429, {"X-RateLimit-Reset": str(time.time() + 50)}))
    assert wanted == pytest.approx(50, abs=5)
    wanted = parse_retry_after(answer(429, {"Retry-After": http_date(time.time() + 50), "Date": "no date"}))
    assert wanted == pytest.approx(50, abs=5)


@pytest.mark.parametrize("conn_type", VENDOR_OF)
def test_success_is_returned(conn_type: str) -> None:
    vendor = VENDOR_OF[conn_type]
    for status in (200, 201, 202, 204):
        assert raise_for_status(vendor, account_of(vendor), POLL, answer(status, body=b"not read here")) is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, VendorAPIError),
        (302, VendorAPIError),
        (307, VendorAPIError),
        (400, VendorAPIError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, JobNotFoundError),
        (405, VendorAPIError),
        (408, TransientError),
        (409, VendorAPIError),
        (422, VendorAPIError),
        (429, TransientError),
        (500, TransientError),
        (502, TransientError),
        (503, TransientError),
        (504, TransientError),
        (520, TransientError),
        (599, TransientError),
    ],
)
def test_the_error_of_a_status(status: int, error: type[Exception]) -> None:
    raised = checked("sendgrid", answer(status, {"Location": "https://there.example"}))
    assert type(raised) is error
    assert VENDOR_OF["sendgrid"].label in str(raised)
    assert str(status) in str(raised)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_rejected_token_request_is_an_authentication_error(status: int) -> None:
    words = {"error": "invalid_client", "error_description": "The client credentials are invalid"}
    raised = checked("acquia_campaign_studio", answer(status, body=words), SIGN_IN)
    assert type(raised) is AuthenticationError
    assert "invalid_client: The client credentials are invalid" in str(raised)
    assert "'mine'" in str(raised)


def test_400_with_rate_limit_message_of_activecampaign_is_transient() -> None:
    body = {"Success": 0, "message": "Rate limit exceeded."}
    assert type(checked("activecampaign", answer(400, body=body))) is TransientError
    assert type(checked("intercom", answer(400, body=body))) is VendorAPIError
    assert type(checked("activecampaign", answer(400, body={"message": "Bad batch."}))) is VendorAPIError


@pytest.mark.parametrize("status", [429, 503])
def test_transient_error_has_retry_after(status: int) -> None:
    raised = checked("sendgrid", answer(status, {"Retry-After": "11"}))
    assert isinstance(raised, TransientError)
    assert raised.retry_after == 11


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("https://there.example/path/of/7?token=signed#part", "https://there.example"),
        ("https://user:word@there.example/path", "https://there.example"),
        ("//there.example/path", "there.example"),
        ("/path?token=signed", "another location"),
        ("", "another location"),
    ],
)
def test_redirect_error_shows_only_the_host(location: str, place: str) -> None:
    raised = str(checked("sendgrid", answer(302, {"Location": location})))
    assert place in raised
    assert "'mine'" in raised
    for part in ("path", "token", "signed", "user", "word@"):
        assert part not in raised


def test_redirect_with_invalid_location_is_an_error() -> None:
    assert type(checked("sendgrid", answer(302, {"Location": "https://[there/path"}))) is VendorAPIError


@pytest.mark.parametrize("conn_type", VENDOR_OF)
def test_vendor_message_is_redacted(conn_type: str) -> None:
    words = f"ada@example.com at https://files.example/a?sig=XYZ with\nkey {SECRET} is wrong"
    for status in (400, 401, 403, 404, 429, 503):
        raised = str(checked(conn_type, answer(status, body=refusal(conn_type, words))))
        assert "https://files.example/a" in raised, status
        assert "is wrong" in raised, status
        for forbidden in ("ada", "sig=", "XYZ", SECRET, "\n"):
            assert forbidden not in raised, status


@pytest.mark.parametrize("conn_type", VENDOR_OF)
def test_error_without_vendor_message_has_the_http_reason(conn_type: str) -> None:
    for body in (b"", b"We will be back soon", b"[]", b"null", b"\xff\xfe", b'{"errors": 7}'):
        raised = checked(conn_type, answer(404, body=body))
        assert type(raised) is NOT_FOUND.get(conn_type, JobNotFoundError), body
        assert "404 (Not Found)" in str(raised), body


@pytest.mark.parametrize("conn_type", VENDOR_OF)
def test_a_deeply_nested_body_does_not_hide_the_status(conn_type: str) -> None:
    raised = checked(conn_type, answer(404, body=b"[" * 200_000))
    assert type(raised) is NOT_FOUND.get(conn_type, JobNotFoundError)


def test_origin() -> None:
    assert origin("https://here.example:8443/a?b") == ("https", "here.example:8443")
    assert origin("http://here.example") != origin("https://here.example")
