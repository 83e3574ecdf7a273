# SPDX-License-Identifier: Apache-2.0
"""Shopify: imports of customers with bulk operations of the GraphQL Admin API.

https://shopify.dev/docs/api/admin-graphql
https://shopify.dev/docs/api/usage/limits
https://shopify.dev/docs/api/usage/response-codes
https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant
https://shopify.dev/docs/api/admin-graphql/latest/enums/BulkMutationErrorCode
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    PermissionDeniedError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response
from airflow_provider_bulkjobs.vendors.shopify import jobs
from airflow_provider_bulkjobs.vendors.shopify.graphql import VERSION, graphql, read
from airflow_provider_bulkjobs.vendors.shopify.submits import OPERATIONS, RUN
from airflow_provider_bulkjobs.vendors.spec.body_path import body_of, find, text_at, value_at
from airflow_provider_bulkjobs.vendors.spec.errors import Errors
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit, Throttling
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import AuthChoice, ClientCredentials, HeaderKey
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.errors import USER_ERRORS, graphql_cost_pause, graphql_failed
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict

TOKEN = "X-Shopify-Access-Token"  # noqa: S105
SCOPE = "write_customers"
SHOP = "{ shop { id name myshopifyDomain } }"
SCOPES = "{ appInstallation { accessScopes { handle } } }"
OLDEST_VERSION = "2026-01"  # that can look up an operation by its id
VERSION_NAME = re.compile(r"20\d\d-(01|04|07|10)", re.ASCII)
API_PATH = re.compile(r"/admin(/.*)?$")
# A group of its own: a submit that waits because other operations are running must not delay their polls.
STARTS = RateLimit((), 1, seconds=1.0)
BUSY_PAUSE = 120.0  # seconds; an operation takes minutes


def _is_failure(body: Any) -> bool:
    """Return whether a body has errors; an operation that was started has not failed, whatever else is said of it."""
    return graphql_failed(body) and not text_at(body, f"data.{RUN}.bulkOperation.id")


class Shopify(Vendor):
    """Shopify; each shop has its own host."""

    conn_type = "shopify"
    label = "Shopify"
    docs_url = jobs.DOCS_URL
    # Shopify limits the cost of queries, in points per second. Each response has what is left of them.
    requests_per_second = 5.0
    fields = (
        Field(
            "password",
            "Access token or client secret",
            "The Admin API access token of an app of the shop. With client_credentials: the client secret of an app of "
            "your organization, in the Dev Dashboard: the app > Settings.",
            placeholder="shpat_0123456789abcdef",
            where="of the shop's app",
            required=True,
        ),
        Field(
            "host",
            "Shop domain",
            "The shop's own myshopify.com address. In Shopify: Settings > Domains. Not that of the admin.",
            placeholder="https://example.myshopify.com",
            where="Settings > Domains",
            required=True,
        ),
        Field(
            "login",
            "Client ID",
            "Only with client_credentials, next to the client secret.",
            placeholder="0123456789abcdef0123456789abcdef",
            where="only with client_credentials",
        ),
        Field(
            "auth_type",
            "Authentication",
            "access_token, or client_credentials of an app of the same organization as the shop.",
            choices=("access_token", "client_credentials"),
            default="access_token",
        ),
        Field(
            VERSION,
            "API version",
            f"A supported version, {OLDEST_VERSION} or later. Shopify retires each after at least 12 months.",
            placeholder="2026-10",
            default="2026-10",
        ),
    )
    auth = AuthChoice(
        {
            "access_token": HeaderKey(TOKEN),
            "client_credentials": ClientCredentials(endpoint="/admin/oauth/access_token", scheme="", header=TOKEN),
        }
    )
    errors = Errors(
        messages=jobs.MESSAGES,
        codes=("errors.extensions.code", f"{USER_ERRORS}.code"),
        meaning={
            "THROTTLED": 429,
            "ACCESS_DENIED": 403,
            "SHOP_INACTIVE": 402,
            "MAX_COST_EXCEEDED": 400,
            "INTERNAL_SERVER_ERROR": 500,
            **dict.fromkeys(("OPERATION_IN_PROGRESS", "LIMIT_REACHED", "INTERNAL_FILE_SERVER_ERROR"), 429),
            404: 400,  # the shop or the path; an operation that is unknown is null
        },
        failed=_is_failure,
        pauses={"OPERATION_IN_PROGRESS": BUSY_PAUSE, "LIMIT_REACHED": BUSY_PAUSE, "INTERNAL_FILE_SERVER_ERROR": 10.0},
        hints={
            "OPERATION_IN_PROGRESS": "Other bulk operations of the same app are running, maybe of another tool.",
            "LIMIT_REACHED": "Other bulk operations of the same app are running, maybe of another tool.",
            "SHOP_INACTIVE": "The shop is closed or frozen.",
        },
    )
    throttling = Throttling(retry_after=graphql_cost_pause)
    kinds = (
        JobKind(
            "customers",
            "customer import",
            jobs.operation_status,
            cancel=jobs.cancel,
            operations=OPERATIONS,
            results=jobs.operation_results,
            counts_results=True,
            states=jobs.STATES,
        ),
    )
    notes = VendorDocs(
        reported={
            "customers": Reported(
                "yes", "yes, counted in the file of results", "yes", 'yes, but all failed is "some failed"'
            ),
        },
        retention="7 days",
        permissions="The app needs the scopes write_customers and read_customers, and most apps Shopify's approval for "
        "protected customer data.",
        credentials=(
            (
                "With access_token: the token of a custom app that was made in the shop's admin, which does not "
                "expire, or an offline token of another app."
            ),
            "With client_credentials: an app of your organization. Its tokens are valid for 24 hours.",
        ),
        limits=(
            "100 points of query cost per second, more with higher plans. The records of an operation cost none.",
            "5 bulk mutations at a time for an app and a shop. One more is sent every two minutes, ten times.",
            "Then the task fails with the ids of the operations that were accepted, and a retry resumes.",
            "An operation must end within 24 hours. Its file may have 100 MB; more records are several operations.",
            "Files of results are deleted after 7 days. Then an operation is `EXPIRED`, which is no success.",
            "A retired API version is an error: Shopify would answer with another one.",
            "upsert replaces lists such as tags and addresses: entries that a record does not have are deleted.",
            "Unconfirmed: how long a staged file is kept, and what an operation of unknown id leads to.",
        ),
        not_reported=(
            "Failed lines, in the status: a wait reads the file of results of a completed operation, in pieces.",
            "Whether upsert has created or updated a customer: such lines are `succeeded`.",
            "The records of failed lines: a line has its number in the batch; unconfirmed whether from 0 or 1.",
            "Unconfirmed: whether objectCount has failed lines. Lines it has beyond those in the file count as failed.",
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the address of the shop.

        :raises BadConnectionError: it is that of Shopify's admin, or the API version is not one that can be used.
        """
        if urlsplit(account.host or "").hostname == "admin.shopify.com":
            raise account.error("host", "is the address of the admin", "Enter the shop's: https://….myshopify.com")
        version = str(account[VERSION])
        if not VERSION_NAME.fullmatch(version) or version < OLDEST_VERSION:
            raise account.error(
                VERSION, f"is not a version of {OLDEST_VERSION} or later", "Enter the year and month: 2026-10"
            )
        return API_PATH.sub("", account.require("host"))

    def status_of(self, response: Response) -> int:
        """Return 500 for an error while the request was executed, unless the code of the error has a meaning.

        https://spec.graphql.org/October2021/#sec-Response-Format: one before the execution has no data.
        """
        status, body = super().status_of(response), body_of(response)
        if status != 400 or response.status != 200 or "data" not in body or not find(body, "errors"):
            return status
        codes = {str(code) for code in find(body, self.errors.codes[0])}
        return status if codes & self.errors.meaning.keys() else 500

    def error_text(self, body: Any) -> str | None:
        """Return the messages in an error response; with some statuses, they are in an object by field."""
        texts = [text for text in find(body, "errors.*") if isinstance(text, str)]
        return super().error_text(body) or "; ".join(texts) or None

    def rate_limit_of(self, request: Request) -> RateLimit | None:
        """Return the limit of starting an operation; all requests have the same path."""
        return STARTS if RUN.encode() in (request.body or b"") else None

    def check(self, account: Account) -> Flow[str]:
        """Request the shop, and the scopes of the app."""
        try:
            body = read(account, (yield graphql(account, SHOP)))
        except AuthenticationError as error:
            hint = f"{error.hint} A token is valid for one shop only."
            raise error.reworded(error.message, hint=hint) from None
        except VendorAPIError as error:
            if error.status != 404:
                raise
            hint = f"There is no such shop. Check the host of {account.name}."
            raise error.reworded(error.message, hint=hint) from None
        shop = as_dict(value_at(body, "data.shop"))
        require_vendor_response(self, account, shop.get("myshopifyDomain"))
        connected = f"Connected to Shopify shop {format_identity(shop.get('name'), shop['myshopifyDomain'])}"
        try:
            scopes = find((yield graphql(account, SCOPES)).json, "data.appInstallation.accessScopes.handle")
        except VendorAPIError:
            scopes = []
        if not scopes:
            return f"{connected}. The scopes of the app could not be read."
        if SCOPE not in scopes:
            raise PermissionDeniedError(
                f"Shopify accepts the token, but the app does not have the scope {SCOPE}.",
                hint="Add it to the app, and install it again.",
            )
        return f"{connected}. The app has the scope {SCOPE}."
