# SPDX-License-Identifier: Apache-2.0
"""Customer.io: imports of people, events, relationships and objects, with the App API.

https://docs.customer.io/integrations/api/app/
https://docs.customer.io/accounts-and-workspaces/managing-credentials
"""

from __future__ import annotations

from typing import ClassVar

from airflow_provider_bulkjobs.exceptions import AuthenticationError, BulkJobError, PermissionDeniedError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.customer_io import jobs
from airflow_provider_bulkjobs.vendors.customer_io.submits import OPERATIONS
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import BEARER
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dicts


class CustomerIo(Vendor):
    """Customer.io, US or EU."""

    conn_type = "customer_io"
    label = "Customer.io"
    docs_url = jobs.DOCS_URL
    requests_per_second = 10.0
    fields = (
        Field(
            "password",
            "App API key",
            "In Customer.io: Account Settings > API Credentials > App API Keys. Keys of the Track API (with a site ID) "
            "and of pipelines do not work.",
            placeholder="xxxx",
            where="Account Settings > API Credentials",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Leave empty to use the host of the region.",
            placeholder="https://api.customer.io",
            where="default: host of the region",
        ),
        Field(
            "region",
            "Region",
            "The region of the account: a key works in its own region only.",
            choices=("us", "eu"),
            default="us",
        ),
    )
    auth = BEARER
    regions: ClassVar = {"us": "https://api.customer.io", "eu": "https://api-eu.customer.io"}
    api_paths = ("/v1",)
    errors = Errors(messages=(Message("errors", "source.pointer", "detail"), Message("meta", "error")))
    kinds = (
        JobKind(
            "import",
            "CRM import",
            jobs.STATUS,
            operations=OPERATIONS,
            results=jobs.import_results,
            states=jobs.STATES,
            not_returned="Customer.io does not document the columns of its reports, so they are not taken for the "
            "records that were submitted.",
        ),
    )
    notes = VendorDocs(
        reported={
            "import": Reported("yes", "yes", "no", "yes"),
        },
        retention="unconfirmed; a link to a report 15 minutes",
        permissions="The key needs access to workspaces, imports and exports in its workspace. The names of the scopes "
        "are unconfirmed: test the connection.",
        limits=(
            "10 requests per second and account. Customer.io cannot cancel an import by its API, only in its web UI.",
            "Customer.io downloads a CSV file itself. `data_file_url` is its URL, or its path in object storage.",
            "`records` are uploaded to `data_file_folder`, a folder in object storage, as a CSV file.",
            "This provider signs URLs for 2 hours (S3, GCS, Azure), with temporary credentials maybe for less.",
            "Uploaded files are not deleted: set a lifecycle rule of at least 2 hours on the folder.",
            "Airflow shows options in its UI: give a path, or keep the signature in a password, which is masked.",
            "100 MB per file, as in the web UI. The limits of the API are unconfirmed, on columns as well.",
            "Attribute names are case sensitive. An address that several people have may update none: prefer `id`.",
            "The columns of events, relationships and objects are not checked, besides the identifier of people.",
            "That a repeated import of events tracks them again is unconfirmed: it is not repeated.",
            "How long imports and reports are kept is unconfirmed. A link to a report works for 15 minutes.",
        ),
        not_reported=(
            "Created and updated rows, and the time of the end: it is that of the last update.",
            "Whether the total has rows that cannot be imported is unconfirmed: missing records count as failed.",
            "With `data_file_url` instead, set `expected_items`.",
            "The number of failed rows, with a report of errors but equal counts: the job is `partially_failed`.",
            "An import without counts is `partially_failed` as well.",
            "Whether the file can be read, before the end: the results of a failed import have the reason.",
            "The columns of the reports are unconfirmed: they are read as CSV files with a header.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request the workspace of the key, and an import that does not exist, which needs the permission of a wait.

        :raises AuthenticationError: the key is wrong, or that of another region.
        """
        try:
            body = (yield Request("GET", "/v1/workspaces")).json
        except AuthenticationError as error:
            where = f"region {account['region']!r}" if not account.host else "the region of the host"
            hint = (
                f"{error.hint} It has to be an App API key, and works in its own region only; it was sent to {where}. "
                "If the account has an IP address allowlist, it has to include this server."
            )
            raise error.reworded(error.message, hint=hint) from None
        found = as_dicts(body.get("workspaces"))
        require_vendor_response(self, account, found and found[0].get("id"))
        try:
            yield Request("GET", f"{jobs.IMPORTS}/0")
        except PermissionDeniedError:
            raise
        except BulkJobError:  # what Customer.io answers for an unknown import is undocumented
            pass
        names = ", ".join(format_identity(each.get("name"), each.get("id")) for each in found)
        return f"Connected to Customer.io as workspace {names}."
