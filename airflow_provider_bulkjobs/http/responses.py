# SPDX-License-Identifier: Apache-2.0
"""Classify responses before the vendor reads them: success, retry, or one of the errors."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_bulkjobs import __version__
from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadConnectionError,
    BulkJobError,
    JobNotFoundError,
    PermissionDeniedError,
    TransientError,
    UnknownOutcomeError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.http.tls_and_proxy import NO_CERTIFICATES, PROXY_VARIABLES
from airflow_provider_bulkjobs.protocol.flow import LARGE_BODY, Request, Response
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.vendors.spec.body_path import body_of
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.throttling import RATE_HEADERS, parse_seconds
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

BASE_HEADERS = {
    "Accept": "application/json",
    "User-Agent": f"airflow-provider-bulkjobs/{__version__}",
}
CONNECT_TIMEOUT = 10.0  # seconds
TOTAL_TIMEOUT = 60.0  # seconds
FINAL_POLL_TIMEOUT = 5.0  # seconds that a request sent right before the deadline may take
# Substrings of the libraries' errors, and the reason they stand for. The first match counts.
REASONS = (
    (("ProxyError", "ProxyConnectionError", "SOCKS"), "the proxy refused the connection or is not running"),
    (("NameResolution", "DNSError", "gaierror"), "host name not found"),
    (("refused", "ConnectionRefused"), "connection refused"),
    (("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"), "TLS handshake failed: the server may speak plain http://"),
    (("SSLError", "SSLZero", "SSLEOF"), "TLS handshake failed"),
)
# Not executed, retry later: locked, too early, account being migrated (HubSpot).
RETRY_LATER = frozenset({423, 425, 477})
# Not retried even if the body is a web page: servers and proxies reject malformed requests this way. (429: if the
# vendor does not use it for its rate limit.)
FINAL = frozenset({400, 401, 405, 407, 411, 413, 414, 415, 429, 431})
# Statuses of an expired or replaced signed URL: Google returns 400, Amazon and Azure 403.
EXPIRED = frozenset({400, 401, 403, 404, 410})
PAGE_TYPES = ("text/html", "application/xhtml", "text/xml", "application/xml")
# The first of several values. The comma after the day of the week belongs to the date.
FIRST_VALUE = re.compile(r"(?:[a-z]+,)?[^,]*", re.ASCII | re.IGNORECASE)
EPOCH = 1_000_000_000  # a reset above this is a timestamp, below it a number of seconds
EPOCH_MILLISECONDS = 100_000_000_000  # above this, it is in milliseconds
DEFAULT_PAUSE = 1.0  # seconds, for a rate-limited response without Retry-After or a reset header
MAX_PAUSE = 24 * 3600.0


def parse_retry_after(
    response: Response, prefixes: Iterable[str] = RATE_HEADERS, *, is_limited: bool | None = None
) -> float | None:
    """Return for how many seconds the response asks to send nothing, or ``None``.

    ``Retry-After`` (seconds or a date) counts on any response; a reset header only if no request remains. Vendors
    give the reset as a timestamp or as seconds, SendGrid as both:
    https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits

    :param prefixes: of the headers with the remaining requests and the reset.
    :param is_limited: whether the response means "too many requests"; by default, if its status is 429.
    """
    headers = response.headers
    if is_limited is None:
        is_limited = response.status == 429
    retry_after = _first_value(headers, "retry-after")
    if retry_after and (seconds := _seconds(retry_after, headers)) is not None:
        return seconds
    for prefix in prefixes:
        reset = _first_value(headers, f"{prefix}reset")
        # If requests remain, the limit that was exceeded is another one, such as that of open jobs.
        if reset and (_first_value(headers, f"{prefix}remaining") or ("0" if is_limited else "")) == "0":
            return _seconds(reset, headers)
    return None


def account_pause(vendor: Vendor, request: Request, response: Response) -> float | None:
    """Return for how many seconds to send nothing to this account, or ``None``."""
    is_limited = vendor.status_of(response) == 429
    pause = _requested_pause(vendor, request, response, is_limited=is_limited)
    return DEFAULT_PAUSE if pause is None and is_limited else pause


def _requested_pause(vendor: Vendor, request: Request, response: Response, *, is_limited: bool) -> float | None:
    """Return for how many seconds a response asks to send nothing, in its headers or its body, or ``None``."""
    pause = parse_retry_after(response, vendor.throttling.headers, is_limited=is_limited)
    if pause is None and is_limited:
        return _clamped(vendor.default_pause(request, response, _vendor_time(response.headers)) or 0.0) or None
    return pause


def _first_value(headers: Mapping[str, str], name: str) -> str:
    """Return a header, or an empty text. If a gateway has added it once more, both values are joined by a comma."""
    value = headers.get(name, "").strip()
    if "," in value and (found := FIRST_VALUE.match(value)):
        return found[0].strip()
    return value


def _seconds(value: str, headers: Mapping[str, str]) -> float | None:
    try:
        number = float(value)
    except ValueError:
        if (seconds := parse_seconds(value)) is not None:
            return _clamped(seconds)
        timestamp = _epoch(value)
        return None if timestamp is None else _clamped(timestamp - _vendor_time(headers))
    if number > EPOCH_MILLISECONDS:
        number /= 1000
    return _clamped(number - _vendor_time(headers) if number > EPOCH else number)


def _clamped(seconds: float) -> float | None:
    return min(max(seconds, 0.0), MAX_PAUSE) if seconds == seconds else None  # noqa: PLR0124  (NaN)


def _vendor_time(headers: Mapping[str, str]) -> float:
    """Return the vendor's time from the ``Date`` header, or else the local time: its timestamps refer to its clock."""
    return _epoch(_first_value(headers, "date")) or time.time()


def _epoch(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


class NetworkError(Exception):
    """A request that ended without a complete response.

    :param reason: the reason.
    :param sent: whether a part of the request may have left this machine. ``False`` proves that it was not executed.
    :param certificate: why the server's certificate was rejected, if it was.
    """

    def __init__(self, reason: str, *, sent: bool, certificate: str | None = None) -> None:
        super().__init__(reason)
        self.sent = sent
        self.certificate = certificate

    @classmethod
    def from_library(cls, error: Exception, *, sent: bool, timed_out: bool) -> NetworkError:
        """Return the error for an exception of requests, urllib3 or aiohttp."""
        causes = list(_causes(error))
        rejected = [cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)]
        if rejected:  # aiohttp wraps one certificate error in another
            messages = (message for cause in rejected if (message := getattr(cause, "verify_message", "")))
            return cls("", sent=sent, certificate=next(messages, "certificate verify failed"))
        if any("X509" in str(cause) for cause in causes):
            return cls("", sent=sent, certificate=NO_CERTIFICATES)
        if timed_out:
            return cls("no response in time", sent=sent)
        text = " ".join(f"{type(cause).__name__} {cause}" for cause in causes)
        reasons = REASONS[1:] if sent else REASONS  # urllib3 reports any error behind a proxy as a proxy error
        known = (reason for substrings, reason in reasons if any(substring in text for substring in substrings))
        return cls(next(known, type(causes[-1]).__name__), sent=sent)


class FileUnavailableError(VendorAPIError):
    """The URL does not, or no longer, return the file; the vendor may provide a new URL."""


class ResponseTooLargeError(Exception):
    """The body of a response exceeds the limit and was not read completely."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the response is larger than {limit} bytes; it was not read")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and the ones it wraps: in its arguments (urllib3), as ``reason``, or as its cause."""
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        queue += [*current.args, getattr(current, "reason", None), getattr(current, "os_error", None)]
        queue += [getattr(current, "certificate_error", None)]
        queue += [current.__cause__, current.__context__]


def raise_for_status(
    vendor: Vendor, account: Account, request: Request, response: Response, token: str | None = None
) -> None:
    """Raise an error unless the status is 2xx.

    :param token: the access token in use, which is removed from messages: the vendor may repeat it.
    :raises TransientError: rate limited, overloaded or down; retry.
    :raises UnknownOutcomeError: the same for a non-idempotent request that may have been executed.
    :raises VendorAPIError: the vendor rejected the request; the message has the vendor's message and what to check.
    """
    status = vendor.status_of(response)
    if 200 <= status < 300:
        return
    if request.body is None and len(response.body) > LARGE_BODY:
        # A poll may run on an event loop, and only a submit has long lists of errors that are worth parsing.
        response = Response(response.status, response.headers, response.body[:LARGE_BODY])
    message = _vendor_message(vendor, account, request, response, token if request.authorized else None)
    if 200 <= response.status < 300:
        what = f"{vendor.label} rejected the request (status {response.status}): {message or 'no reason given'}"
    else:
        what = f"{vendor.label} returned {response.status}{f' ({message})' if message else ''}"
    if 300 <= status < 400:
        what += f": redirected to {_redirect_origin(response)}"
    _raise_if_unavailable(vendor, account, request, response, what, status=status)
    if status == 407:
        names = ", ".join(PROXY_VARIABLES)
        raise BadConnectionError(f"The proxy returned 407. Set user and password in the proxy's URL ({names}).")
    kind, advice = _refusal(account, request, status)
    hint = f"{advice} {vendor.errors.hint(response)}".strip()
    items = vendor.invalid_items(body_of(response)) if kind is VendorAPIError else ()
    raise kind(what, hint=hint, status=response.status, vendor_message=message or None, invalid_items=items)


def _raise_if_unavailable(
    vendor: Vendor, account: Account, request: Request, response: Response, what: str, *, status: int
) -> None:
    """Raise unless the vendor has finally rejected the request, in which case it was certainly not executed.

    :param status: what the whole response stands for.
    """
    pause = _requested_pause(vendor, request, response, is_limited=status == 429)
    if status == 429:
        raise TransientError(what, hint=vendor.errors.hint(response), retry_after=pause)
    is_redirect = 300 <= status < 400
    if status == 408 or status >= 500 or status < 400:
        if request.idempotent is False:  # it may have been executed
            raise UnknownOutcomeError(what)
        if not is_redirect:
            raise TransientError(what, retry_after=pause)
    elif is_outage(response):
        hint = f"If this persists, check the host of {account.name}." if _is_page(response) else ""
        raise TransientError(what, hint=hint, retry_after=pause)


def _refusal(account: Account, request: Request, status: int) -> tuple[type[VendorAPIError], str]:
    """Return the class of the error for a rejected request, and what to do about it."""
    if status < 400:
        return VendorAPIError, f"Credentials are never sent to another address. Correct the host of {account.name}."
    if status == 401 or (status in {400, 403} and not request.authorized):
        return AuthenticationError, f"Check the credentials in {account.name}."
    if status == 403:
        return PermissionDeniedError, f"Check the permissions of the credentials in {account.name}."
    if status == 404:
        return JobNotFoundError, f"Check the id, and the account, region and host of {account.name}."
    return VendorAPIError, "The request was rejected and is not retried."


def raise_for_transfer(response: Response, transfer: str) -> None:
    """Raise an error if a file host has no answer now.

    :param transfer: what was tried, with the host: "download from files.example.com".
    :raises TransientError: retry.
    """
    if response.status in {408, 429} or response.status >= 500:
        pause = parse_retry_after(response)
        raise TransientError(f"the {transfer} failed with {response.status}", retry_after=pause)


def raise_for_file(response: Response, host: str, accepted: Iterable[int] = (200, 204)) -> None:
    """Raise an error unless a response has a file.

    :param accepted: the statuses of a file; of a part of one, 206, or 416 if there is no such part.
    :raises TransientError: retry.
    :raises FileUnavailableError: the URL does not, or no longer, return the file.
    :raises VendorAPIError: the storage rejected the request.
    """
    raise_for_transfer(response, f"download from {host}")
    if response.status in EXPIRED:
        raise FileUnavailableError(f"Download from {host} failed with {response.status}; the file may have expired")
    if response.status not in accepted:
        raise VendorAPIError(f"Download from {host} failed with {response.status}")
    is_page = response.headers.get("content-type", "").lower().strip().startswith(PAGE_TYPES)
    if is_page and response.status != 416:  # that of an empty file is about the error
        raise FileUnavailableError(f"{host} returned a web page instead of the file. The file may have expired.")


def is_outage(response: Response) -> bool:
    """Return whether a 4xx means "retry later": the request was not evaluated and not executed.

    Cloudflare marks its challenges: https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/detect-response/
    A web page instead of an API response comes from a component in front of the vendor's API, whatever its status:
    a maintenance page, a firewall, a challenge.
    """
    if response.status in RETRY_LATER or "cf-mitigated" in response.headers:
        return True
    if "retry-after" in response.headers:
        return response.status not in {401, 429}
    return response.status not in FINAL and _is_page(response)


def _is_page(response: Response) -> bool:
    return response.body[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _redirect_origin(response: Response) -> str:
    try:
        target = urlsplit(response.headers.get("location", ""))
    except ValueError:
        return "an invalid address"
    return redact(f"{target.scheme}://{target.hostname}") if target.hostname else "another location"


def _vendor_message(vendor: Vendor, account: Account, request: Request, response: Response, token: str | None) -> str:
    body = body_of(response)
    message = None if body is None else vendor.error_text(body)
    if not message and response.status >= 300:
        message = HTTPStatus(response.status).phrase if response.status in set(HTTPStatus) else ""
    sent = vendor.headers(account, token or "-") if request.authorized else {}
    credentials = [*(value.rpartition(" ")[2] for value in sent.values()), *request.credentials]
    return redact(message or "", [*account.secrets, *credentials])


def credential_headers(vendor: Vendor, account: Account, token: str | None) -> dict[str, str]:
    """Return the vendor's headers for an account.

    :raises BadConnectionError: the credentials contain characters that are not allowed in a header.
    """
    return sendable(dict(vendor.headers(account, token)), account)


def sendable(headers: dict[str, str], account: Account) -> dict[str, str]:
    """Return headers with credentials.

    :raises BadConnectionError: they contain characters that are not allowed in a header.
    """
    if not all(value.isascii() for value in headers.values()):
        raise BadConnectionError(
            f"The credentials of {account.name} contain characters that are not allowed in a header. "
            "Copy them again from the vendor's settings."
        )
    return headers


def network_error(vendor: Vendor, account: Account, request: Request, error: NetworkError, url: str) -> BulkJobError:
    """Return the error for a request without a complete response.

    :param url: where it was sent; only the host is shown.
    """
    host = urlsplit(url).hostname
    if error.certificate == NO_CERTIFICATES:
        return BadConnectionError(NO_CERTIFICATES)
    if error.certificate is not None:
        return BadConnectionError(
            f"The TLS certificate of {host} was rejected: {redact(error.certificate).rstrip('.')}. Check the host of "
            f"{account.name}; for a private certificate authority, set REQUESTS_CA_BUNDLE."
        )
    where = f"{vendor.label} (host {host} of {account.name})"
    if error.sent and request.idempotent is False:
        return UnknownOutcomeError(f"Connection to {where} was interrupted after the request was sent ({error})")
    return TransientError(f"Connection to {where} failed ({error})")
