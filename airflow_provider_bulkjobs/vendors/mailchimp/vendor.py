# SPDX-License-Identifier: Apache-2.0
"""Mailchimp Marketing: batches of operations on the contacts of an audience.

https://mailchimp.com/developer/marketing/docs/fundamentals/
https://mailchimp.com/developer/marketing/docs/errors/
https://mailchimp.com/developer/marketing/guides/access-user-data-oauth-2/
https://mailchimp.com/developer/marketing/api/root/
"""

from __future__ import annotations

import re

from airflow_provider_bulkjobs.exceptions import AuthenticationError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response
from airflow_provider_bulkjobs.vendors.mailchimp import jobs
from airflow_provider_bulkjobs.vendors.mailchimp.submits import CONTACTS
from airflow_provider_bulkjobs.vendors.spec.body_path import body_of
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import BEARER, AuthChoice, Basic
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import (
    format_identity,
    request_optional,
    require_vendor_response,
)

DATA_CENTER = re.compile(r"-(us[0-9]{1,4})$", re.ASCII)  # at the end of an API key


class Mailchimp(Vendor):
    """Mailchimp Marketing; each data center has its own host."""

    conn_type = "mailchimp"
    label = "Mailchimp"
    docs_url = jobs.DOCS_URL
    # Mailchimp publishes no rate. It allows 10 requests at the same time, so each may take two seconds.
    requests_per_second = 5.0
    fields = (
        Field(
            "password",
            "API key or access token",
            "In Mailchimp: Profile > Extras > API keys. It ends with the data center. With oauth2: the access token.",
            placeholder="0123456789abcdef0123456789abcdef-us19",
            where="Profile > Extras > API keys",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Leave empty with an API key, which ends with the data center. With oauth2: the api_endpoint in the "
            "metadata of the access token.",
            placeholder="https://us19.api.mailchimp.com",
            where="default: from the API key",
        ),
        Field(
            "auth_type",
            "Authentication",
            "api_key, or oauth2 with the access token of an app.",
            choices=("api_key", "oauth2"),
            default="api_key",
        ),
    )
    auth = AuthChoice({"api_key": Basic(user=lambda _account: "anystring"), "oauth2": BEARER})
    api_paths = ("/3.0",)
    errors = jobs.ERRORS
    kinds = (
        JobKind(
            "contacts",
            "contact batch",
            jobs.STATUS,
            cancel=jobs.cancel_batch,
            operations=CONTACTS,
            results=jobs.batch_results,
            states=jobs.STATES,
            returns_records=True,
            not_returned="Mailchimp returns only the addresses of failed contacts, not their other fields.",
        ),
    )
    notes = VendorDocs(
        reported={
            "contacts": Reported("yes", "yes", "no", 'no: all failed is "some failed"'),
        },
        retention="unconfirmed",
        permissions="A key has the permissions of its user, who must be allowed to change the audience; which role "
        "allows that is unconfirmed.",
        limits=(
            "10 requests at the same time, over all apps of a user. Mailchimp sends no headers about limits.",
            "A 403 without JSON in its body is throttling: it is retried like a 429.",
            "1,000 operations per batch, 500 unfinished batches per account. The error for one more is unconfirmed.",
            "An account's batches run one after the other: those of other apps delay yours.",
            "A batch that is canceled is deleted with its results; what it has done remains. A finished one is kept.",
            "A wait that has seen the batch then ends with `JobExpiredError`, another one with `JobNotFoundError`.",
            "That Mailchimp responds to a request for a deleted batch with 404 is unconfirmed.",
            "Unconfirmed: the size of a request, how long batches are kept, and when access tokens expire.",
        ),
        not_reported=(
            "A failure of the whole batch: with a wrong audience, it is `finished` and all its operations have failed.",
            "Whether a contact was created, updated or archived: such operations are `succeeded`.",
            "Errors inside a successful operation on many contacts: only batches of other apps have such operations.",
            "Unconfirmed: whether an operation fails if the audience has no such merge field.",
            "Unconfirmed: whether a tag that is added again starts automations again.",
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the configured host, or that of the data center at the end of the API key.

        :raises BadConnectionError: there is neither.
        """
        if host := account.host_without(*self.api_paths):
            return host
        if account["auth_type"] == "oauth2":
            raise account.error("host", "is missing", "With oauth2, enter the api_endpoint of the token's metadata.")
        if found := DATA_CENTER.search(account.require("password")):
            return f"https://{found[1]}.api.mailchimp.com"
        raise account.error("password", "does not end with a data center such as -us19", "Copy the whole key again.")

    def status_of(self, response: Response) -> int:
        """Return 429 for a 403 without JSON: this is how Mailchimp throttles extreme volumes."""
        status = super().status_of(response)
        return 429 if status == 403 and body_of(response) is None else status

    def check(self, account: Account) -> Flow[str]:
        """Request the number of batches, which needs the same permission as a wait, and the account."""
        try:
            body = (yield Request("GET", f"{jobs.BATCHES}?count=1&fields=total_items")).json
        except AuthenticationError as error:
            if not account.host:
                raise
            hint = f"{error.hint} If they are valid, they belong to another data center than the host."
            raise error.reworded(error.message, hint=hint) from None
        require_vendor_response(self, account, isinstance(body.get("total_items"), int))
        found = yield from request_optional("/3.0/?fields=account_id,account_name")
        name, number = found.get("account_name"), found.get("account_id")
        if not (name or number):
            return "Connected to Mailchimp. The account's name could not be read."
        return f"Connected to Mailchimp as account {format_identity(name, number)}."
