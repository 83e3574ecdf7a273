# SPDX-License-Identifier: Apache-2.0
"""Salesforce Bulk API 2.0: ingest jobs.

https://developer.salesforce.com/docs/platform/api-asynch/guide/bulk-api-2-0-errors.html
https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from airflow_provider_bulkjobs.exceptions import AuthenticationError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.protocol.job import count
from airflow_provider_bulkjobs.vendors.salesforce_bulk import jobs
from airflow_provider_bulkjobs.vendors.salesforce_bulk.submits import OPERATIONS
from airflow_provider_bulkjobs.vendors.spec.body_path import find, value_at
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import AuthChoice, ClientCredentials, JwtBearer
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import require_vendor_response

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105
PRODUCTION, SANDBOX = "https://login.salesforce.com", "https://test.salesforce.com"
SESSION = 7200.0  # seconds; the default of an org, which may have another. The response does not say.
OF_AIRFLOWS_TYPE = "In a connection of type salesforce:"
# What to do, by a part of the message with which a token is refused.
HINTS = {
    "not supported on this domain": "Enter the org's own My Domain as the host.",
    "approved this consumer": "Pre-authorize the user in the policies of the external client app.",
}


def _is_login_host(account: Account) -> bool:
    return (account.host or "").startswith((PRODUCTION, SANDBOX))


def _client_credentials_endpoint(account: Account) -> str:
    if _is_login_host(account):
        raise account.error(
            "host",
            "is no My Domain, which client credentials need",
            f"Example: https://acme.my.salesforce.com. {OF_AIRFLOWS_TYPE} instance_url.",
        )
    return TOKEN_PATH


def _claims(account: Account) -> Mapping[str, str]:
    host = account.host or ""
    audience = SANDBOX if host.startswith(SANDBOX) or ".sandbox." in host else PRODUCTION
    return {"iss": account.require("login"), "sub": account.require("username"), "aud": audience}


def read_salesforce_connection(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of a connection of type ``salesforce`` under the names of the fields below.

    https://airflow.apache.org/docs/apache-airflow-providers-salesforce/stable/connections/salesforce.html
    """

    def value(name: str) -> Any:
        return values.get(name) or values.get(f"extra__salesforce__{name}")

    key = value("private_key")
    return {
        "host": value("instance_url") or value("instance") or f"https://{value('domain') or 'login'}.salesforce.com",
        "login": value("consumer_key"),
        "password": value("consumer_secret"),
        "username": values.get("login"),
        "private_key": key,
        # A key in a file is not read: the error has to name the private key, and not a secret.
        "auth_type": "jwt_bearer" if key or value("private_key_file_path") else "client_credentials",
        "requests_per_second": values.get("requests_per_second"),
    }


class SalesforceBulk(Vendor):
    """Salesforce Bulk API 2.0."""

    conn_type = "salesforce_bulk"
    other_types: ClassVar = {"salesforce": read_salesforce_connection}
    label = "Salesforce Bulk"
    docs_url = jobs.DOCS_URL
    fields = (
        Field(
            "login",
            "Consumer key",
            "In Salesforce: Setup > External Client App Manager > the app > Settings > OAuth Settings. In a connection "
            "of type salesforce: consumer_key.",
            placeholder="3MVG9xxxx",
            where="of the external client app",
            required=True,
        ),
        Field(
            "password",
            "Consumer secret",
            "Next to the consumer key; for client_credentials. In a connection of type salesforce: consumer_secret.",
            placeholder="xxxxxxxx",
            where="next to the consumer key",
        ),
        Field(
            "host",
            "My Domain",
            "The org's own address, not that of Lightning (lightning.force.com). In Salesforce: Setup > My Domain. In "
            "a connection of type salesforce: instance_url.",
            placeholder="https://acme.my.salesforce.com",
            where="Setup > My Domain",
            required=True,
        ),
        Field(
            "auth_type",
            "Authentication",
            "client_credentials (the app needs a run-as user), or jwt_bearer (of the user below).",
            choices=("client_credentials", "jwt_bearer"),
            default="client_credentials",
        ),
        Field(
            "username",
            "User name",
            "Only with jwt_bearer: the user, who must be pre-authorized for the app.",
            placeholder="etl@acme.example",
        ),
        Field(
            "private_key",
            "Private key",
            "Only with jwt_bearer: the key of the app's certificate, in PEM format. In a connection of type "
            "salesforce: private_key; private_key_file_path is not read.",
            placeholder="-----BEGIN PRIVATE KEY----- …",
            type="text",
            secret=True,
        ),
    )
    auth = AuthChoice(
        {
            "client_credentials": ClientCredentials(
                endpoint=_client_credentials_endpoint, base_url="instance_url", lifetime=SESSION
            ),
            "jwt_bearer": JwtBearer(endpoint=TOKEN_PATH, base_url="instance_url", lifetime=SESSION, claims=_claims),
        }
    )
    api_paths = (jobs.API, TOKEN_PATH)
    domains = ("salesforce.com",)
    errors = Errors(
        messages=(Message("", "errorCode", "message"),),
        codes=("errorCode",),
        meaning={
            "REQUEST_LIMIT_EXCEEDED": 429,
            "API_DISABLED_FOR_ORG": 403,
            "FeatureNotEnabled": 403,
        },
        failed=lambda body: isinstance(body, list) and find(body, "errorCode"),
        pauses={"REQUEST_LIMIT_EXCEEDED": 60.0},
    )
    kinds = (
        JobKind(
            "ingest",
            "CRM ingest",
            jobs.ingest_status,
            cancel=jobs.abort,
            operations=OPERATIONS,
            results=jobs.ingest_results,
            states=jobs.STATES,
            returns_records=True,
        ),
    )
    notes = VendorDocs(
        reported={
            "ingest": Reported("of a submit: yes; else what was processed", "yes", "no: in the results", "yes"),
        },
        retention="7 days",
        permissions="The external client app needs the scope api; its user needs API Enabled, and access to the object "
        "and its fields. hard_delete needs the permission Bulk API Hard Delete, which is off by default.",
        limits=(
            "API requests are limited per org and 24 hours. Each poll is one: poll every 10 seconds or less often.",
            "150,000,000 records and 15,000 internal batches of 10,000 records per 24 hours.",
            "The number of jobs that run at once is unconfirmed; further ones wait as `UploadComplete`.",
            "Finished jobs and their results are kept for 7 days; how long an open job is kept is unconfirmed.",
            "A worker that is killed before it closes a job leaves it open. An open job imports nothing.",
            "On Airflow 3.3 and later, the next try aborts it. Before, abort it with its id from the log.",
            "Requests have API version 66.0. A job that was created with another version may be refused (409).",
            "`#N/A` clears a field; that an empty cell leaves it as it is, is unconfirmed.",
            "Records of one parent may fail with UNABLE_TO_LOCK_ROW: sort them by parent, or submit them again.",
        ),
        not_reported=(
            "The number of submitted records: those of a submit that no file or count has, count as failed.",
            "Created and updated records, in the status: the results have them.",
            "The reason of a failed job, in the status: it is the first of the results.",
            "Times of start and end.",
            "That a job was never closed, if another client created it: it is `pending`; the log says what that means.",
            "The id of a job, if the response to its creation was lost: it stays open and empty, and does nothing.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request the org's limits, and its ingest jobs, which need the same permission as a wait."""
        try:
            limits = (yield Request("GET", f"{jobs.API}/limits")).json
        except AuthenticationError as error:
            hint = next((hint for part, hint in HINTS.items() if part in (error.vendor_message or "")), error.hint)
            raise error.reworded(error.message, hint=hint) from None
        left, most = (count(value_at(limits, f"DailyApiRequests.{name}")) for name in ("Remaining", "Max"))
        require_vendor_response(self, account, most is not None)
        listed = (yield Request("GET", jobs.INGEST)).json.get("records")
        require_vendor_response(self, account, isinstance(listed, list))
        org = "an org" if _is_login_host(account) else f"org {urlsplit(self.base_url(account)).hostname}"
        return f"Connected to Salesforce {org}: {left} of {most} API requests are left for 24 hours."
