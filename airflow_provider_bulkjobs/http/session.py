# SPDX-License-Identifier: Apache-2.0
"""The requests session of an account, which takes its credentials nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin

import requests

from airflow_provider_bulkjobs.errors import BadArgumentError
from airflow_provider_bulkjobs.http.answers import BASE_HEADERS, CONNECT_TIMEOUT, TOTAL_TIMEOUT
from airflow_provider_bulkjobs.http.environment import heed_environment, tls_context
from airflow_provider_bulkjobs.vendors.base import origin

ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?//")


class AccountSession(requests.Session):
    """A requests session that knows the account's address and credentials, and sends them nowhere else.

    Paths are relative to the account's base URL. Redirects to other hosts are not followed, cookies are not kept,
    and timeouts are set unless asked otherwise.
    """

    def __init__(self, base_url: str, authorize: Callable[[], dict[str, str]]) -> None:
        super().__init__()
        self.headers.update(BASE_HEADERS)
        self.base_url = base_url
        self._authorize = authorize
        bundle = heed_environment(self, base_url)
        if base_url.startswith("https:"):
            tls_context(bundle)  # requests would tell a bundle that is none as an outage
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where a redirect leads, if the credentials may go there."""
        target = super().get_redirect_target(resp)
        try:
            is_ours = target is not None and origin(urljoin(resp.url, target)) == origin(self.base_url)
        except ValueError:  # no address at all
            return None
        return target if is_ours else None

    def request(  # type: ignore[override]
        self, method: str, url: str, *, authorized: bool = True, headers: Any = None, **kwargs: Any
    ) -> requests.Response:
        """Send a request to a path of the account's own host.

        :param url: a path such as ``/v3/scopes``, or a URL of the same origin.
        :raises BadArgumentError: the URL is of another origin, where the credentials must not go.
        """
        if ABSOLUTE.match(url.strip()):
            if origin(urljoin(self.base_url, url)) != origin(self.base_url):
                raise BadArgumentError("this session only talks to the host of its connection; use requests itself")
        else:
            url = f"{self.base_url}/{url.removeprefix('/')}"
        kwargs.setdefault("timeout", (CONNECT_TIMEOUT, TOTAL_TIMEOUT))
        own = self._authorize() if authorized else {}
        return super().request(method, url, headers={**own, **(headers or {})}, **kwargs)
