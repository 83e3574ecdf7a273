# SPDX-License-Identifier: Apache-2.0
"""Twilio SendGrid Marketing Campaigns: contact imports (upsert, CSV, delete) and exports.

https://www.twilio.com/docs/sendgrid/api-reference/contacts
"""

from __future__ import annotations

import re
from typing import ClassVar

from airflow_provider_bulkjobs.exceptions import PermissionDeniedError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.sendgrid import jobs
from airflow_provider_bulkjobs.vendors.sendgrid import submits as submit
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, InvalidItems, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import BEARER
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import (
    format_identity,
    request_optional,
    require_vendor_response,
)
from airflow_provider_bulkjobs.vendors.toolkit.status import as_list

CONTACT = re.compile(r"contacts\[(\d{1,9})\](?:\.(.+))?$")  # the 'field' of an error that concerns one contact
USER_NAME_SCOPE = "user.username.read"


class SendGrid(Vendor):
    """Twilio SendGrid, global or EU."""

    conn_type = "sendgrid"
    label = "Twilio SendGrid"
    docs_url = jobs.DOCS_URL
    requests_per_second = 0.0  # limits differ by endpoint and are published in response headers only
    fields = (
        Field(
            "password",
            "API key",
            "In SendGrid: Settings > API Keys. Required access: Marketing (full).",
            placeholder="SG.xxxx.yyyy",
            where="Settings > API Keys",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Leave empty to use the host of the region.",
            placeholder="https://api.sendgrid.com",
            where="default: host of the region",
        ),
        Field(
            "region",
            "Region",
            "Use eu only for subusers that are pinned to the EU.",
            choices=("global", "eu"),
            default="global",
        ),
        Field(
            "on_behalf_of",
            "On behalf of",
            "User name of the subuser to act for, if the key belongs to the parent account.",
            placeholder="subuser",
            header="on-behalf-of",
        ),
    )
    auth = BEARER
    regions: ClassVar = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
    api_paths = ("/v3",)
    errors = Errors(  # "errors" is a list, or one object for an import status
        messages=(Message("errors", "field", "message"),),
        invalid_items=InvalidItems("errors", "field", CONTACT, message="message"),
    )
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            jobs.import_status,
            operations=submit.CONTACTS,
            results=jobs.import_results,
            states=jobs.IMPORT_STATES,
            returns_records=True,
            page=lambda _account: "https://mc.sendgrid.com/contacts",
        ),
        JobKind(
            "export",
            "contact export",
            jobs.export_status,
            operations=submit.EXPORTS,
            results=jobs.export_results,
            states=jobs.EXPORT_STATES,
            page=lambda _account: "https://mc.sendgrid.com/contacts/exports",
        ),
    )
    notes = VendorDocs(
        reported={
            "contacts": Reported("yes", "yes", "yes, and deleted", "yes"),
            "export": Reported("yes", "no", "no", "yes"),
        },
        permissions="The API key needs full access to Marketing. With read access to the user name, the "
        "connection test also shows the user of the key.",
        limits=(
            "Rate limits differ by endpoint and are published in response headers only; this provider follows them.",
            "SendGrid updates the counts of lists and segments in the background, also after a job has completed.",
            "An `import_csv` whose file was never uploaded (killed worker, refused upload) imports nothing.",
            "It cannot be canceled, and what its status says is undocumented: do not wait for it.",
            "It is undocumented whether the EU host serves Marketing Campaigns: test it with a small import.",
            "SendGrid's API specification has no `on-behalf-of` header for contacts: prefer a key of the subuser.",
        ),
        not_reported=(
            "A running state: a job is `pending` until it ends.",
            "Failed rows, in the job status: they are in a file that `BulkJobResultsOperator` downloads.",
            "Whether unchanged contacts are counted: contacts that are in none of the counts count as failed.",
            "The job retention period: undocumented.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request the scopes of the key, and its user name if the scopes allow it."""
        body = (yield Request("GET", "/v3/scopes")).json.get("scopes")
        require_vendor_response(self, account, isinstance(body, list))
        scopes = [str(scope) for scope in as_list(body)]
        where = f"region {account['region']!r}" if not account.host else "the host of the connection"
        if scopes and not any("marketing" in scope for scope in scopes):  # an empty list proves nothing
            raise PermissionDeniedError(
                f"SendGrid accepts the key, but none of its {len(scopes)} scopes is for Marketing."
            )
        message = f"Connected to SendGrid ({where}); the key has {len(scopes)} scopes"
        user = (yield from request_optional("/v3/user/username")) if USER_NAME_SCOPE in scopes else {}
        name, number = (
            user.get("username"),
            user.get("userId") or user.get("user_id"),
        )  # the documentation has both spellings
        if not name and not number:
            return f"{message}. Its user could not be read (it needs the scope {USER_NAME_SCOPE})."
        return f"{message} and belongs to user {format_identity(name, number)}."
