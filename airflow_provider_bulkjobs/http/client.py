# SPDX-License-Identifier: Apache-2.0
"""What submitting, polling and reading results need of a connection, without Airflow. The hooks have all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from logging import Logger

    from airflow_provider_bulkjobs.http.requests_transport import RequestsTransport
    from airflow_provider_bulkjobs.vendors.spec.fields import Account
    from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor


class Client(Protocol):
    """A connection to a vendor, ready to send requests from a worker."""

    @property
    def vendor(self) -> Vendor:
        """The vendor."""

    @property
    def conn_id(self) -> str:
        """The id of the connection."""

    @property
    def account(self) -> Account:
        """The values of the connection, checked."""

    @property
    def transport(self) -> RequestsTransport:
        """The transport for the account."""

    @property
    def log(self) -> Logger:
        """The task's logger."""

    def reload_connection(self) -> bool:
        """Read the connection again; return whether it has changed."""
