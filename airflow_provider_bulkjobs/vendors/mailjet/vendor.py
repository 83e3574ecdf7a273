# SPDX-License-Identifier: Apache-2.0
"""Mailjet: imports of contacts, as JSON and as CSV files.

https://dev.mailjet.com/reference/email/contacts/bulk-contact-management
https://github.com/mailjet/api-documentation/blob/master/guides/_contacts_bulk.md
https://documentation.mailjet.com/hc/en-us/articles/360043225693-What-is-an-API-key
"""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow_provider_bulkjobs.exceptions import AuthenticationError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.mailjet import jobs
from airflow_provider_bulkjobs.vendors.mailjet.submits import IMPORT, MANAGE
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import Basic
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import require_vendor_response

US_HOST = "https://api.us.mailjet.com"


class Mailjet(Vendor):
    """Mailjet, API version 3."""

    conn_type = "mailjet"
    label = "Mailjet"
    docs_url = jobs.DOCS_URL
    requests_per_second = 0.0  # there are limits, but Mailjet publishes no number
    fields = (
        Field(
            "login",
            "API key",
            "In Mailjet: Account settings > API key management. Each sub-account has its own pair of keys.",
            placeholder="0123456789abcdef0123456789abcdef",
            where="Account settings > API key management",
            required=True,
        ),
        Field(
            "password",
            "Secret key",
            "The secret key that belongs to the API key; Mailjet shows it only once.",
            placeholder="fedcba9876543210fedcba9876543210",
            where="of the API key",
            required=True,
        ),
        Field(
            "host",
            "API host",
            f"Leave empty to use Mailjet's own host. For an account that is hosted in the US: {US_HOST} (unconfirmed).",
            placeholder="https://api.mailjet.com",
            where="default: Mailjet's host",
        ),
    )
    auth = Basic()
    default_host = "https://api.mailjet.com"
    api_paths = ("/v3/REST", "/v3/DATA", "/v3.1", "/v3")
    errors = Errors(  # ErrorMessage is text, or an object with a list of errors
        messages=(Message("", "ErrorMessage", "ErrorInfo"), Message("ErrorMessage.*", "ListID", "Error"))
    )
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            jobs.STATUS,
            operations=(MANAGE,),
            results=jobs.import_results,
            states=jobs.STATES,
            not_returned="The fields in Mailjet's file of failed contacts are not documented.",
        ),
        JobKind(
            "csv_import",
            "contact CSV import",
            jobs.CSV_STATUS,
            operations=(IMPORT,),
            results=jobs.csv_results,
            states=jobs.STATES,
            returns_records=True,
        ),
    )
    notes = VendorDocs(
        reported={
            "contacts": Reported("at the end", "never the number, only that some failed", "no", "yes"),
            "csv_import": Reported("at the end", "yes", "no", "yes"),
        },
        retention="unconfirmed",
        permissions="The keys need access to contacts and contact lists. The keys of a sub-account see only its own "
        "contacts (unconfirmed).",
        limits=(
            "Mailjet limits the requests per key, publishes no number, and does not say when to retry.",
            "The number of contacts per request is unconfirmed: this provider sends at most 5,000, or 4 MB.",
            "The size of a CSV file is unconfirmed: this provider sends at most 16 MiB.",
            "How many jobs may run at once is unconfirmed.",
            "How long jobs and files of failed contacts are kept is unconfirmed: read them right after the job.",
            "A worker that is killed before it starts a `csv_import` leaves its uploaded file, which imports nothing.",
            "The action `addforce` subscribes contacts again who have unsubscribed; `addnoforce` is the default.",
            "An undefined property makes a `contacts` job fail; a `csv_import` creates it.",
            "A `csv_import` cannot set names or properties of type datetime: use `contacts` for them.",
            "Job ids of `contacts` and `csv_import` are unrelated: wait with the job_kind of the submit.",
        ),
        not_reported=(
            "The number of failed contacts of a `contacts` job: with an error it is `partially_failed`.",
            "The total before the end: Mailjet counts the contacts that were processed so far.",
            "Whether contacts that were written before the error of a failed job remain (unconfirmed).",
            "The format of the file of failed contacts is unconfirmed: any but a list in JSON is an error.",
            "A way to cancel: unconfirmed, so it is not offered.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request a contact list; Mailjet returns no name of the account, so the API key stands for it."""
        try:
            body = (yield Request("GET", "/v3/REST/contactslist?Limit=1")).json
        except AuthenticationError as error:
            hint = f"{error.hint} If they are valid: an account in another region has another API host."
            raise error.reworded(error.message, hint=hint) from None
        require_vendor_response(self, account, isinstance(body.get("Data"), list) and "Count" in body)
        host = urlsplit(self.base_url(account)).hostname
        return f"Connected to Mailjet ({host}) with the API key that ends in {account['login'][-4:]!r}."
