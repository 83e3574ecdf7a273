# SPDX-License-Identifier: Apache-2.0
"""What an answer means, before its vendor reads it: go on, try again, or give up."""

from __future__ import annotations

import ssl
import time
from collections.abc import Generator, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from airflow_provider_bulkjobs import __version__
from airflow_provider_bulkjobs.errors import (
    AnswerLostError,
    BadConnectionError,
    BulkJobError,
    CredentialsError,
    InvalidItem,
    JobNotFoundError,
    PermissionDeniedError,
    TransientError,
    VendorAnswerError,
)
from airflow_provider_bulkjobs.http.environment import NO_CERTIFICATES
from airflow_provider_bulkjobs.redact import redact
from airflow_provider_bulkjobs.vendors.account import Account
from airflow_provider_bulkjobs.vendors.base import Request, Response, Vendor

Q = TypeVar("Q")
T = TypeVar("T")

BASE_HEADERS = {
    "Accept": "application/json",
    "User-Agent": f"airflow-provider-bulkjobs/{__version__}",
}
LARGEST_BODY = 16 * 1024 * 1024
CONNECT_TIMEOUT = 10.0  # seconds
TOTAL_TIMEOUT = 60.0  # seconds
LAST_LOOK = 5.0  # seconds after the deadline in which a last question may still be answered
# What libraries say when no answer came, and what it means.
REASONS = (
    (("ProxyError", "ProxyConnectionError"), "the proxy refused, or is not there"),  # first: it may say "refused" too
    (("NameResolution", "DNSError"), "there is no host of that name"),
    (("refused",), "nothing listens there"),
    (("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"), "it does not speak TLS: is its address http://…?"),
)
EPOCH = 1_000_000_000  # a reset above this is a moment, below it a number of seconds
UNTOLD_PAUSE = 1.0  # seconds, where the vendor says "too many" and not until when
LONGEST_PAUSE = 24 * 3600.0


def pause_wanted(response: Response) -> float | None:
    """Return how many seconds the answer asks to be left alone, or ``None``.

    ``Retry-After`` counts on any answer (seconds or a date); a reset header where no request remains. Vendors
    give the reset as a moment or as seconds left, SendGrid as both:
    https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits
    """
    headers = response.headers
    retry_after = headers.get("retry-after")
    if retry_after and (seconds := _seconds(retry_after, headers)) is not None:
        return seconds
    for prefix in ("x-ratelimit-", "ratelimit-"):
        reset = headers.get(f"{prefix}reset")
        if reset and (response.status == 429 or headers.get(f"{prefix}remaining") == "0"):
            return _seconds(reset, headers)
    return None


def pause_for_all(vendor: Vendor, request: Request, response: Response) -> float | None:
    """Return for how many seconds nobody should ask this account, or ``None``."""
    pause = pause_wanted(response)
    if pause is None and vendor.is_throttled(response):
        return vendor.pause_after(request) or UNTOLD_PAUSE
    return pause


def _seconds(value: str, headers: Mapping[str, str]) -> float | None:
    try:
        number = float(value)
    except ValueError:
        moment = _epoch(value)
        return None if moment is None else _clamped(moment - _vendor_time(headers))
    return _clamped(number - _vendor_time(headers) if number > EPOCH else number)


def _clamped(seconds: float) -> float | None:
    return min(max(seconds, 0.0), LONGEST_PAUSE) if seconds == seconds else None  # noqa: PLR0124  (NaN)


def _vendor_time(headers: Mapping[str, str]) -> float:
    """Return the vendor's clock, by which its moments are meant; ours where it is not told."""
    return _epoch(headers.get("date", "")) or time.time()


def _epoch(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def check_answer(
    vendor: Vendor, account: Account, request: Request, response: Response, token: str | None = None
) -> None:
    """Let a good answer pass.

    :param token: the access token in use, which the vendor may repeat but we must not.

    :raises TransientError: try again: throttled, overloaded, down.
    :raises AnswerLostError: the same, but the request must not be sent again.
    :raises VendorAnswerError: the vendor said no; the message has its own words and what to look at.
    """
    status = response.status
    if 200 <= status < 300:
        return
    words = _words(vendor, account, response, token if request.authorized else None)
    what = f"{vendor.label} answered {status}{f' ({words})' if words else ''}"
    if vendor.is_throttled(response):
        pause = pause_wanted(response)
        raise TransientError(what, retry_after=vendor.pause_after(request) if pause is None else pause)
    if status == 408 or status >= 500:
        if not request.repeatable:  # it may have been obeyed all the same
            raise AnswerLostError(what)
        raise TransientError(what, retry_after=pause_wanted(response))
    connection = f"connection {account.conn_id!r}"
    if status < 400:
        raise VendorAnswerError(
            f"{what}: it redirects to {_place(response)}, where credentials do not follow. Mend {connection}."
        )
    if status in vendor.bad_key_statuses or (status in {400, 401, 403} and not request.authorized):
        raise CredentialsError(f"{what}. Check the credentials in {connection}.")
    if status == 403:
        raise PermissionDeniedError(f"{what}. Check what the credentials in {connection} may do.")
    if status == 404:
        raise JobNotFoundError(f"{what}. Check the id, and the account, region and host of {connection}.")
    raise VendorAnswerError(
        f"{what}. The request was refused; the same again would be refused again.",
        invalid_items=_invalid_items(vendor, response),
    )


def reply(conversation: Generator[Q, Response, T], request: object, response: Response) -> Q:
    """Send a conversation the answer to its request; return its next request.

    :raises AnswerLostError: it can make no sense of the answer to a request that must not be sent again.
    """
    try:
        return conversation.send(response)
    except TransientError as error:
        if getattr(request, "repeatable", True):
            raise
        raise AnswerLostError(str(error)) from error


def _place(response: Response) -> str:
    try:
        where = urlsplit(response.headers.get("location", ""))
    except ValueError:
        return "no valid address"
    return redact(f"{where.scheme}://{where.hostname}") if where.hostname else "another place"


def _words(vendor: Vendor, account: Account, response: Response, token: str | None) -> str:
    try:
        words = vendor.error_text(response.json)
    except TransientError:
        words = None
    if not words:
        words = HTTPStatus(response.status).phrase if response.status in set(HTTPStatus) else ""
    sent = [value.rpartition(" ")[2] for value in vendor.headers(account, token or "-").values()]
    return redact(words, [*account.secrets, *sent])


def _invalid_items(vendor: Vendor, response: Response) -> list[InvalidItem]:
    try:
        return vendor.invalid_items(response.json)
    except BulkJobError:  # the body is not JSON
        return []


def credential_headers(vendor: Vendor, account: Account, token: str | None) -> dict[str, str]:
    """Return the vendor's headers for an account.

    :raises BadConnectionError: the credentials have characters that no header can carry.
    """
    headers = dict(vendor.headers(account, token))
    if not all(value.isascii() for value in headers.values()):
        raise BadConnectionError(
            f"Connection {account.conn_id!r}: the credentials contain characters that no request header can carry. "
            "Copy them again from the vendor's settings."
        )
    return headers


def network_error(
    vendor: Vendor, account: Account, error: Exception, *, timed_out: bool, lost: bool = False
) -> BulkJobError:
    """Return the error for an exchange that got no answer, or half of one.

    :param lost: the request may have arrived, and must not be sent again.
    """
    if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return BadConnectionError(
            f"The certificate of {urlsplit(vendor.base_url(account)).hostname} is not trusted. Check the host of "
            f"connection {account.conn_id!r}; for a certificate authority of your own set REQUESTS_CA_BUNDLE."
        )
    if "X509" in str(error):
        return BadConnectionError(NO_CERTIFICATES)
    where = f"{vendor.label} (host {urlsplit(vendor.base_url(account)).hostname} of connection {account.conn_id!r})"
    kind = AnswerLostError if lost else TransientError
    if timed_out:
        return kind(f"{where} did not answer in time")
    told = f"{type(error).__name__} {error}"
    reason = next((reason for words, reason in REASONS if any(word in told for word in words)), type(error).__name__)
    return kind(f"{where} could not be reached, or broke off ({reason})")
