# SPDX-License-Identifier: Apache-2.0
"""HubSpot: imports of CRM records; failed rows are reported only in the list of errors.

https://developers.hubspot.com/docs/api/crm/imports
https://github.com/HubSpot/HubSpot-public-api-spec-collection (CRM, Imports, v3)
https://developers.hubspot.com/docs/apps/legacy-apps/private-apps/overview
https://developers.hubspot.com/docs/api-reference/legacy/account/account-information/get-account-details
https://legacydocs.hubspot.com/apps/api_guidelines
https://developers.hubspot.com/changelog/increasing-our-api-limits
https://knowledge.hubspot.com/import-and-export/set-up-your-import-file
"""

from __future__ import annotations

from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.hubspot import imports as jobs
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import BEARER
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import request_optional, require_vendor_response


class HubSpot(Vendor):
    """HubSpot."""

    conn_type = "hubspot"
    label = "HubSpot"
    docs_url = jobs.DOCS_URL
    requests_per_second = 10.0  # 100 per 10 seconds with Free and Starter
    fields = (
        Field(
            "password",
            "Access token",
            "In HubSpot: Development > Legacy apps (or Settings > Integrations > Private Apps) > your app > Auth. "
            "Required scope: crm.import.",
            placeholder="pat-na1-xxxx",
            where="Development > Legacy apps",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Leave empty to use HubSpot's own host.",
            placeholder="https://api.hubapi.com",
            where="default: HubSpot's host",
        ),
    )
    auth = BEARER
    default_host = "https://api.hubapi.com"
    api_paths = (jobs.IMPORTS_PATH, "/crm/v3")
    errors = Errors(messages=(Message("", "message"), Message("errors", "message")))
    kinds = (
        JobKind(
            "import",
            "CRM import",
            jobs.import_status,
            jobs.cancel_import,
            operations=jobs.OPERATIONS,
            results=jobs.import_results,
            counts_results=True,
            states=jobs.STATES,
            returns_records=True,
        ),
    )
    notes = VendorDocs(
        reported={
            "import": Reported("no: set `expected_items`", "yes, the rows that have errors", "no", "yes"),
        },
        permissions="The private app needs the scope crm.import. With the scope oauth, which most apps have, "
        "the connection test also shows the account id.",
        limits=(
            "100 requests per 10 seconds with Free and Starter, 190 with Professional and Enterprise.",
            "Maximum file: 20 MB with the free tools; 512 MB and 1,048,576 rows with a subscription.",
            "This provider sends at most 1,000,000 records or 16 MiB per request.",
            "500,000 rows per day with the free tools, 80,000,000 with a subscription.",
            "HubSpot matches records by `hs_object_id`, `email` (contacts), `domain` (companies) or a marked column.",
            "`upsert` and `update` reject records without such an identifier.",
        ),
        not_reported=(
            "The number of rows of an import (no documented field): set `expected_items` to allow a share of failures.",
            "The numbers of created and updated records (no documented fields).",
            "Whether a row with an error was partly imported: it counts as failed.",
            "The job retention period: undocumented.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request one import, which needs the same scope as a submit, and the account id."""
        body = (yield Request("GET", f"{jobs.IMPORTS_PATH}?limit=1")).json
        require_vendor_response(self, account, isinstance(body.get("results"), list))
        number = (yield from request_optional("/account-info/v3/details")).get("portalId")
        if not number:
            return (
                "Connected to HubSpot. The access token can import. "
                "The account id could not be read (it needs the scope oauth)."
            )
        return f"Connected to HubSpot account {number}. The access token can import."
