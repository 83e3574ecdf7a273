# SPDX-License-Identifier: Apache-2.0
"""Proxies and CA certificates from the environment, for both transports.

Both libraries can read the environment, but they read different variables, and both would then also send a password
from ``~/.netrc`` instead of the connection's credentials.
"""

from __future__ import annotations

import functools
import os
import re
import ssl
import threading
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

from airflow_provider_bulkjobs.exceptions import BadConnectionError

if TYPE_CHECKING:
    import requests

PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
NO_CERTIFICATES = f"No CA certificates found at the path set by one of {', '.join(CA_VARIABLES)}."
_building = threading.Lock()


def proxy_for(url: str) -> str | None:
    """Return the proxy for a URL, from ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``."""
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    if not proxy or is_excluded(parts.hostname or "", port, proxies.get("no", "")):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _has_host(proxy):
        variables = " or ".join(PROXY_VARIABLES)
        raise BadConnectionError(f"The proxy in {variables} has no valid host. Correct the variable.")
    return proxy


def _has_host(url: str) -> bool:
    try:
        return bool((urlsplit(url).hostname or "").encode("idna"))
    except ValueError:  # also of an empty or too long part of a name, which no library can look up
        return False


def http_proxy_for(url: str) -> str | None:
    """Return the proxy for a URL, for aiohttp, which does not support SOCKS.

    :raises BadConnectionError: it is a SOCKS proxy.
    """
    proxy = proxy_for(url)
    if proxy is not None and is_socks(proxy):
        variables = " or ".join(PROXY_VARIABLES)
        raise BadConnectionError(
            f"The triggerer cannot use a SOCKS proxy. Set {variables} to an HTTP proxy, or run the task with "
            "deferrable=False."
        )
    return proxy


def is_socks(proxy: str) -> bool:
    """Return whether a proxy uses SOCKS."""
    return proxy.lower().startswith("socks")


def is_excluded(host: str, port: int | None, no_proxy: str) -> bool:
    """Return whether ``NO_PROXY`` excludes a host.

    An entry is ``*``, a host name (which includes its subdomains, with or without a leading dot), an IP address or a
    network (``10.0.0.0/8``, ``fd00::/8``). Host names and addresses may have a port.
    """
    address = _ip_address(host)
    for entry in no_proxy.replace(",", " ").split():
        if entry == "*":
            return True
        if address is not None and (network := _ip_network(entry)) is not None:
            if address in network:
                return True
            continue
        name, only_port = _split_port(entry.lower())
        if only_port is not None and only_port != port:
            continue
        if address is not None:
            if _ip_address(name) == address:
                return True
        elif (name := name.removeprefix("*").strip(".")) and f".{host.rstrip('.').lower()}".endswith(f".{name}"):
            return True
    return False


def _split_port(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(":")
    if colon and port.isascii() and port.isdigit() and (":" not in name or name.endswith("]")):
        return name.strip("[]"), int(port)
    return entry.strip("[]"), None


def _ip_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _ip_network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(re.sub(r"^\[(.*)\](?=/|$)", r"\1", text), strict=False)
    except ValueError:
        return None


def ca_bundle() -> str:
    """Return the file or folder of trusted CA certificates: from the environment, or else from certifi.

    :raises BadConnectionError: the path from the environment does not exist.
    """
    for name in CA_VARIABLES:
        if path := os.environ.get(name):
            if not Path(path).exists():
                raise BadConnectionError(
                    f"{name} points to a CA bundle that does not exist. Correct the environment variable."
                )
            return path
    import certifi

    return certifi.where()


def apply_environment(session: requests.Session, url: str) -> str:
    """Apply proxy and CA bundle from the environment to a requests session for a URL; return the bundle."""
    session.trust_env = False  # requests would send a password from ~/.netrc
    session.verify = bundle = ca_bundle()
    proxy = proxy_for(url)
    if proxy and is_socks(proxy) and find_spec("socks") is None:
        raise BadConnectionError("A SOCKS proxy needs PySocks: pip install 'requests[socks]'.")
    session.proxies = {"http": proxy, "https": proxy} if proxy else {}
    return bundle


@functools.cache
def _build_tls_context(bundle: str) -> ssl.SSLContext:
    folder = Path(bundle).is_dir()
    return ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)


def tls_context(bundle: str) -> ssl.SSLContext:
    """Return the process's TLS context for a bundle. The first call takes about 30 ms: not on an event loop."""
    with _building:
        try:
            return _build_tls_context(bundle)
        except OSError as error:
            raise BadConnectionError(NO_CERTIFICATES) from error
