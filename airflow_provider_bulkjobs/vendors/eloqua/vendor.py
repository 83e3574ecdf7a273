# SPDX-License-Identifier: Apache-2.0
"""Oracle Eloqua, Bulk API 2.0: imports of contacts.

https://docs.oracle.com/cloud/latest/marketingcs_gs/OMCAC/DeterminingBaseURL.html
https://docs.oracle.com/cloud/latest/marketingcs_gs/OMCAC/APIRequests_HTTPStatusCodes.html
https://docs.oracle.com/cloud/latest/marketingcs_gs/OMCAB/Developers/GettingStarted/Authentication/authenticate-using-oauth.htm
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_bulkjobs.exceptions import AuthenticationError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response, Token
from airflow_provider_bulkjobs.vendors.eloqua import jobs
from airflow_provider_bulkjobs.vendors.eloqua.submits import IMPORT
from airflow_provider_bulkjobs.vendors.spec.body_path import value_at
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import AuthChoice, Basic, DiscoveredHost, RefreshToken
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response

LOGIN = "https://login.eloqua.com"
IDENTITY = f"{LOGIN}/id"
FIELDS = f"{jobs.API}/contacts/fields?limit=1"
REFRESH_TOKEN = "refresh_token"  # noqa: S105
NOT_AUTHENTICATED = (
    r"The login has the form Company\user. The user must not be disabled, and needs API access and the security group "
    "Advanced Users - Marketing. Eloqua may have to allow the IP address of this server."
)
USED_UP = (
    "Eloqua accepts a refresh token once, and the new one cannot be stored in the connection. If it was used before, "
    "enter another one, for one submit or one wait; for anything else, set auth_type to basic."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RefreshToken(RefreshToken):
    """A refresh token, with the redirect URI that it was issued for."""

    def grant(self, account: Account) -> Mapping[str, str]:
        return {**RefreshToken.grant(self, account), "redirect_uri": account.require("redirect_uri")}

    def check_response(self, account: Account, body: Mapping[str, Any]) -> None:
        """Accept a new refresh token, which comes with every access token: the one in the connection serves once."""


class Eloqua(Vendor):
    """Eloqua. The host of an instance is discovered, and again after a 401: an instance may move."""

    conn_type = "eloqua"
    label = "Eloqua"
    docs_url = jobs.DOCS_URL
    fields = (
        Field(
            "login",
            "Company and user",
            r"With basic: Company\user, with one backslash. With refresh_token: the client id of the app.",
            placeholder=r"Acme\Ann.Api",
            where=r"Company\user",
            required=True,
        ),
        Field(
            "password",
            "Password",
            "With basic: the password of the user. With refresh_token: the client secret of the app.",
            placeholder="xxxxxxxx",
            where="of the user",
            required=True,
        ),
        Field(
            "host",
            "Login host",
            "Leave empty: the host of your Eloqua instance is discovered.",
            placeholder=LOGIN,
            where="default: Eloqua's login host",
        ),
        Field(
            "auth_type",
            "Authentication",
            "basic, or refresh_token (OAuth2). Eloqua accepts a refresh token only once, so it serves one submit "
            "without its wait, or one wait in poke mode.",
            choices=("basic", REFRESH_TOKEN),
            default="basic",
        ),
        Field(
            REFRESH_TOKEN,
            "Refresh token",
            "Only with refresh_token: a token that was not used yet. Each use makes it invalid.",
            placeholder="SuBC1d2e3f4g",
            secret=True,
        ),
        Field(
            "redirect_uri",
            "Redirect URI",
            "Only with refresh_token: the URI for which the app was authorized.",
            placeholder="https://example.com/oauth",
        ),
    )
    auth = DiscoveredHost(
        AuthChoice(
            {
                "basic": Basic(),
                REFRESH_TOKEN: _RefreshToken(
                    endpoint=f"{LOGIN}/auth/oauth2/token", credentials="basic", scope="full", lifetime=28_800.0
                ),
            }
        ),
        IDENTITY,
        "urls.base",
    )
    default_host = LOGIN
    api_paths = (jobs.API, "/API/Bulk/2.0", "/id")
    domains = ("eloqua.com",)
    errors = Errors(
        messages=(
            Message("failures", "field", "constraint"),
            Message("", "type", "property or parameter", "requirement.type"),
        ),
        meaning={410: 404},  # expired
        failed=lambda body: body == "Not authenticated.",
    )
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            jobs.import_status,
            operations=(IMPORT,),
            results=jobs.import_results,
            states=jobs.STATES,
            returns_records=True,
        ),
    )
    notes = VendorDocs(
        reported={
            "contacts": Reported("yes, from the logs", "yes, from the logs", "yes", "yes"),
        },
        retention="unconfirmed",
        permissions="The user needs API access, the security group Advanced Users - Marketing, and access to contacts. "
        "An allowlist of IP addresses needs that of the server. A refresh token is accepted once, and the new one "
        "cannot be stored in the connection: it serves one submit without its wait, or one wait of up to "
        "seven hours in poke mode. It is not tested, as the test would use it up. With basic, none of this applies.",
        limits=(
            "A job id has the form `<import>:<sync>`, such as `384:6`.",
            "Data is sent in pieces of at most 32 MB; an import has at most 250 MB, as Eloqua advises, and 100 fields.",
            "Records name fields as Eloqua does internally (`C_FirstName`); the option `fields` maps other names.",
            "A field that a record does not have is left as it is, but cleared if `updateRule` is `always`.",
            "Above 2,000 imports an hour, Eloqua runs them more slowly. Its rate limit is not published.",
            "Data of unsynced imports needs staging space: 50 KB for each contact in the database.",
            "Whether `autoDeleteDuration` is counted from the creation or the last use of an import is unconfirmed.",
            "How long syncs, logs and rejects are kept is unconfirmed: read the results soon.",
            "The formats of dates and booleans in CSV data are unconfirmed: ISO 8601, `true` and `false` are sent.",
        ),
        not_reported=(
            "Counts, in the status: they are in the logs. Records not created or updated failed (duplicates as well).",
            "How many records failed, if no log counts created and updated ones.",
            "What failed, if a sync ends with `warning` and no log counts a failure: the number is then unknown.",
            "Records that were imported, in the results.",
            "Whether the `recordIndex` of a reject begins with 0 or 1 is unconfirmed: compare the identifiers.",
        ),
    )

    def status_of(self, response: Response) -> int:
        """Return the HTTP status that a response stands for; a 301 that leads nowhere is "login required"."""
        if response.status == 301 and "location" not in response.headers:
            return 401
        return super().status_of(response)

    def token_flow(self, account: Account) -> Flow[Token]:
        """Sign in and discover the host; a refusal says what Eloqua's own message does not."""
        try:
            return (yield from self.auth.token_flow(account))
        except AuthenticationError as error:
            is_used_up = account["auth_type"] == REFRESH_TOKEN and error.status != 200  # the status of a refused /id
            hint = USED_UP if is_used_up else NOT_AUTHENTICATED
            raise error.reworded(error.message, hint=f"{error.hint} {hint}") from None

    def check(self, account: Account) -> Flow[str]:
        """Request a contact field, which needs the rights of the Bulk API, and the name of the account."""
        if account["auth_type"] == REFRESH_TOKEN:
            raise account.error(
                REFRESH_TOKEN, "was not tested: Eloqua accepts it once, and the test would use it up", "Run a task."
            )
        fields = (yield Request("GET", FIELDS)).json
        require_vendor_response(self, account, isinstance(fields.get("items"), list))
        site = value_at((yield Request("GET", IDENTITY)).json, "site") or {}
        return f"Connected to Eloqua as {format_identity(value_at(site, 'name'), value_at(site, 'id'))}."
