# SPDX-License-Identifier: Apache-2.0
"""Acquia Campaign Studio (hosted Mautic): bulk contact jobs; failures are reported only in the job details.

https://docs.acquia.com/campaign-studio/settings/api-credentials/contact-bulk-edit
https://devdocs.mautic.org/en/latest/rest_api/authentication.html
"""

from __future__ import annotations

from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.acquia_campaign_studio import jobs
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import AuthChoice, Basic, ClientCredentials
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response


class AcquiaCampaignStudio(Vendor):
    """Acquia Campaign Studio; each customer has their own instance."""

    conn_type = "acquia_campaign_studio"
    label = "Acquia Campaign Studio"
    docs_url = jobs.DOCS_URL
    requests_per_second = 0.0  # the hourly limit is set by each instance, and published in response headers
    fields = (
        Field(
            "host",
            "Instance URL",
            "The URL of the login page. The API must be enabled in Configuration > API Settings.",
            placeholder="https://yourcompany.mautic.net",
            where="URL of the login page",
            required=True,
        ),
        Field(
            "login",
            "User name or client id",
            "With basic: a Campaign Studio user. With oauth2: the client id from Settings > API Credentials.",
            placeholder="api-bot",
            where="user name, or Settings > API Credentials",
            required=True,
        ),
        Field(
            "password",
            "Password or client secret",
            "With basic: the user's password. With oauth2: the client secret from Settings > API Credentials.",
            placeholder="1qa2ws3ed4rf",
            where="of the user, or of the client",
            required=True,
        ),
        Field(
            "auth_type",
            "Authentication",
            "basic must be enabled in Configuration > API Settings.",
            choices=("basic", "oauth2"),
            default="basic",
        ),
    )
    auth = AuthChoice({"basic": Basic(), "oauth2": ClientCredentials(endpoint="/oauth/v2/token")})
    api_paths = jobs.PASTED_PATHS
    errors = Errors(  # "errors" in current Mautic, "error" in older versions and in OAuth2
        messages=(Message("", "error", "error_description"), Message("errors", "message"), Message("error", "message"))
    )
    kinds = (
        JobKind(
            "contacts",
            "contact job",
            jobs.job_status,
            jobs.cancel_job,
            operations=jobs.OPERATIONS,
            results=jobs.job_results,
            counts_results=True,
            states=jobs.STATES,
            not_returned="Campaign Studio returns the ids of failed contacts, if they have one, but none of their "
            "fields.",
            page=lambda account: f"{jobs.base_url(account)}/s/contacts",
        ),
    )
    notes = VendorDocs(
        reported={
            "contacts": Reported(
                "yes, from the paged details", "yes", "yes", "no: failures are counted in the details"
            ),
        },
        retention="48 hours",
        permissions="The API must be enabled in Configuration > API Settings; with auth_type basic, HTTP basic auth "
        "as well. The role of the user or client needs access to the API and to contacts.",
        limits=(
            "Requests per hour are limited by the instance's settings; the limit is published in response headers.",
            "Jobs are retained for 48 hours after their creation or last processing.",
            "A Mautic that is not a Campaign Studio passes the connection test, but has no bulk jobs (404).",
        ),
        not_reported=(
            "Failure in the job state: it is always `completed`, so the outcomes in the job details are counted.",
            "The number of pages of details: they are read until a page has no next page, or is empty.",
            "The number of failed contacts, if a page of details repeats: the job is then `partially_failed`.",
            "Which submitted record an outcome belongs to, if the contact has no id yet.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request the user of the credentials."""
        body = (yield Request("GET", "/api/users/self")).json
        name, number = body.get("username"), body.get("id")
        require_vendor_response(self, account, isinstance(name, str) and name and number)
        return f"Connected to Campaign Studio as user {format_identity(name, number)} of {self.base_url(account)}."
