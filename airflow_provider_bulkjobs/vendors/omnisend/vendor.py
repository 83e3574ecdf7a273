# SPDX-License-Identifier: Apache-2.0
"""Omnisend: batches of contacts.

https://api-docs.omnisend.com/reference/authentication
https://api-docs.omnisend.com/reference/oauth
https://api-docs.omnisend.com/reference/rate-limit-timeouts-errors
https://api-docs.omnisend.com/reference/get_brands-current
"""

from __future__ import annotations

from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.omnisend import jobs
from airflow_provider_bulkjobs.vendors.omnisend.submits import CONTACTS
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.throttling import RATE_HEADERS, Throttling
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import BEARER, AuthChoice, HeaderKey
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import (
    format_identity,
    request_optional,
    require_vendor_response,
)

VERSION = "2026-03-15"


class Omnisend(Vendor):
    """Omnisend."""

    conn_type = "omnisend"
    label = "Omnisend"
    docs_url = jobs.DOCS_URL
    requests_per_second = 6.5  # 400 per minute and brand, in a sliding window
    fields = (
        Field(
            "password",
            "API key or access token",
            "In Omnisend: Store settings > API keys. With oauth2: the access token of an app.",
            placeholder="5f92cbf1-0a1b2c3d4e5f",
            where="Store settings > API keys",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Leave empty to use Omnisend's own host.",
            placeholder="https://api.omnisend.com",
            where="default: Omnisend's host",
        ),
        Field(
            "auth_type",
            "Authentication",
            "api_key, or oauth2 with the access token of an app.",
            choices=("api_key", "oauth2"),
            default="api_key",
        ),
        Field(
            "api_version",
            "API version",
            "Version (date) that is sent in the Omnisend-Version header.",
            placeholder=VERSION,
            default=VERSION,
            header="Omnisend-Version",
        ),
    )
    auth = AuthChoice({"api_key": HeaderKey(prefix="Omnisend-API-Key "), "oauth2": BEARER})
    default_host = "https://api.omnisend.com"
    api_paths = ("/api", "/v5", "/v3")
    errors = jobs.ERRORS
    # The wait is in the body; older documentation has headers.
    throttling = Throttling(headers=("x-rate-limit-", *RATE_HEADERS), retry_after="retryAfter")
    kinds = (
        JobKind(
            "contacts",
            "contact batch",
            jobs.batch_status,
            operations=CONTACTS,
            results=jobs.batch_results,
            states=jobs.STATES,
            returns_records=True,
        ),
    )
    notes = VendorDocs(
        reported={
            "contacts": Reported("yes", "yes", "no: in the results", 'yes, but all failed is "some failed"'),
        },
        retention="7 days (older documentation)",
        permissions="An API key has access to the whole brand. The access token of an app needs the scopes "
        "contacts.read and contacts.write; brands.read shows the brand's name in the connection test.",
        limits=(
            "400 requests per minute and brand, over all its keys and tokens, in a sliding window.",
            "100 contacts per batch, so at most 40,000 contacts per minute; a large import is many batches.",
            "So all waits in one process share a list of batches, requested at most every ten seconds.",
            "A batch that is not among the first 2,000 in the list is requested itself. The order is unconfirmed.",
            "Batches are kept for seven days, according to older documentation; then they are not found.",
            "Unconfirmed: the size of a request, and the number of unfinished batches.",
            "Unconfirmed: which plans have access to the API.",
        ),
        not_reported=(
            "A failure of the whole batch, except `stopped`: one whose contacts have all failed is `finished`.",
            "The number of contacts that were created or updated; the results have it for each contact.",
            "Which contacts a `stopped` batch has not executed, unless the results list them.",
            "Unconfirmed: whether a wrong key is a 401 or a 403. A 403 names both causes.",
            "Unconfirmed: what Omnisend does with a contact without the status of its channels.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request one batch, which needs the same permission as a wait, and the brand, which may need another."""
        body = (yield Request("GET", f"{jobs.BATCHES}?endpoint=contacts&limit=1")).json
        require_vendor_response(self, account, "batches" in body)
        brand = yield from request_optional("/api/brands/current")
        name, number = brand.get("name"), brand.get("brandID")
        if not (name or number):
            return "Connected to Omnisend. The brand's name could not be read (an access token needs brands.read)."
        return f"Connected to Omnisend as brand {format_identity(name, number)}."
