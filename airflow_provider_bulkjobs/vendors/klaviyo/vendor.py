# SPDX-License-Identifier: Apache-2.0
"""Klaviyo: bulk import jobs for profiles.

https://developers.klaviyo.com/en/reference/get_account
https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling
"""

from __future__ import annotations

import re
from typing import ClassVar

from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.klaviyo import jobs
from airflow_provider_bulkjobs.vendors.klaviyo.submits import IMPORT, MEDIA_TYPE
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, InvalidItems, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import HeaderKey
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dicts

REVISION = "2026-07-15"
TEXT = "detail or title"
POINTER = re.compile(r"/data/attributes/profiles/data/(\d{1,9})(?:/attributes)?(?:/(.*))?$")


class Klaviyo(Vendor):
    """Klaviyo."""

    conn_type = "klaviyo"
    label = "Klaviyo"
    docs_url = jobs.DOCS_URL
    requests_per_second = 2.5  # 150 per minute; and at most 10 in any second
    fields = (
        Field(
            "password",
            "Private API key",
            "In Klaviyo: Settings > API keys. Required scopes: accounts:read, profiles:read, "
            "profiles:write, lists:read, lists:write.",
            placeholder="pk_xxxx",
            where="Settings > API keys",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Leave empty to use Klaviyo's own host.",
            placeholder="https://a.klaviyo.com",
            where="default: Klaviyo's host",
        ),
        Field(
            "revision",
            "API revision",
            "API revision (date) sent in the `revision` header.",
            placeholder=REVISION,
            default=REVISION,
            header="revision",
        ),
    )
    auth = HeaderKey(prefix="Klaviyo-API-Key ")
    fixed_headers: ClassVar = {"Accept": MEDIA_TYPE}
    default_host = "https://a.klaviyo.com"
    api_paths = ("/api",)
    errors = Errors(
        messages=(Message("errors", TEXT),),
        invalid_items=InvalidItems("errors", "source.pointer", POINTER, message=TEXT),
    )
    kinds = (
        JobKind(
            "profiles",
            "profile import",
            jobs.import_status,
            operations=(IMPORT,),
            results=jobs.import_results,
            states=jobs.STATES,
            returns_records=True,
        ),
    )
    notes = VendorDocs(
        reported={
            "profiles": Reported("yes", "yes", "no", 'no: all failed is "some failed"'),
        },
        retention="undocumented (jobs have an `expires_at`)",
        permissions="The key needs the scopes profiles:read and profiles:write, lists:read and lists:write, and "
        "accounts:read for the connection test.",
        limits=(
            "150 requests per minute and 10 per second, shared by all private keys of an account.",
            "The endpoint of the connection test: 15 requests per minute and 1 per second.",
        ),
        not_reported=(
            "Which profiles were created and which were updated.",
            "The outcome of profiles that are missing from both counts, completed and failed: they count as failed.",
            "The job retention period: undocumented (jobs have an `expires_at` field).",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request the account of the key."""
        response = yield Request("GET", "/api/accounts")
        found = as_dicts(response.json.get("data"))
        accounts = [str(one["id"]) for one in found if one.get("type") == "account" and one.get("id")]
        require_vendor_response(self, account, accounts)
        return f"Connected to Klaviyo as account {', '.join(accounts)}."
