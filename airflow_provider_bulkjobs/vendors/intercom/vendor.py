# SPDX-License-Identifier: Apache-2.0
"""Intercom: bulk contacts, bulk companies, the generic job, and message data exports.

https://developers.intercom.com/docs/references/rest-api/api.intercom.io
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from airflow_provider_bulkjobs.exceptions import BadConnectionError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response
from airflow_provider_bulkjobs.vendors.intercom import jobs
from airflow_provider_bulkjobs.vendors.intercom import submits as submit
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import BEARER
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict

HOSTS = {
    "us": "https://api.intercom.io",
    "eu": "https://api.eu.intercom.io",
    "au": "https://api.au.intercom.io",
}
# The contacts page of the web UI; "_" stands for the workspace the user is logged in to.
CONTACT_PAGES = {
    "us": "https://app.intercom.com/a/apps/_/users/segments/all-users",
    "eu": "https://app.eu.intercom.com/a/apps/_/users/segments/all-users",
    "au": "https://app.au.intercom.com/a/apps/_/users/segments/all-users",
}
PENDING_EXPORT = b"pending message data export"  # a second export gets a 429, which is not a rate limit
NOT_RETURNED = "Intercom returns which tasks (requests) have failed items, but not which items failed."


class Intercom(Vendor):
    """Intercom, in its three regions."""

    conn_type = "intercom"
    label = "Intercom"
    docs_url = jobs.DOCS_URL
    requests_per_second = 16.0  # 1,000 per minute, the lowest published limit; the headers say 167 per 10 seconds
    fields = (
        Field(
            "password",
            "Access token",
            "In Intercom's Developer Hub: your app > Configure > Authentication.",
            placeholder="dG9rOmEwMWIyYzNk",
            where="Developer Hub > your app > Authentication",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Leave empty to use the host of the region.",
            placeholder="https://api.intercom.io",
            where="default: host of the region",
        ),
        Field(
            "region",
            "Region",
            "Region that hosts the workspace's data. In Intercom: Settings > Workspace > General.",
            choices=("us", "eu", "au"),
            default="us",
        ),
        Field(
            "api_version",
            "API version",
            "Value of the Intercom-Version header. Default: Preview for bulk contacts and companies, 2.15 "
            "for all other requests.",
            placeholder="Preview",
        ),
    )
    auth = BEARER
    regions: ClassVar = HOSTS  # never the "url" in a response, which may name another region
    errors = Errors(messages=(Message("errors", "code", "message"),))
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            jobs.contacts_status,
            operations=submit.CONTACTS,
            results=partial(jobs.bulk_results, jobs.contacts_status),
            states=jobs.BULK_STATES,
            not_returned=NOT_RETURNED,
            page=lambda account: CONTACT_PAGES[_region(account)],
        ),
        JobKind(
            "companies",
            "company import",
            jobs.companies_status,
            operations=submit.COMPANIES,
            results=partial(jobs.bulk_results, jobs.companies_status),
            states=jobs.BULK_STATES,
            not_returned=NOT_RETURNED,
        ),
        JobKind(
            "job",
            "job",
            jobs.job_status,
            operations=submit.TICKETS,
            results=jobs.job_results,
            states=jobs.JOB_STATES,
        ),
        JobKind(
            "export",
            "data export",
            jobs.export_status,
            jobs.cancel_export,
            operations=submit.EXPORTS,
            results=jobs.export_results,
            states=jobs.EXPORT_STATES,
        ),
    )
    notes = VendorDocs(
        reported={
            **dict.fromkeys(
                ("contacts", "companies"),
                Reported("yes", "never the number, only that some failed", "no", 'no: all failed is "some failed"'),
            ),
            **dict.fromkeys(("job", "export"), Reported("no", "no", "no", "yes")),
        },
        retention="undocumented; files of an export two days",
        permissions="For bulk contacts, the token needs the scope read_write_users or write_users_companies.",
        limits=(
            "10,000 requests per minute for a private app and 25,000 for a workspace, in windows of 10 seconds.",
            "Older documentation says 1,000 per minute; this is the default of `requests_per_second`.",
            "A workspace runs one message data export at a time: a second one is rejected and not retried.",
            "The file of an export expires two days after its completion.",
            "`create` of `contacts` does not update: a contact that already exists counts as a failed item.",
        ),
        not_reported=(
            "Which items of a bulk job failed, how many, and why: only tasks (up to 100 items each) are reported.",
            "Whether some or all items failed: `completed_with_errors` means either.",
            "The ids of created contacts and companies.",
            "The job retention period: undocumented.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request the workspace of the token; the response also contains its region."""
        response = yield Request("GET", "/me", jobs.version(account, "2.15"))
        app = as_dict(response.json.get("app"))
        name = app.get("name") or app.get("id_code")
        require_vendor_response(self, account, name or response.json.get("type") == "admin")  # the app may be null
        region = str(app.get("region") or "").lower()
        workspace = f"Intercom workspace {name!r}" if name else "an Intercom workspace without a name"
        if region in HOSTS and region != _region(account):
            # A host of Intercom's takes precedence over the region, so changing only the region has no effect.
            remedy = "Clear the field 'host' (API host) and set" if account.host in HOSTS.values() else "Set"
            raise BadConnectionError(
                f"Wrong region: {workspace} is hosted in {region!r}, but the connection uses {_region(account)!r}. "
                f"{remedy} the field 'region' (Region) to {region!r}."
            )
        where = f" ({app.get('id_code')}, region {region!r})" if region in HOSTS else ""
        return f"Connected to {workspace}{where}."

    def status_of(self, response: Response) -> int:
        """Return 409 for the rejection of a second export, which has status 429 and is no rate limit."""
        return 409 if response.status == 429 and PENDING_EXPORT in response.body else super().status_of(response)


def _region(account: Account) -> str:
    """Return the region of a connection: that of its host, if it is one of Intercom's, else the region field."""
    region: str = account["region"]
    return next((name for name, host in HOSTS.items() if host == account.host), region)
