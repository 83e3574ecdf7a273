# SPDX-License-Identifier: Apache-2.0
"""Requests of Shopify's GraphQL Admin API, and what all its responses have in common.

https://shopify.dev/docs/api/admin-graphql
https://shopify.dev/docs/api/usage/versioning
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.protocol.flow import Request, Response
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.toolkit.submits import object_request

VERSION = "api_version"  # a field of the connection
SERVED_VERSION = "X-Shopify-API-Version"  # a header of the response


def graphql(account: Account, text: str, **variables: Any) -> Request:
    """Return the request of a query or mutation.

    :param text: the query or mutation.
    """
    body = {"query": text, "variables": variables} if variables else {"query": text}
    return object_request("POST", f"/admin/api/{account[VERSION]}/graphql.json", body)


def read(account: Account, response: Response) -> Mapping[str, Any]:
    """Return the body of a response, which has to be of the version that was requested.

    :raises BadConnectionError: the version is retired. Shopify then answers with the oldest one that it supports, in
        which fields may differ without any error.
    """
    served = response.headers.get(SERVED_VERSION, account[VERSION])
    if served != account[VERSION]:
        raise account.error(
            VERSION,
            f"is {account[VERSION]}, which Shopify has retired, or not released: it used version {served[:20]}",
            f"Read Shopify's release notes, then enter a version that is supported, such as {served[:20]}.",
        )
    return response.json
