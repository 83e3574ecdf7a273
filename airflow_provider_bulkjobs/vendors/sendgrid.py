# SPDX-License-Identifier: Apache-2.0
"""Twilio SendGrid Marketing Campaigns: contact imports (upsert, CSV and delete alike) and exports.

https://www.twilio.com/docs/sendgrid/api-reference/contacts
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.vendors import sendgrid_jobs as jobs
from airflow_provider_bulkjobs.vendors import sendgrid_submit as submit
from airflow_provider_bulkjobs.vendors.account import Account, Field
from airflow_provider_bulkjobs.vendors.base import Conversation, JobKind, Request, Vendor, listed, mapping

HOSTS = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}


class SendGrid(Vendor):
    """Twilio SendGrid, global or in the EU."""

    conn_type = "sendgrid"
    label = "Twilio SendGrid"
    docs_url = jobs.DOCS_URL
    requests_per_second = 0.0  # limits differ by endpoint and are told in headers only
    fields = (
        Field(
            "password",
            "API key",
            "In SendGrid: Settings > API Keys. It needs access to Marketing.",
            placeholder="SG.xxxx.yyyy",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Only to override the region's own host.",
            placeholder="https://api.sendgrid.com",
        ),
        Field(
            "region",
            "Region",
            "eu only for subusers pinned to the EU.",
            choices=("global", "eu"),
            default="global",
        ),
        Field(
            "on_behalf_of",
            "On behalf of",
            "The user name of the subuser to act for, when the key belongs to the parent account.",
            placeholder="subuser",
        ),
    )
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            jobs.import_status,
            operations=submit.CONTACTS,
            results=jobs.import_results,
        ),
        JobKind(
            "export",
            "contact export",
            jobs.export_status,
            operations=submit.EXPORTS,
            results=jobs.export_results,
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the region's host."""
        return account.host or HOSTS[account["region"]]

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the API key as a bearer token, and the subuser if there is one."""
        subuser = account["on_behalf_of"]
        return {"Authorization": f"Bearer {account['password']}"} | ({"on-behalf-of": subuser} if subuser else {})

    def check(self, account: Account) -> Conversation[str]:
        """Ask for the key's scopes."""
        answer = yield Request("GET", "/v3/scopes")
        scopes = [str(scope) for scope in listed(answer.json.get("scopes"))]
        where = f"region {account['region']!r}" if not account.host else "the host of the connection"
        told = f"Connected to SendGrid ({where}); the key has {len(scopes)} scopes."
        has_marketing = any("marketing" in scope for scope in scopes)
        return told if has_marketing else f"{told} None of them is for Marketing: imports may be refused."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return field and message of each error; ``errors`` is a list, or one object on the import status."""
        errors = [mapping(error) for error in listed(body.get("errors"))]
        words = [": ".join(str(e[key]) for key in ("field", "message") if e.get(key)) for e in errors]
        return "; ".join(word for word in words if word) or None
