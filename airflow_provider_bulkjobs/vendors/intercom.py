# SPDX-License-Identifier: Apache-2.0
"""Intercom: bulk contacts, bulk companies, the generic job, and message data exports.

https://developers.intercom.com/docs/references/rest-api/api.intercom.io
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from airflow_provider_bulkjobs.vendors import intercom_jobs as jobs
from airflow_provider_bulkjobs.vendors import intercom_submit as submit
from airflow_provider_bulkjobs.vendors.account import Account, Field
from airflow_provider_bulkjobs.vendors.base import Conversation, JobKind, Request, Response, Vendor, listed, mapping

HOSTS = {
    "us": "https://api.intercom.io",
    "eu": "https://api.eu.intercom.io",
    "au": "https://api.au.intercom.io",
}
PENDING_EXPORT = b"pending message data export"  # one export at a time: told with 429, and waiting does not help


class Intercom(Vendor):
    """Intercom, in its three regions."""

    conn_type = "intercom"
    label = "Intercom"
    docs_url = jobs.DOCS_URL
    requests_per_second = 16.0  # 1,000 a minute, the lowest limit published; the headers say 167 in 10 seconds
    fields = (
        Field(
            "password",
            "Access token",
            "In Intercom's Developer Hub: your app > Configure > Authentication.",
            placeholder="dG9rOmFi…",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Only to override the region's own host.",
            placeholder="https://api.intercom.io",
        ),
        Field(
            "region",
            "Region",
            "Where the workspace's data is hosted: Settings > Workspace > General.",
            choices=("us", "eu", "au"),
            default="us",
        ),
        Field(
            "api_version",
            "API version",
            "The Intercom-Version to ask for. Empty: Preview for bulk contacts and companies, 2.15 for the rest.",
            placeholder="Preview",
        ),
    )
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            jobs.contacts_status,
            operations=submit.CONTACTS,
            results=partial(jobs.bulk_results, "contacts"),
        ),
        JobKind(
            "companies",
            "company import",
            jobs.companies_status,
            operations=submit.COMPANIES,
            results=partial(jobs.bulk_results, "companies"),
        ),
        JobKind("job", "job", jobs.job_status, operations=submit.TICKETS, results=jobs.job_results),
        JobKind(
            "export",
            "data export",
            jobs.export_status,
            jobs.cancel_export,
            operations=submit.EXPORTS,
            results=jobs.export_results,
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the region's host, never the ``url`` in an answer, which may name another region."""
        return account.host or HOSTS[account["region"]]

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the access token as a bearer token."""
        return {"Authorization": f"Bearer {account['password']}"}

    def check(self, account: Account) -> Conversation[str]:
        """Ask who the token belongs to; the answer also tells the workspace's region."""
        answer = yield Request("GET", "/me", jobs.version(account, "2.15"))
        app = mapping(answer.json.get("app"))
        region = str(app.get("region") or "").lower()
        if region in HOSTS and region != account["region"] and not account.host:
            return (
                f"Connected to Intercom workspace {app.get('name')!r}, but it is hosted in region {region!r} "
                f"and the connection says {account['region']!r}: change the field 'region'."
            )
        return f"Connected to Intercom workspace {app.get('name')!r}."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return code and message of each error of an ``error.list``."""
        errors = [mapping(error) for error in listed(body.get("errors"))]
        words = [": ".join(str(e[key]) for key in ("code", "message") if e.get(key)) for e in errors]
        return "; ".join(word for word in words if word) or None

    def is_throttled(self, response: Response) -> bool:
        """Tell "too many requests" from the 429 of a second export, which no pause would help."""
        return response.status == 429 and PENDING_EXPORT not in response.body
