# SPDX-License-Identifier: Apache-2.0
"""Twilio SendGrid Marketing Campaigns: contact imports (upsert, CSV and delete alike) and exports.

https://www.twilio.com/docs/sendgrid/api-reference/contacts
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import InvalidItem, PermissionDeniedError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.sendgrid import jobs
from airflow_provider_bulkjobs.vendors.sendgrid import submits as submit
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import (
    format_identity,
    request_optional,
    require_vendor_response,
)
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, as_list

CONTACT = re.compile(r"contacts\[(\d{1,9})\](?:\.(.+))?$")  # the field of an error that is about one contact
USER_NAME_SCOPE = "user.username.read"
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
            where="Settings > API Keys",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Only to override the region's own host.",
            placeholder="https://api.sendgrid.com",
            where="empty: the region's own",
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
            states=jobs.IMPORT_STATES,
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
        permissions="The API key needs full access to Marketing; with read access to the user name as well, the "
        "connection test can say whose key it is.",
        limits=(
            "Requests are limited by endpoint. The numbers are told in headers only, and these are kept to.",
            "Contacts settle in the background: after a completed job, lists and segments may still be counted anew.",
            "Whether the host in the EU serves Marketing Campaigns is documented nowhere: test a first import.",
            "SendGrid's own contract declares no `on-behalf-of` for contacts: a key of the subuser's own is surer.",
        ),
        not_reported=(
            "That a job is running: it is `pending` until it is over.",
            "Which rows failed, in the job itself: they are in a file that `BulkJobResultsOperator` fetches.",
            "Whether an unchanged contact is counted: contacts that are requested and counted nowhere count as failed.",
            "For how long a job can be asked about.",
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the region's host."""
        return account.host_without("/v3") or HOSTS[account["region"]]

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the API key as a bearer token, and the subuser if there is one."""
        subuser = account["on_behalf_of"]
        return {"Authorization": f"Bearer {account['password']}"} | ({"on-behalf-of": subuser} if subuser else {})

    def check(self, account: Account) -> Flow[str]:
        """Ask for the key's scopes, and for the user name if they allow it: the scopes do not tell whose key it is."""
        answer = (yield Request("GET", "/v3/scopes")).json.get("scopes")
        require_vendor_response(self, account, isinstance(answer, list))
        scopes = [str(scope) for scope in as_list(answer)]
        where = f"region {account['region']!r}" if not account.host else "the host of the connection"
        if scopes and not any("marketing" in scope for scope in scopes):  # none at all is no list that could be trusted
            raise PermissionDeniedError(
                f"SendGrid knows the key, but of its {len(scopes)} scopes none is for Marketing."
            )
        told = f"Connected to SendGrid ({where}); the key has {len(scopes)} scopes"
        user = (yield from request_optional("/v3/user/username")) if USER_NAME_SCOPE in scopes else {}
        name, number = user.get("username"), user.get("userId") or user.get("user_id")  # the page has both spellings
        if not name and not number:
            return f"{told}; whose key it is, it may not tell."
        return f"{told} and belongs to user {format_identity(name, number)}."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return field and message of each error; ``errors`` is a list, or one object on the import status."""
        errors = [as_dict(error) for error in as_list(body.get("errors"))]
        words = [": ".join(str(e[key]) for key in ("field", "message") if e.get(key)) for e in errors]
        return "; ".join(word for word in words if word) or None

    def invalid_items(self, body: Mapping[str, Any]) -> list[InvalidItem]:
        """Return the contacts that the fields of the errors name, as ``contacts[3].email``."""
        found = [(as_dict(e), CONTACT.match(str(as_dict(e).get("field")))) for e in as_list(body.get("errors"))]
        return [
            InvalidItem(int(match[1]), match[2], str(error["message"]) if error.get("message") else None)
            for error, match in found
            if match
        ]
