# SPDX-License-Identifier: Apache-2.0
"""Intercom: bulk contacts, bulk companies, the generic job, and message data exports.

https://developers.intercom.com/docs/references/rest-api/api.intercom.io
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadConnectionError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response
from airflow_provider_bulkjobs.vendors.intercom import jobs
from airflow_provider_bulkjobs.vendors.intercom import submits as submit
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, as_list

HOSTS = {
    "us": "https://api.intercom.io",
    "eu": "https://api.eu.intercom.io",
    "au": "https://api.au.intercom.io",
}
# Where people look at contacts; "_" stands for the workspace they are logged in to.
CONTACT_PAGES = {
    "us": "https://app.intercom.com/a/apps/_/users/segments/all-users",
    "eu": "https://app.eu.intercom.com/a/apps/_/users/segments/all-users",
    "au": "https://app.au.intercom.com/a/apps/_/users/segments/all-users",
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
            placeholder="dG9rOmEwMWIyYzNk",
            where="Developer Hub > your app > Authentication",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Only to override the region's own host.",
            placeholder="https://api.intercom.io",
            where="empty: the region's own",
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
            states=jobs.BULK_STATES,
            page=lambda account: CONTACT_PAGES[_region(account)],
        ),
        JobKind(
            "companies",
            "company import",
            jobs.companies_status,
            operations=submit.COMPANIES,
            results=partial(jobs.bulk_results, "companies"),
            states=jobs.BULK_STATES,
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
        permissions="For bulk contacts the token needs one of the scopes read_write_users and write_users_companies.",
        limits=(
            "10,000 requests a minute for a private app and 25,000 for a workspace, counted in windows of ten seconds.",
            "Older pages say 1,000 a minute, and that is what is kept to unless you say otherwise.",
            "A workspace runs one message data export at a time: a second one is refused, and not tried again.",
            "The file of an export is gone two days after its completion.",
            "`contacts` only creates with `create`: a contact that is there already counts as an error of that item.",
        ),
        not_reported=(
            "Which items of a bulk job failed, how many, and why. Only tasks (requests of up to 100 items) are told.",
            "Whether some items failed or all: `completed_with_errors` means either.",
            "The ids of the contacts and companies that were created.",
            "For how long a job can be asked about.",
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the region's host, never the ``url`` in an answer, which may name another region."""
        return account.host or HOSTS[account["region"]]

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the access token as a bearer token."""
        return {"Authorization": f"Bearer {account['password']}"}

    def check(self, account: Account) -> Flow[str]:
        """Ask who the token belongs to; the answer also tells the workspace's region."""
        answer = yield Request("GET", "/me", jobs.version(account, "2.15"))
        app = as_dict(answer.json.get("app"))
        name = app.get("name") or app.get("id_code")
        require_vendor_response(self, account, name or answer.json.get("type") == "admin")  # the app may be null
        region = str(app.get("region") or "").lower()
        workspace = f"Intercom workspace {name!r}" if name else "an Intercom workspace that is not named"
        if region in HOSTS and region != _region(account):
            # A host of Intercom's counts more than the region, which alone would change nothing.
            remedy = "Empty the field 'host' (API host), and set" if account.host in HOSTS.values() else "Set"
            raise BadConnectionError(
                f"Wrong region: {workspace} is hosted in {region!r}, and the connection says {_region(account)!r}. "
                f"{remedy} the field 'region' (Region) to {region!r}."
            )
        where = f" ({app.get('id_code')}, region {region!r})" if region in HOSTS else ""
        return f"Connected to {workspace}{where}."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return code and message of each error of an ``error.list``."""
        errors = [as_dict(error) for error in as_list(body.get("errors"))]
        words = [": ".join(str(e[key]) for key in ("code", "message") if e.get(key)) for e in errors]
        return "; ".join(word for word in words if word) or None

    def is_rate_limited(self, response: Response) -> bool:
        """Tell "too many requests" from the 429 of a second export, which no pause would help."""
        return response.status == 429 and PENDING_EXPORT not in response.body


def _region(account: Account) -> str:
    """Return the region that a connection means: that of its host, if it is one of Intercom's own."""
    region: str = account["region"]
    return next((name for name, host in HOSTS.items() if host == account.host), region)
