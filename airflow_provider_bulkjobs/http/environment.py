# SPDX-License-Identifier: Apache-2.0
"""What the environment says about proxies and certificates, read once for both drivers.

Both libraries can read the environment themselves, but not the same variables, and both would then also take
a password for the host from ``~/.netrc`` and send it instead of ours.
"""

from __future__ import annotations

import functools
import os
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_bulkjobs.errors import BadConnectionError

if TYPE_CHECKING:
    import requests

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
NO_CERTIFICATES = f"There are no certificates where the environment says ({', '.join(CA_VARIABLES)})."
_building = threading.Lock()


def proxy_for(url: str) -> str | None:
    """Return the proxy to reach a URL through: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``."""
    parts = urlsplit(url)
    proxies = getproxies()
    if proxy_bypass(parts.netloc) or proxy_bypass(parts.hostname or ""):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def ca_bundle() -> str:
    """Return the file or folder of certificates to trust: the environment's, or else the one requests ships.

    :raises BadConnectionError: the environment names one that is not there.
    """
    for name in CA_VARIABLES:
        if path := os.environ.get(name):
            if not Path(path).exists():
                raise BadConnectionError(f"The environment variable {name} names certificates that are not there.")
            return path
    import certifi

    return certifi.where()


def heed_environment(session: requests.Session, url: str) -> str:
    """Let a requests session for a URL heed the environment as told here; return the bundle it trusts."""
    session.trust_env = False  # it would take a password from ~/.netrc
    session.verify = bundle = ca_bundle()
    if proxy := proxy_for(url):
        session.proxies = {"http": proxy, "https": proxy}
    return bundle


@functools.cache
def _build_tls_context(bundle: str) -> ssl.SSLContext:
    folder = Path(bundle).is_dir()
    return ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)


def tls_context(bundle: str) -> ssl.SSLContext:
    """Return the process's TLS context for a bundle. The first call takes some 30 ms: never on an event loop."""
    with _building:
        try:
            return _build_tls_context(bundle)
        except OSError as error:
            raise BadConnectionError(NO_CERTIFICATES) from error
