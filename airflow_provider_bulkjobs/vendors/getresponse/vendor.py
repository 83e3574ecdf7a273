# SPDX-License-Identifier: Apache-2.0
"""GetResponse: imports of contacts with API v3, also of GetResponse MAX.

https://apidocs.getresponse.com/v3/authentication
https://apidocs.getresponse.com/v3/oauth
https://apidocs.getresponse.com/v3/limits
https://apidocs.getresponse.com/v3/errors
https://apireference.getresponse.com/#operation/getAccountDetails
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.getresponse import jobs
from airflow_provider_bulkjobs.vendors.getresponse.submits import IMPORT
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit, Throttling
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import AuthChoice, ClientCredentials, HeaderKey
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response

# A group of its own: a submit that waits because an import into the list has not finished must not delay polls.
SUBMITS = RateLimit((jobs.IMPORTS,), 50, seconds=1.0, method="POST")
KEY_HINT = (
    "A key expires after 90 days without use. The key of a GetResponse MAX account needs its own region "
    "(max_us or max_pl) and domain."
)
HINTS: dict[str | int, str] = {
    "1008": "Another import into this list has probably not finished.",
    "1014": KEY_HINT,
    "1016": "GetResponse has blocked the account for some time.",
    "1017": "GetResponse has blocked the account. Contact its support.",
    "1018": "GetResponse has blocked the IP address of this server.",
    "1023": "The credentials lack a permission.",
    "1024": "GetResponse MAX does not know the domain. Correct the field 'domain' (Domain), or the region.",
    "1027": "The account has reached its limit of contacts.",
}


def domain_header(account: Account) -> Mapping[str, str]:
    """Return the header with the domain of a GetResponse MAX account, which all requests need.

    :raises BadConnectionError: it is missing, or a URL.
    """
    domain = account["domain"] or ""
    if not domain and account["region"] != "standard":
        raise account.error("domain", "is missing", "GetResponse MAX accounts need it, without scheme: example.com.")
    if "/" in domain:
        raise account.error("domain", "is a URL", "Enter the domain alone: example.com.")
    return {"X-Domain": domain} if domain else {}


class GetResponse(Vendor):
    """GetResponse and GetResponse MAX."""

    conn_type = "getresponse"
    label = "GetResponse"
    docs_url = jobs.DOCS_URL
    requests_per_second = 50.0  # 30,000 in ten minutes; the other limit is 80 in a second
    fields = (
        Field(
            "password",
            "API key or client secret",
            "In GetResponse: Integrations and API > API. With oauth2: the client secret of the app.",
            placeholder="0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d",
            where="Integrations and API > API",
            required=True,
        ),
        Field(
            "login", "Client id", "Only with oauth2: the client id of the app.", placeholder="1a2b3c", where="of oauth2"
        ),
        Field(
            "host",
            "API host",
            "Leave empty to use the host of the region.",
            placeholder="https://api.getresponse.com",
            where="default: host of the region",
        ),
        Field(
            "auth_type",
            "Authentication",
            "api_key, or oauth2 with client credentials.",
            choices=("api_key", "oauth2"),
            default="api_key",
        ),
        Field(
            "region",
            "Region",
            "standard, or for a GetResponse MAX account the region in which it is hosted: max_us or max_pl.",
            choices=("standard", "max_us", "max_pl"),
            default="standard",
        ),
        Field(
            "domain",
            "Domain",
            "Only of a GetResponse MAX account: the domain of the account, without https://.",
            placeholder="example.com",
        ),
    )
    auth = AuthChoice(
        {
            "api_key": HeaderKey("X-Auth-Token", prefix="api-key "),
            "oauth2": ClientCredentials(endpoint="/v3/token", credentials="basic", request_headers=domain_header),
        }
    )
    regions: ClassVar = {
        "standard": "https://api.getresponse.com",
        "max_us": "https://api3.getresponse360.com",
        "max_pl": "https://api3.getresponse360.pl",
    }
    api_paths = ("/v3",)
    errors = Errors(
        messages=(Message("", "code", "message"), Message("context", "fieldName", "errorDescription")),
        codes=("code",),
        meaning={
            "1014": 401,  # also with status 403
            "1008": 429,  # another import into the list has not finished
            "1016": 429,  # blocked for some time
            "1024": 400,  # with status 404, but no job is missing
        },
        pauses={"1008": 60.0, "1016": 60.0},
        hints=HINTS,
    )
    throttling = Throttling(retry_after="context.timeToReset", limits=(SUBMITS,))
    kinds = (JobKind("contacts", "contact import", jobs.import_status, operations=(IMPORT,), states=jobs.STATES),)
    notes = VendorDocs(
        reported={
            "contacts": Reported("yes", "yes; unknown if the counts do not add up", "yes", "yes"),
        },
        retention="unconfirmed",
        permissions="A key has access to the whole account. An app for oauth2 has the scope all.",
        credentials=("A key that is not used for 90 days expires.",),
        limits=(
            "30,000 requests in ten minutes, 80 per second and 10 at a time, per account.",
            "One unfinished import per list, two per account, and 20 in 24 hours: submit many contacts at once.",
            "After the error 1008 (another import into the list has not finished) it is sent again for some minutes.",
            "Which error an import gets that is one of too many for the account or the day is unconfirmed.",
            "In the state `to_review`, an import may wait for a person, for days: keep a `timeout` of days.",
            "Imported contacts get no confirmation e-mail. Contacts above the plan's limit are accepted and charged.",
            "A contact without a value in one of the columns of the request has an empty text there.",
            "Whether an empty text clears the value of an existing contact is unconfirmed.",
            "A `tag:` column adds the tag with the value 1 (also true); 0 does not remove it. Tags are created.",
            "Values above 255 characters and addresses above 128 are rejected before the submit, as in file imports.",
            "Whether imports with the API cut or refuse such values as well is unconfirmed.",
            "How long imports are kept is unconfirmed.",
        ),
        not_reported=(
            "Which contacts are invalid, and why: there are no results. An import only counts six reasons.",
            "Spam traps and addresses that are known to bounce: they are in no count.",
            "How many contacts failed, if the counts do not add up ten minutes after the end: `partially_failed`.",
            "Only `allowed_failures=None` accepts such an import.",
            "Whether contacts with a field that does not exist count as invalid: unconfirmed.",
            "Why an import was rejected.",
        ),
    )

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:
        """Return the headers of each authorized request: the credentials, and the domain of a MAX account."""
        return {**super().headers(account, token), **domain_header(account)}

    def check(self, account: Account) -> Flow[str]:
        """Request the id of the account; all else in it is personal data."""
        number = (yield Request("GET", "/v3/accounts?fields=accountId")).json.get("accountId")
        require_vendor_response(self, account, number)
        return f"Connected to GetResponse as account {format_identity(None, number)}."
