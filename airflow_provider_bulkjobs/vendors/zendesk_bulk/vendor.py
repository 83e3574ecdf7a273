# SPDX-License-Identifier: Apache-2.0
"""Zendesk Support: bulk jobs on users, organizations, memberships and tickets.

https://developer.zendesk.com/api-reference/introduction/security-and-auth/
https://developer.zendesk.com/api-reference/introduction/rate-limits/
https://support.zendesk.com/hc/en-us/articles/4408845965210
https://support.zendesk.com/hc/en-us/articles/8050017386522
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from airflow_provider_bulkjobs.exceptions import AuthenticationError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.operation import Operation
from airflow_provider_bulkjobs.vendors.spec.throttling import RATE_HEADERS, RateLimit, Throttling
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import AuthChoice, Basic, ClientCredentials
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import (
    format_identity,
    request_optional,
    require_vendor_response,
)
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict
from airflow_provider_bulkjobs.vendors.zendesk_bulk import jobs, submits

# The requests that start jobs. With 30 open jobs, one of them has to end first; meanwhile, polls go on.
STARTS = RateLimit(
    ("/api/v2/users/", "/api/v2/organization", "/api/v2/tickets/", "/api/v2/imports/"), 200, seconds=60.0, pause=30.0
)


def _token_user(account: Account) -> str:
    """Return the user name that stands for an API token: the address with a suffix."""
    return f"{account.require('login').removesuffix('/token')}/token"


def _values_of_airflows_type(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of a connection of Airflow's own Zendesk provider; the API token may be in its extra."""
    token = values.get("password") if values.get("use_token") else values.get("token") or values.get("password")
    return {**values, "password": token, "auth_type": "api_token"}


def _kind(name: str, noun: str, operations: tuple[Operation, ...]) -> JobKind:
    return JobKind(
        name,
        noun,
        jobs.job_status,
        operations=operations,
        results=jobs.job_results,
        states=jobs.STATES,
        not_returned="Zendesk returns the positions of failed records in their batch of 100, and none of their fields.",
    )


class Zendesk(Vendor):
    """Zendesk; each account has its own host."""

    conn_type = "zendesk_bulk"
    other_types: ClassVar = {"zendesk": _values_of_airflows_type}
    label = "Zendesk"
    docs_url = jobs.DOCS_URL
    requests_per_second = 3.3  # 200 per minute with Team plans, the smallest
    fields = (
        Field(
            "host",
            "Account URL",
            "The address at which you use Zendesk, without a path.",
            placeholder="https://youraccount.zendesk.com",
            where="in the address bar of Zendesk",
            required=True,
        ),
        Field(
            "login",
            "E-mail or client id",
            "The e-mail address of the agent who owns the API token. With oauth2: the identifier of the OAuth client.",
            placeholder="ann@example.com",
            where="the agent of the token",
            required=True,
        ),
        Field(
            "password",
            "API token or client secret",
            "In Zendesk: Admin Center > Apps and integrations > Zendesk API. With oauth2: the secret of a confidential "
            "OAuth client. A password is not accepted.",
            placeholder="6wiIBWbGkBMo1mRD",
            where="Admin Center > Zendesk API",
            required=True,
        ),
        Field(
            "auth_type",
            "Authentication",
            "api_token, or oauth2 with client credentials.",
            choices=("api_token", "oauth2"),
            default="api_token",
        ),
    )
    auth = AuthChoice(
        {
            "api_token": Basic(user=_token_user),
            "oauth2": ClientCredentials(endpoint="/oauth/tokens", credentials="json", scope="read write"),
        }
    )
    api_paths = ("/api/v2", "/agent")
    errors = Errors(
        messages=(Message("", "error.title or error", "error.message or description or error_description"),)
    )
    throttling = Throttling(headers=("rate-limit-", *RATE_HEADERS), limits=(STARTS,))
    kinds = (
        _kind("users", "user job", submits.USERS),
        _kind("organizations", "organization job", submits.ORGANIZATIONS),
        _kind("organization_memberships", "membership job", submits.MEMBERSHIPS),
        _kind("tickets", "ticket job", submits.TICKETS),
    )
    notes = VendorDocs(
        reported={
            **dict.fromkeys(
                ("users", "organizations", "organization_memberships"),
                Reported(
                    "yes", "yes, counted in the results", "yes, and deleted", 'yes, but all failed is "some failed"'
                ),
            ),
            "tickets": Reported(
                "yes", "yes, counted in the results", "updated and deleted", 'yes, but all failed is "some failed"'
            ),
        },
        retention="1 day",
        permissions="The owner of the token has to be an agent who may change the records. An OAuth client needs the "
        "scopes read and write; which one opens the status of jobs is unconfirmed: test the connection. Jobs on users "
        "work only in accounts in which Zendesk's support has switched on bulk imports.",
        limits=(
            "200 requests per minute with Team plans, 400 with Growth and Professional, 700 with Enterprise.",
            "100 records per job, so a large submit becomes many jobs.",
            "30 open jobs per account: a submit with status 429 waits 30 seconds, until 10 in a row were refused.",
            "That Zendesk answers 429 to too many jobs is unconfirmed; any other refusal is an error.",
            "A job can be read for one day after its creation, according to older pages for an hour, or as one of 100.",
            "Write the results right after the wait. A wait that begins later fails.",
            "The state `killed` is in older pages only. Zendesk cannot cancel a job.",
            "The size of a request, and of the ids of a delete, is unconfirmed.",
        ),
        not_reported=(
            "The number of failed items: the results are counted, and an item without a documented result has failed.",
            "A completed job without results is `partially_failed`, the number of failed items unknown.",
            "That all items failed: this is `partially_failed`, too. And any time.",
            "The number of permanently deleted tickets.",
            "The fields of a failed item. `index` is its position in the job; in an upsert of users, `id` is.",
        ),
    )

    def check(self, account: Account) -> Flow[str]:
        """Request one job, which only agents may, and the user, which may be an anonymous one.

        :raises AuthenticationError: the user is anonymous.
        """
        body = (yield Request("GET", f"{jobs.JOBS_PATH}.json?page%5Bsize%5D=1")).json
        require_vendor_response(self, account, isinstance(body.get("job_statuses"), list))
        host = self.base_url(account)
        user = (yield from request_optional("/api/v2/users/me.json")).get("user")
        if user is None:
            return f"Connected to {host}. The name of the user could not be read (it needs the scope users:read)."
        name, number = as_dict(user).get("name"), as_dict(user).get("id")
        if number is None:
            raise AuthenticationError(
                f"{host} took the request for that of an anonymous user",
                hint=f"Check the credentials in {account.name}.",
            )
        return f"Connected to {host} as user {format_identity(name, number)}."
