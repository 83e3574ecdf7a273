# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign: the bulk contact importer of API v3.

https://developers.activecampaign.com/reference/bulk-import-status-info
https://developers.activecampaign.com/reference/rate-limits
"""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response
from airflow_provider_bulkjobs.vendors.activecampaign import jobs
from airflow_provider_bulkjobs.vendors.activecampaign.submits import IMPORT, SUBMIT_PATH
from airflow_provider_bulkjobs.vendors.spec.body_path import find
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, InvalidItems, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit, Throttling
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import HeaderKey
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict

IMPORT_LIMIT = RateLimit((SUBMIT_PATH,), 100, seconds=60.0, pause=60.0)  # the response does not say when it resets
IMPORT_LIMIT_REACHED = b"Rate limit exceeded"  # in the message of a 400 response, or of one with status 200
POSITION = re.compile(r"(\d{1,9})$")
ACCOUNT = re.compile(r"https://([\w-]+)\.(?:api-us\d+|activehosted)\.com(?:/|$)")


def contacts_page(account: Account) -> str | None:
    """Return the account's contacts page, which is on another host than the API, or ``None`` if that is unknown."""
    found = ACCOUNT.match(account.host or "")
    return f"https://{found[1]}.activehosted.com/app/contacts" if found else None


def _is_rejected(body: Any) -> bool:
    """Return whether a response with status 200 is a rejection; the flag has two spellings."""
    flags = [*find(body, "Success"), *find(body, "success")]
    return any(flag in {0, "0"} for flag in flags if isinstance(flag, int | str))


class ActiveCampaign(Vendor):
    """ActiveCampaign; each account has its own API address."""

    conn_type = "activecampaign"
    label = "ActiveCampaign"
    docs_url = jobs.DOCS_URL
    requests_per_second = 5.0  # shared by all keys of the account
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
    auth = HeaderKey("Api-Token")
    api_paths = ("/api/3", "/api")
    errors = Errors(
        messages=(Message("", "message"),),
        meaning={403: 401},  # of a missing or wrong key
        failed=_is_rejected,
        invalid_items=InvalidItems("failureReasons", "contact", POSITION, message="failureReason"),
    )
    throttling = Throttling(limits=(IMPORT_LIMIT,))
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            jobs.batch_status,
            operations=(IMPORT,),
            results=jobs.batch_results,
            states=jobs.STATES,
            returns_records=True,
            not_returned="ActiveCampaign returns only the addresses of failed contacts, not their other fields.",
            page=contacts_page,
        ),
    )
    notes = VendorDocs(
        reported={
            "contacts": Reported("no: set `expected_items`", "yes", "created only", "yes"),
        },
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

    def check(self, account: Account) -> Flow[str]:
        """Request the user of the key."""
        body = (yield Request("GET", "/api/3/users/me")).json
        user = as_dict(body.get("user"))
        name, number = user.get("username"), user.get("id")
        require_vendor_response(self, account, name or number)
        return f"Connected to ActiveCampaign as user {format_identity(name, number)} of {self.base_url(account)}."

    def error_text(self, body: Any) -> str | None:
        """Return the message and the number of invalid contacts (their values must not be logged)."""
        reasons = find(body, "failureReasons")
        texts = [reason for reason in reasons if isinstance(reason, str)]
        contacts = len(reasons) - len(texts)
        parts = [super().error_text(body) or "", *texts, f"{contacts} invalid contacts" if contacts else ""]
        return " ".join(part for part in parts if part) or None

    def status_of(self, response: Response) -> int:
        """Return 429 if the import limit is reached, which is a 400, or a rejection with status 200."""
        status = super().status_of(response)
        return 429 if status == 400 and IMPORT_LIMIT_REACHED in response.body else status
