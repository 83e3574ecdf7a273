# SPDX-License-Identifier: Apache-2.0
"""HubSpot: imports of CRM records, whose failed rows only the list of errors tells.

https://developers.hubspot.com/docs/api/crm/imports
https://github.com/HubSpot/HubSpot-public-api-spec-collection (CRM, Imports, v3)
https://developers.hubspot.com/docs/apps/legacy-apps/private-apps/overview
https://developers.hubspot.com/docs/api-reference/legacy/account/account-information/get-account-details
https://legacydocs.hubspot.com/apps/api_guidelines
https://developers.hubspot.com/changelog/increasing-our-api-limits
https://knowledge.hubspot.com/import-and-export/set-up-your-import-file
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.hubspot import imports as jobs
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import request_optional, require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, as_list


class HubSpot(Vendor):
    """HubSpot."""

    conn_type = "hubspot"
    label = "HubSpot"
    docs_url = jobs.DOCS_URL
    requests_per_second = 10.0  # 100 in ten seconds, with Free and Starter
    fields = (
        Field(
            "password",
            "Access token",
            "In HubSpot: Development > Legacy apps (or Settings > Integrations > Private Apps) > your app > Auth. "
            "It needs the scope crm.import.",
            placeholder="pat-na1-xxxx",
            where="Development > Legacy apps",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Only to override HubSpot's own.",
            placeholder="https://api.hubapi.com",
            where="empty: HubSpot's own",
        ),
    )
    kinds = (
        JobKind(
            "import",
            "CRM import",
            jobs.import_status,
            jobs.cancel_import,
            operations=jobs.OPERATIONS,
            results=jobs.import_results,
            states=jobs.STATES,
        ),
    )
    notes = VendorDocs(
        permissions="The private app needs the scope crm.import; with the scope oauth as well, which most have, "
        "the connection test can say which account it is.",
        limits=(
            "100 requests in ten seconds with Free and Starter, 190 with Professional and Enterprise.",
            "A file has at most 20 MB with the free tools, and 512 MB and 1,048,576 rows with a subscription.",
            "Requests are cut below that, at 1,000,000 records or 16 MiB.",
            "500,000 rows a day with the free tools, 80,000,000 with a subscription.",
            "Records are matched by `hs_object_id`, `email` of contacts, `domain` of companies, or a marked column.",
            "`upsert` and `update` are refused without one of these in each record.",
        ),
        not_reported=(
            "How many rows an import has, under a documented name: give `expected_items` for a share.",
            "How many records were new, and how many were there before, under documented names.",
            "Whether a row with an error was taken all the same: it counts as failed.",
            "For how long an import can be asked about: that is documented nowhere that we know of.",
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the API's host."""
        return account.host_without(jobs.IMPORTS_PATH, "/crm/v3") or "https://api.hubapi.com"

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the access token as a bearer token."""
        return {"Authorization": f"Bearer {account['password']}"}

    def check(self, account: Account) -> Flow[str]:
        """Ask for one import, which needs the very scope that is needed later, and for the account's number."""
        answer = (yield Request("GET", f"{jobs.IMPORTS_PATH}?limit=1")).json
        require_vendor_response(self, account, isinstance(answer.get("results"), list))
        number = (yield from request_optional("/account-info/v3/details")).get("portalId")
        if not number:
            return "Connected to HubSpot; the access token may import. Whose it is, it may not tell."
        return f"Connected to HubSpot account {number}; the access token may import."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return the message, and those of the single errors."""
        words = [body.get("message"), *(as_dict(error).get("message") for error in as_list(body.get("errors")))]
        return "; ".join(str(word) for word in words if word) or None
