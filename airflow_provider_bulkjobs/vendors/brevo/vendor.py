# SPDX-License-Identifier: Apache-2.0
"""Brevo (formerly Sendinblue): imports of contacts.

https://developers.brevo.com/docs/getting-started
https://developers.brevo.com/docs/oauth-m2m-authentication
https://developers.brevo.com/docs/api-limits
https://developers.brevo.com/docs/ip-security
https://developers.brevo.com/reference/getaccount
"""

from __future__ import annotations

import re

from airflow_provider_bulkjobs.exceptions import AuthenticationError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.brevo import jobs
from airflow_provider_bulkjobs.vendors.brevo.submits import IMPORT
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.throttling import RATE_HEADERS, RateLimit, Throttling
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import AuthChoice, ClientCredentials, HeaderKey
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import (
    format_identity,
    request_optional,
    require_vendor_response,
)

UNKNOWN_KEY = "Key not found"
ADDRESS = re.compile(r"\bIP\b", re.IGNORECASE)  # the message is not documented
ADDRESS_HINT = "Approve this server's IP address in Brevo: Security > Authorized IPs."

# All endpoints but those of contacts. With the burst, 100 requests in any hour.
HOURLY = RateLimit((jobs.PROCESSES, "/v3/account"), 100, seconds=3600.0, burst=9, pause=60.0)


class Brevo(Vendor):
    """Brevo."""

    conn_type = "brevo"
    label = "Brevo"
    docs_url = jobs.DOCS_URL
    requests_per_second = 10.0  # to the endpoints of contacts
    fields = (
        Field(
            "password",
            "API key or client secret",
            "In Brevo: Settings > SMTP & API > API Keys. With oauth2: the client secret of the app.",
            placeholder="xkeysib-xxxx",
            where="Settings > SMTP & API",
            required=True,
        ),
        Field(
            "login", "Client id", "Only with oauth2: the client id of the app.", placeholder="1a2b3c", where="of oauth2"
        ),
        Field(
            "host",
            "API host",
            "Leave empty to use Brevo's own host.",
            placeholder="https://api.brevo.com",
            where="default: Brevo's host",
        ),
        Field(
            "auth_type",
            "Authentication",
            "api_key, or oauth2 with client credentials.",
            choices=("api_key", "oauth2"),
            default="api_key",
        ),
    )
    auth = AuthChoice(
        {"api_key": HeaderKey("api-key"), "oauth2": ClientCredentials(endpoint="/realms/partner/oauth/token")}
    )
    default_host = "https://api.brevo.com"
    api_paths = ("/v3",)
    errors = Errors(
        messages=(Message("", "code", "message"),),
        codes=("code",),
        meaning={"permission_denied": 403, "account_under_validation": 403},
    )
    throttling = Throttling(headers=("x-sib-ratelimit-", *RATE_HEADERS), limits=(HOURLY,))
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            jobs.import_status,
            operations=(IMPORT,),
            results=jobs.import_results,
            states=jobs.STATES,
        ),
    )
    notes = VendorDocs(
        reported={
            "contacts": Reported("no", "never the number, only that some failed", "no", "yes"),
        },
        retention="unconfirmed",
        permissions="A restricted key needs access to contacts and processes, and to the account for its name in the "
        "connection test. An app for oauth2 needs the scopes contacts:read and contacts:write; which scope opens the "
        "status of imports is unconfirmed: test the connection. The IP address of the server may have to be approved.",
        limits=(
            "10 requests per second and 36,000 per hour to import contacts; more with Advanced and Extended plans.",
            "100 requests per hour and account for the status of imports; 200 with Advanced, 600 with Extended plans.",
            "So all waits in one process share a list of imports, requested once a minute.",
            "A completed import needs one more request.",
            "Brevo ignores attributes that do not exist in the account, without an error.",
            "The number of contacts per request is unconfirmed: this provider sends at most 100,000, or 8 MB.",
            "How long imports and reports are kept is unconfirmed.",
        ),
        not_reported=(
            "Any number of contacts. With a report of failed rows a job is `partially_failed`, their number unknown.",
            "Rows that failed for other reasons than an invalid or duplicate address, id or number.",
            "The reason of a failed import, and any time.",
            "Whether a key is invalid or its IP address not approved: the message is unconfirmed; the test names both.",
            "The format of the reports is unconfirmed: CSV with semicolons or commas is read, without credentials.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request one process, which needs the same permission as a wait, and the account, which may need another."""
        try:
            body = (yield Request("GET", f"{jobs.PROCESSES}?limit=1")).json
        except AuthenticationError as error:
            message = error.vendor_message or ""
            if UNKNOWN_KEY in message:
                raise
            hint = ADDRESS_HINT if ADDRESS.search(message) else f"{error.hint} If they are valid: {ADDRESS_HINT}"
            raise error.reworded(error.message, hint=hint) from None
        require_vendor_response(self, account, isinstance(body.get("count"), int))
        found = yield from request_optional("/v3/account")
        name, number = found.get("companyName"), found.get("organization_id")
        if not (name or number):
            return "Connected to Brevo. The account's name could not be read (it needs access to the account)."
        return f"Connected to Brevo as account {format_identity(name, number)}."
