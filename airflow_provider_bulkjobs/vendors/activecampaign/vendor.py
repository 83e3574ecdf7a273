# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign: the bulk contact importer of API v3.

https://developers.activecampaign.com/reference/bulk-import-status-info
https://developers.activecampaign.com/reference/rate-limits
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import InvalidItem
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response
from airflow_provider_bulkjobs.vendors.activecampaign import jobs
from airflow_provider_bulkjobs.vendors.activecampaign.submits import IMPORT, SUBMIT_PATH
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, as_list

IMPORT_PAUSE = 60.0  # seconds; the import limit is per minute
ACCOUNT = re.compile(r"https://([\w-]+)\.(?:api-us\d+|activehosted)\.com(?:/|$)")


def contacts_page(account: Account) -> str | None:
    """Return the account's contacts page, which is on another host than the API, or ``None`` if that is unknown."""
    found = ACCOUNT.match(account.host or "")
    return f"https://{found[1]}.activehosted.com/app/contacts" if found else None


class ActiveCampaign(Vendor):
    """ActiveCampaign; each account has its own API address."""

    conn_type = "activecampaign"
    label = "ActiveCampaign"
    docs_url = jobs.DOCS_URL
    requests_per_second = 5.0  # shared by all keys of the account
    bad_key_statuses = frozenset({401, 403})
    fields = (
        Field(
            "host",
            "Account URL",
            "In ActiveCampaign: Settings > Developer > API Access > URL.",
            placeholder="https://youraccount.api-us1.com",
            where="Settings > Developer",
            required=True,
        ),
        Field(
            "password",
            "API key",
            "In ActiveCampaign: Settings > Developer > API Access > Key. The key has the permissions of its user.",
            placeholder="0a1b2c3d4e5f6071",
            where="Settings > Developer > API Access",
            required=True,
        ),
    )
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            jobs.batch_status,
            operations=(IMPORT,),
            results=jobs.batch_results,
            states=jobs.STATES,
            page=contacts_page,
        ),
    )
    notes = VendorDocs(
        permissions="The key has the permissions of its user, who must be allowed to import contacts.",
        limits=(
            "5 requests per second per account, shared by all keys and clients.",
            "100 import requests per minute (25,000 contacts), but only 20 for requests with a single contact.",
            "An import cannot resubscribe a contact who has unsubscribed from a list.",
            "Imports start automations unless `exclude_automations` is true. They fire no webhooks.",
        ),
        not_reported=(
            "The total number of contacts, and the updated contacts: only created and failed contacts are listed.",
            "Why an address failed. Use the `callback` option to receive the reasons at your own URL.",
            "Whether a job exists, in its first second: `false` may also mean that the job id is unknown.",
            "The job retention period: undocumented.",
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the account URL without the API's path, which users may have pasted with it."""
        return account.host_without("/api/3", "/api") or ""

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the key in the vendor's own header, without an authorization scheme."""
        return {"Api-Token": account["password"]}

    def check(self, account: Account) -> Flow[str]:
        """Request the user of the key."""
        body = (yield Request("GET", "/api/3/users/me")).json
        jobs.raise_if_rejected(account, body)
        user = as_dict(body.get("user"))
        name, number = user.get("username"), user.get("id")
        require_vendor_response(self, account, name or number)
        return f"Connected to ActiveCampaign as user {format_identity(name, number)} of {self.base_url(account)}."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return the message and the number of invalid contacts (their values must not be logged)."""
        reasons = as_list(body.get("failureReasons"))
        texts = [reason for reason in reasons if isinstance(reason, str)]
        contacts = len(reasons) - len(texts)
        parts = [str(body.get("message") or ""), *texts, f"{contacts} invalid contacts" if contacts else ""]
        return " ".join(part for part in parts if part) or None

    def invalid_items(self, body: Mapping[str, Any]) -> list[InvalidItem]:
        """Return the rejected contacts."""
        return jobs.invalid_contacts(body)

    def is_rate_limited(self, response: Response) -> bool:
        """Return whether a response is a 429, or a 400 because of the import limit."""
        return response.status == 429 or (
            response.status == 400 and jobs.IMPORT_LIMIT_REACHED.encode() in response.body
        )

    def default_retry_after(self, request: Request) -> float | None:
        """Return a minute for imports: the response to an exceeded import limit does not say when it resets."""
        return IMPORT_PAUSE if request.path == SUBMIT_PATH else None
