# SPDX-License-Identifier: Apache-2.0
"""Acquia Campaign Studio (hosted Mautic): bulk contact jobs, whose success only the details tell.

https://docs.acquia.com/campaign-studio/settings/api-credentials/contact-bulk-edit
https://devdocs.mautic.org/en/latest/rest_api/authentication.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadConnectionError, TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Token
from airflow_provider_bulkjobs.protocol.job import count
from airflow_provider_bulkjobs.vendors.acquia_campaign_studio import jobs
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field, connection_title
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, as_list


def fetch_token(account: Account) -> Flow[Token]:
    """Fetch an access token with the client credentials, in the body: a query would show up in logs."""
    form = {
        "grant_type": "client_credentials",
        "client_id": account["login"],
        "client_secret": account["password"],
    }
    answer = (yield Request("POST", "/oauth/v2/token", form=form, authorized=False)).json
    token = answer.get("access_token")
    if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
        raise TransientError(f"{AcquiaCampaignStudio.label} answered the token request without an access token")
    return Token(token, count(answer.get("expires_in")) or 3600)


class AcquiaCampaignStudio(Vendor):
    """Acquia Campaign Studio; every customer has an instance of their own."""

    conn_type = "acquia_campaign_studio"
    label = "Acquia Campaign Studio"
    docs_url = jobs.DOCS_URL
    requests_per_second = 0.0  # a limit per hour that each instance sets, told in headers
    fields = (
        Field(
            "host",
            "Instance URL",
            "The address you log in at. The API must be switched on: Configuration > API Settings.",
            placeholder="https://yourcompany.mautic.net",
            where="where you log in",
            required=True,
        ),
        Field(
            "login",
            "User name or client id",
            "basic: a Campaign Studio user. oauth2: the client id from Settings > API Credentials.",
            placeholder="api-bot",
            where="a user, or Settings > API Credentials",
            required=True,
        ),
        Field(
            "password",
            "Password or client secret",
            "basic: the user's password. oauth2: the client secret from Settings > API Credentials.",
            placeholder="1qa2ws3ed4rf",
            where="the user's, or the client's own",
            required=True,
        ),
        Field(
            "auth_type",
            "Authentication",
            "basic must be switched on under Configuration > API Settings.",
            choices=("basic", "oauth2"),
            default="basic",
        ),
    )
    kinds = (
        JobKind(
            "contacts",
            "contact job",
            jobs.job_status,
            jobs.cancel_job,
            operations=jobs.OPERATIONS,
            results=jobs.job_results,
            states=jobs.STATES,
            page=lambda account: f"{jobs.base_url(account)}/s/contacts",
        ),
    )
    notes = VendorDocs(
        permissions="The API must be switched on under Configuration > API Settings, and for auth_type basic also HTTP "
        "basic auth; the role of the user or client needs access to the API and to contacts.",
        limits=(
            "So many requests an hour as the instance's settings say, told in headers once a limit is set.",
            "A job can be asked about for 48 hours after it was made or worked on.",
            "A Mautic that is not a Campaign Studio passes the connection test, and has no bulk jobs (404).",
        ),
        not_reported=(
            "That a job failed: `completed` is said in any case, and the outcomes in its details are counted.",
            "How many pages of details there are: they are read until one names no next page, or is empty.",
            "How many contacts failed, where a page of details repeats: the job is then `partially_failed`.",
            "Which record of a submit an outcome belongs to, where the contact has no id yet.",
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the instance's root."""
        return jobs.base_url(account)

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:
        """Return user and password, or the access token."""
        if account["auth_type"] == "oauth2":
            return {"Authorization": f"Bearer {token}"}
        if ":" in account["login"]:
            raise BadConnectionError(
                f"{connection_title(account.conn_id)}: the field 'login' (User name or client id) contains a colon, "
                "which basic authentication cannot carry. Use auth_type oauth2."
            )
        pair = f"{account['login']}:{account['password']}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def token_flow(self, account: Account) -> Flow[Token] | None:
        """Return the token request, with OAuth2."""
        return fetch_token(account) if account["auth_type"] == "oauth2" else None

    def check(self, account: Account) -> Flow[str]:
        """Ask who the credentials belong to."""
        answer = (yield Request("GET", "/api/users/self")).json
        name, number = answer.get("username"), answer.get("id")
        require_vendor_response(self, account, isinstance(name, str) and name and number)
        return f"Connected to Campaign Studio as user {format_identity(name, number)} of {self.base_url(account)}."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return the message of each error: ``errors`` in today's Mautic, ``error`` in older ones and in OAuth."""
        if isinstance(body.get("error"), str):
            return ": ".join(str(body[key]) for key in ("error", "error_description") if body.get(key))
        errors = [as_dict(e) for e in (*as_list(body.get("errors")), *as_list(body.get("error")))]
        return "; ".join(str(error["message"]) for error in errors if error.get("message")) or None
