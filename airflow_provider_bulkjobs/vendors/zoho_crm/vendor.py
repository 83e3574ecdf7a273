# SPDX-License-Identifier: Apache-2.0
"""Zoho CRM: bulk write jobs.

https://www.zoho.com/crm/developer/docs/api/v8/multi-dc.html
https://www.zoho.com/crm/developer/docs/api/v8/oauth-overview.html
https://zoho.com/accounts/protocol/oauth/self-client/authorization-code-flow.html
https://www.zoho.com/crm/developer/docs/api/v8/refresh.html
https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html
https://www.zoho.com/crm/developer/docs/api/v8/status-codes.html
https://www.zoho.com/crm/developer/docs/api/v8/get-org-data.html
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow_provider_bulkjobs.exceptions import AuthenticationError, PermissionDeniedError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.spec.body_path import text_at
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import RefreshToken
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response
from airflow_provider_bulkjobs.vendors.zoho_crm import jobs
from airflow_provider_bulkjobs.vendors.zoho_crm.submits import OPERATIONS, ORGANIZATION

DATA_CENTERS = ("com", "eu", "in", "com.au", "com.cn", "jp", "sa")  # the ends of the names of their hosts
FAILURES = ("ERROR_CODE", "ERROR_MESSAGE", "x-error", "x-info", "http_status")  # of an upload, instead of a status


def _is_failure(body: Any) -> bool:
    """Return whether a response with status 200 is a failure, as all failures of uploads are."""
    return isinstance(body, dict) and (body.get("status") == "error" or any(name in body for name in FAILURES))


def _token_url(account: Account) -> str:
    return f"https://accounts.zoho.{account['region']}/oauth/v2/token"


class ZohoCRM(Vendor):
    """Zoho CRM, API version 8."""

    conn_type = "zoho_crm"
    label = "Zoho CRM"
    docs_url = jobs.DOCS_URL
    fields = (
        Field(
            "login",
            "Client ID",
            "In Zoho's API console: the client > Client Secret.",
            placeholder="1000.ABCDEFGHIJKLMNOP",
            where="API console > Client Secret",
            required=True,
        ),
        Field(
            "password",
            "Client secret",
            "In the API console, next to the client ID.",
            placeholder="0a1b2c3d4e5f",
            where="next to the client ID",
            required=True,
        ),
        Field(
            "refresh_token",
            "Refresh token",
            "In the API console: Self Client > Generate Code, with all scopes, and exchange the code for it, as this "
            "provider's page about Zoho CRM shows. Only the last 20 of a user are valid.",
            placeholder="1000.8ecdef",
            required=True,
            secret=True,
        ),
        Field(
            "region",
            "Data center",
            "The end of the address in the browser: eu for crm.zoho.eu. A client and its tokens are valid in one only.",
            choices=DATA_CENTERS,
            default="com",
        ),
        Field(
            "host",
            "API host",
            "Leave empty: Zoho CRM returns it with the access token. Only for a gateway.",
            placeholder="https://zoho.example.com",
            where="default: that of the data center",
        ),
    )
    auth = RefreshToken(endpoint=_token_url, scheme="Zoho-oauthtoken", base_url="api_domain")
    regions: ClassVar = {name: f"https://www.zohoapis.{name}" for name in DATA_CENTERS}
    api_paths = (jobs.WRITE, "/crm/bulk/v8", "/crm/v8")
    domains = tuple(f"{name}.{end}" for end in DATA_CENTERS for name in ("zoho", "zohoapis"))  # uploads, results
    errors = Errors(
        messages=(
            Message("", "code", "message", "details.json_path"),
            Message("", "ERROR_MESSAGE", "x-error"),
            Message("", "info", "x-info"),
        ),
        codes=("code",),
        meaning={
            **dict.fromkeys(("INVALID_TOKEN", "AUTHENTICATION_FAILURE"), 401),
            **dict.fromkeys(("OAUTH_SCOPE_MISMATCH", "NO_PERMISSION"), 403),
            "RESOURCE_NOT_FOUND": 404,
            "INVALID_URL_PATTERN": 400,  # it is no job that was not found
            "TOO_MANY_REQUESTS": 429,
            "INTERNAL_ERROR": 500,
        },
        failed=_is_failure,
        pauses={"TOO_MANY_REQUESTS": 60.0},
        hints={
            "OAUTH_SCOPE_MISMATCH": "The refresh token lacks a scope: create one with all of them.",
            "INVALID_URL_PATTERN": "Check the data center and the host.",
            **dict.fromkeys(("INVALID_FIELD", "INVALID_FIELD_NAME"), "Use API names: Last_Name, and not Last Name."),
            "MANDATORY_FIELDS_NOT_MAPPED": "The records need all mandatory fields of the module's layout.",
            "MODULE_NOT_AVAILABLE": "The option module takes the API name of a module: Contacts, and not Contact.",
            "TOO_MANY_REQUESTS": "Too many requests at once, or the credits of 24 hours are used: a job costs 500.",
        },
    )
    kinds = (
        JobKind(
            "bulk_write",
            "CRM bulk write",
            jobs.STATUS,
            operations=OPERATIONS,
            results=jobs.write_results,
            states=jobs.STATES,
            not_returned="Zoho CRM returns only the first three columns of each row.",
        ),
    )
    notes = VendorDocs(
        reported={
            "bulk_write": Reported("yes", "yes", "no", "yes"),
        },
        retention="unconfirmed",
        permissions="The refresh token needs the scopes ZohoCRM.bulk.ALL, ZohoCRM.modules.ALL, ZohoCRM.org.READ and "
        "ZohoFiles.files.ALL; its user needs access to the module. The connection test needs the first and the third.",
        credentials=(
            (
                "In the API console: Self Client > Generate Code, with the scopes "
                "`ZohoCRM.bulk.ALL,ZohoCRM.modules.ALL,ZohoCRM.org.READ,ZohoFiles.files.ALL`. The code is valid for "
                "minutes."
            ),
            (
                "The response to `curl https://accounts.zoho.com/oauth/v2/token -d grant_type=authorization_code "
                "-d client_id=ID -d client_secret=SECRET -d code=CODE` has the refresh token; the host ends with the "
                "data center."
            ),
        ),
        limits=(
            "A job costs 500 credits, any other request one. So submit many records at once.",
            "5,000 credits in 24 hours with the Free edition (ten jobs), 50,000 or more with others.",
            "5 to 25 requests at once, depending on the edition. The number of open jobs is unconfirmed.",
            "After 429, the next request is sent a minute later: Zoho CRM does not say when.",
            "A file has up to 25,000 records, 200 columns and 25 MB; more records are sent as several jobs.",
            "About ten access tokens for a refresh token in 10 minutes: each process that submits or waits needs one.",
            "Uploads go to content.zohoapis, as in Zoho's SDK; that upload.zoho takes the same is unconfirmed.",
            "Other data centers than those of the form are unconfirmed.",
            "That dates in ISO 8601 need no format in field_mappings is unconfirmed.",
            "How long jobs and results are kept is unconfirmed: read the results at once.",
            "If the response to the creation of a job is lost, so is its id: there is no list of jobs.",
        ),
        not_reported=(
            "The columns of a row after the third: have the key of the records among the first three (`columns`).",
            "That a job failed: it is completed, and its file is `FAILED` or `SKIPPED`, or no row was written.",
            "Rows that were not processed, in the status: they are those that no count includes, and count as failed.",
            "Times of start and end.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request the organization, and an unknown job, which needs the same scope as a wait."""
        try:
            body = (yield Request("GET", ORGANIZATION)).json
        except AuthenticationError as error:
            hint = f"{error.hint} If they are valid, they are of another data center than {account['region']!r}."
            raise error.reworded(error.message, hint=hint) from None
        organization, name = (text_at(body, f"org.{key}") for key in ("zgid", "company_name"))
        require_vendor_response(self, account, organization)
        try:
            yield Request("GET", f"{jobs.WRITE}/1")
        except (AuthenticationError, PermissionDeniedError):
            raise
        except VendorAPIError:
            pass  # there is no such job
        return f"Connected to Zoho CRM ({account['region']}) as organization {format_identity(name, organization)}."
