# SPDX-License-Identifier: Apache-2.0
"""What the engine needs to know of a vendor's authentication. The kinds that exist are in the toolkit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from airflow_provider_bulkjobs.protocol.flow import Flow, Token
from airflow_provider_bulkjobs.vendors.spec.fields import Account


class Auth(ABC):
    """How the requests of an account are authenticated."""

    @abstractmethod
    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:
        """Return the headers with the credentials.

        :param token: the access token, if :meth:`token_flow` returns a flow.
        """

    def token_flow(self, account: Account) -> Flow[Token] | None:  # noqa: ARG002
        """Return the flow that runs before the first request and when its token expires, or ``None``."""
        return None
