# SPDX-License-Identifier: Apache-2.0
"""Constant Contact (API v3): imports of contacts, and other bulk activities.

https://developer.constantcontact.com/api_guide/auth_overview.html
https://developer.constantcontact.com/api_guide/scopes.html
https://developer.constantcontact.com/api_guide/rate_limits.html
https://developer.constantcontact.com/api_guide/glossary_responses.html
https://developer.constantcontact.com/api_reference/index.html
"""

from __future__ import annotations

from airflow_provider_bulkjobs.exceptions import PermissionDeniedError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.constant_contact import jobs, submits
from airflow_provider_bulkjobs.vendors.spec.body_path import body_of, find
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message, until_utc_midnight
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit, Throttling
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import RefreshToken
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import (
    format_identity,
    request_optional,
    require_vendor_response,
)

PRIVILEGE = "contacts:write"
# A separate group: a pause of submits, because too many activities are queued, must not delay polls.
SUBMITS = RateLimit((f"{jobs.ACTIVITIES}/",), 4, seconds=1.0, method="POST", pause=120.0)


class ConstantContact(Vendor):
    """Constant Contact."""

    conn_type = "constant_contact"
    label = "Constant Contact"
    docs_url = jobs.DOCS_URL
    requests_per_second = 2.0  # half of the application's limit, which all processes and all accounts share
    fields = (
        Field(
            "login",
            "API key (client id)",
            "In the developer portal: My Applications > the application > API key.",
            placeholder="1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d",
            where="My Applications",
            required=True,
        ),
        Field(
            "password",
            "Client secret",
            "In the developer portal: My Applications > the application > Generate Client Secret.",
            placeholder="a1B2c3D4e5F6g7H8i9J0kA",
            where="next to the API key",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Leave empty to use Constant Contact's own host.",
            placeholder="https://api.cc.email",
            where="default: Constant Contact's host",
        ),
        Field(
            "refresh_token",
            "Refresh token",
            "Of a user who has authorized the application once, with the scopes contact_data and offline_access. The "
            "application must be set to Long Lived refresh tokens: a rotating one can be used only once. This "
            "provider's page about Constant Contact shows how to get it.",
            placeholder="xxxxxxxx",
            required=True,
            secret=True,
        ),
    )
    auth = RefreshToken(
        endpoint="https://authz.constantcontact.com/oauth2/default/v1/token", credentials="basic", lifetime=86_400.0
    )
    default_host = "https://api.cc.email"
    api_paths = ("/v3",)
    errors = Errors(
        messages=(Message("", "error_key", "error_message"),),
        codes=("error_key", "error"),
        pauses={"throttled": 1.0, "quota_exceeded": until_utc_midnight},
        hints={
            "quota_exceeded": "The application has used its 10,000 requests of today; it gets new ones at 00:00 UTC.",
            "invalid_grant": "A refresh token expires after 180 days without use, and a rotating one with its first "
            "use. Set the application to Long Lived refresh tokens, authorize it again, and enter the new one.",
        },
    )
    throttling = Throttling(limits=(SUBMITS,))
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            jobs.IMPORTS,
            operations=(submits.IMPORT,),
            results=jobs.activity_results,
            states=jobs.STATES,
        ),
        JobKind(
            "activities",
            "bulk activity",
            jobs.OTHERS,
            operations=(submits.DELETE, submits.ADD, submits.REMOVE),
            results=jobs.activity_results,
            states=jobs.STATES,
        ),
    )
    notes = VendorDocs(
        reported={
            **dict.fromkeys(("contacts", "activities"), Reported("yes", "yes", "no", "yes")),
        },
        retention="10 days",
        permissions="The application needs the scopes contact_data and offline_access, and account_read for the "
        "account's name in the connection test. The user who authorizes it needs the privilege contacts:write, also to "
        "wait.",
        credentials=(
            (
                "A person has to authorize the application once, as there is no grant without a user. Open "
                "`https://authz.constantcontact.com/oauth2/default/v1/authorize?response_type=code&state=1&client_id=KEY"
                "&redirect_uri=URI&scope=contact_data+account_read+offline_access` in a browser, with a redirect URI "
                "of the application. The address to which it leads has the `code`."
            ),
            (
                "The response to `curl -u KEY:SECRET https://authz.constantcontact.com/oauth2/default/v1/token "
                "-d grant_type=authorization_code -d redirect_uri=URI -d code=CODE` has the refresh token."
            ),
            "A new refresh token cannot be stored in the connection, so rotating ones are an error: use Long Lived.",
        ),
        limits=(
            "4 requests per second and application, over all its accounts; the default is half of that.",
            "10,000 requests per day and application; after that, nothing is sent until 00:01 UTC.",
            "A job polled each 10 seconds needs 8,640 of them: set `poke_interval` to a minute or more.",
            "1,000 queued activities per user; the response to one more is unconfirmed.",
            "After a 429 without a known error, a submit is sent every two minutes, ten times.",
            "Constant Contact drops what a request has after 4 MB, without an error: this provider sends less.",
            "It drops custom fields that do not exist in the account, without an error.",
            "Activities can be read for ten days; the response after that is unconfirmed.",
            "The body of a 403 is unconfirmed: the connection test finds the cause by the user's privileges.",
        ),
        not_reported=(
            "Which rows failed: the results have the activity's messages; their wording and number are unconfirmed.",
            "The kinds of failures apart: errors, correctable rows, and contacts who had unsubscribed are summed.",
            "How many contacts were created and how many updated; duplicates in one import are merged.",
            "The number of contacts in a file that was imported elsewhere: its header line counts as well.",
            "What an activity that `failed` or `timed_out` has done: some rows may have been imported.",
            "A completed activity without its counts, or with messages but no failed row, is `partially_failed`.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request one activity, which needs the same permissions as a wait, and the account's name, if it is allowed.

        :raises PermissionDeniedError: the scope or the privilege is missing, or the application was deactivated; its
            hint says which.
        """
        try:
            body = (yield Request("GET", f"{jobs.ACTIVITIES}?limit=1")).json
        except PermissionDeniedError as error:
            raise error.reworded(error.message, hint=(yield from _reason_of_denial())) from None
        require_vendor_response(self, account, isinstance(body.get("activities"), list))
        found = yield from request_optional("/v3/account/summary")
        name, number = found.get("organization_name"), found.get("encoded_account_id")
        if not (name or number):
            return "Connected to Constant Contact. The account's name could not be read (it needs account_read)."
        return f"Connected to Constant Contact as account {format_identity(name, number)}."


def _reason_of_denial() -> Flow[str]:
    """Return why a request was denied; the user's privileges can be read without any scope."""
    try:
        response = yield Request("GET", "/v3/account/user/privileges")
    except VendorAPIError:
        return "The application may be deactivated: check it in the developer portal."
    if PRIVILEGE not in find(body_of(response), "privilege_name"):
        return f"The user who authorized the application lacks the privilege {PRIVILEGE}."
    return "The scope contact_data is missing: authorize the application again, with this scope."
