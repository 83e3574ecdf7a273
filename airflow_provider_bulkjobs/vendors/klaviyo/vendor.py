# SPDX-License-Identifier: Apache-2.0
"""Klaviyo: bulk import jobs for profiles.

https://developers.klaviyo.com/en/reference/get_account
https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import InvalidItem
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.klaviyo import jobs
from airflow_provider_bulkjobs.vendors.klaviyo.submits import IMPORT, MEDIA_TYPE
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, as_list

REVISION = "2026-07-15"
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
        ),
    )
    kinds = (
        JobKind(
            "profiles",
            "profile import",
            jobs.import_status,
            operations=(IMPORT,),
            results=jobs.import_results,
            states=jobs.STATES,
        ),
    )
    notes = VendorDocs(
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

    def base_url(self, account: Account) -> str:
        """Return the API host."""
        return account.host_without("/api") or "https://a.klaviyo.com"

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the key with Klaviyo's authorization scheme, and the revision, which every request needs."""
        return {
            "Authorization": f"Klaviyo-API-Key {account['password']}",
            "revision": account["revision"],
            "Accept": MEDIA_TYPE,
        }

    def check(self, account: Account) -> Flow[str]:
        """Request the account of the key."""
        response = yield Request("GET", "/api/accounts")
        found = [as_dict(one) for one in as_list(response.json.get("data"))]
        accounts = [str(one["id"]) for one in found if one.get("type") == "account" and one.get("id")]
        require_vendor_response(self, account, accounts)
        return f"Connected to Klaviyo as account {', '.join(accounts)}."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return the detail or the title of each error."""
        errors = map(as_dict, as_list(body.get("errors")))
        messages = [error.get("detail") or error.get("title") for error in errors]
        return "; ".join(str(message) for message in messages if message) or None

    def invalid_items(self, body: Mapping[str, Any]) -> list[InvalidItem]:
        """Return the profiles that the error pointers refer to."""
        return [item for error in map(as_dict, as_list(body.get("errors"))) if (item := _invalid_profile(error))]


def _invalid_profile(error: Mapping[str, Any]) -> InvalidItem | None:
    found = POINTER.match(str(as_dict(error.get("source")).get("pointer")))
    if not found:
        return None
    message = error.get("detail") or error.get("title")
    return InvalidItem(int(found[1]), (found[2] or "").replace("/", ".") or None, str(message) if message else None)
