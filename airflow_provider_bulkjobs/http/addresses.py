# SPDX-License-Identifier: Apache-2.0
"""Where requests are sent: the configured host, a token endpoint, or a base URL that came from a response."""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

from airflow_provider_bulkjobs.exceptions import UntrustedResponseError
from airflow_provider_bulkjobs.protocol.flow import Request, origin
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor

# A name of labels that are not empty and not too long, which no library could look up; or an IPv6 address.
HOST = re.compile(r"(?!.{255})[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?|[0-9a-f:.]*:[0-9a-f:.]*")


def token_url(vendor: Vendor, account: Account, request: Request) -> str:
    """Return the URL of a request that contains the credentials itself.

    An absolute URL that the vendor declares is only used with the vendor's own API. If the connection has another host
    (a gateway, a simulated vendor), the credentials go to that host and no other, to the same path.
    """
    url = request.path
    if not url.startswith("https://"):
        url = vendor.base_url(account) + url
    elif not _has_own_host(vendor, account):
        url = vendor.base_url(account) + _without_origin(url)
    if not request.secret_query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(request.secret_query)}"


def request_url(vendor: Vendor, account: Account, base_url: str, path: str) -> str:
    """Return the URL of a request with the credentials: below the base URL, or on another host of the vendor.

    As above, with a gateway as the connection's host all requests go there.

    :raises UntrustedResponseError: it is a URL on a host that the vendor does not declare.
    """
    if path.startswith("/") and not path.startswith("//"):
        return base_url + path
    if (host := _hostname(path)) is not None:
        if origin(path) == origin(base_url):
            return path
        if path.startswith("https://") and _is_own(vendor, host) and urlsplit(path).port in {None, 443}:
            return path if _has_own_host(vendor, account) else base_url + _without_origin(path)
    raise UntrustedResponseError(
        f"A request of {vendor.label} leads to another host than that of {account.name}. It was not sent, because it "
        "has the credentials"
    )


def signed_host(vendor: Vendor, account: Account, url: str) -> str:
    """Return the host of a signed URL for messages; the rest of the URL is a credential.

    :raises UntrustedResponseError: it is not a valid URL, or not https.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises if it is not a valid port number
    except ValueError:
        parts, host = urlsplit(""), None
    secure = parts.scheme == "https" or (parts.scheme == "http" and vendor.base_url(account).startswith("http:"))
    if not host or not secure or not HOST.fullmatch(host):
        raise UntrustedResponseError(f"{vendor.label} returned a file URL that is not a valid https URL")
    return host


def trusted_base_url(vendor: Vendor, account: Account, url: str) -> str:
    """Return a base URL from a response, without a trailing slash.

    As above, with a gateway as the connection's host all requests go there, to the path of the base URL.

    :raises UntrustedResponseError: it is on another host than the configured one and those of the vendor, or not https
        (on the configured host: not its scheme either).
    """
    configured = urlsplit(vendor.base_url(account))
    host = _hostname(url)
    if host is not None:
        parts = urlsplit(url)
        path = parts.path.rstrip("/")
        if not parts.query and not parts.fragment:
            if host == configured.hostname and parts.scheme in {"https", configured.scheme}:
                return f"{parts.scheme}://{parts.netloc}{path}"
            if parts.scheme == "https" and _is_own(vendor, host):
                own = _has_own_host(vendor, account)
                return f"https://{parts.netloc}{path}" if own else vendor.base_url(account) + path
    hosts = " or ".join([str(configured.hostname), *(f"*.{domain}" for domain in vendor.domains)])
    raise UntrustedResponseError(
        f"{vendor.label} returned the API address {redact(url.partition('?')[0])[:100]!r}, which is not trusted",
        hint=f"Credentials are only sent to https addresses on {hosts}. Check the host of {account.name}.",
    )


def _has_own_host(vendor: Vendor, account: Account) -> bool:
    """Return whether the connection leads to the vendor's own API, and not to a gateway or a simulated vendor."""
    return account.host is None or _is_own(vendor, _hostname(account.host))


def _is_own(vendor: Vendor, host: str | None) -> bool:
    if host is None:
        return False
    known = {_hostname(url) for url in (vendor.default_host, *vendor.regions.values())}
    return host in known or any(f".{host}".endswith(f".{domain}") for domain in vendor.domains)


def _without_origin(url: str) -> str:
    """Return path and query of a URL."""
    return url.partition("://")[2].removeprefix(urlsplit(url).netloc)


def _hostname(url: str) -> str | None:
    r"""Return the host of a URL that every HTTP library sends to this host, else ``None``.

    They disagree on many URLs: of ``https://a.example\\.b.example``, the host is ``a.example`` for some of them.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is not a valid port number
    except ValueError:
        return None
    host = parts.hostname
    is_plain = host is not None and HOST.fullmatch(host) and parts.username is None and url.isprintable()
    return host if is_plain else None
