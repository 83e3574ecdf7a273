# SPDX-License-Identifier: Apache-2.0
"""Dotdigital (formerly dotmailer): imports and deletions of contacts.

https://developer.dotdigital.com/docs/api-conventions
https://developer.dotdigital.com/docs/api-end-points
https://developer.dotdigital.com/docs/call-rate-limits
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from airflow_provider_bulkjobs.exceptions import BadConnectionError, JobNotFoundError, PermissionDeniedError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.vendors.dotdigital import jobs
from airflow_provider_bulkjobs.vendors.dotdigital.submits import DELETE, IMPORT
from airflow_provider_bulkjobs.vendors.spec.body_path import body_of, text_at
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, InvalidItems, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.throttling import RateLimit, Throttling
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import Reported, VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.auth import Basic
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dicts

REGIONS = {name: f"https://{name}-api.dotdigital.com" for name in ("r1", "r2", "r3")}
ACCOUNT = f"{REGIONS['r1']}/v2/account-info"  # of accounts in all regions
NO_IMPORT = "00000000-0000-0000-0000-000000000000"

# Groups of their own, so that a pause of submits, because too many jobs are open, does not delay polls.
SUBMITS = (
    RateLimit((jobs.IMPORTS,), 1, seconds=1.0, method="PUT"),
    RateLimit((jobs.DELETIONS,), 1, seconds=1.0, method="POST"),
)
OPEN_JOBS_PAUSE = 120.0  # seconds; jobs take minutes
FLAT_RATE_PAUSE = 400.0  # seconds; the ten attempts of a submit outlast the hour of this limit
PAUSES = {
    "contacts:tooManyActiveImports": OPEN_JOBS_PAUSE,
    "contacts:tooManyBulkDeleteJobs": OPEN_JOBS_PAUSE,
    "ERROR_APIUSAGE_EXCEEDED": FLAT_RATE_PAUSE,
}
# The only stable part of an error message of API v2, and the HTTP status that it stands for.
TOKEN = re.compile(r"\bERROR_[A-Z_]+")
MEANING = {
    "ERROR_APIUSAGE_EXCEEDED": 429,
    "ERROR_APIUSER_INVALID": 401,
    "ERROR_INVALID_LOGIN": 401,
    "ERROR_SYSTEM_SERVICETEMPORARILYUNAVAILABLE": 503,
}
CONTACT = re.compile(r"contacts\[(\d{1,9})\](?:\.(.+))?$")  # the 'item' of an error that concerns one contact


def _code(body: Any) -> str:
    """Return the code of an error of API v3, or the token in the message of one of API v2."""
    found = TOKEN.search(text_at(body, "message"))
    return found[0] if found else text_at(body, "errorCode")


def _is_error(body: Any) -> bool:
    """Return whether a response with status 200 is an error; those about a job have its id."""
    return (
        isinstance(body, dict)
        and not body.keys() & {"importId", "deleteId"}
        and bool(text_at(body, "message or errorCode"))
    )


class Dotdigital(Vendor):
    """Dotdigital, in its three regions."""

    conn_type = "dotdigital"
    label = "Dotdigital"
    docs_url = jobs.DOCS_URL
    requests_per_second = 0.0  # the limits depend on the plan, and are published in the account and in headers only
    fields = (
        Field(
            "login",
            "API user",
            "In Dotdigital: Settings > Access > API users. It is not the login of a person.",
            placeholder="apiuser-0a1b2c3d4e5f@apiconnector.com",
            where="Settings > Access > API users",
            required=True,
        ),
        Field(
            "password",
            "Password",
            "The password of the API user, which was chosen when it was created.",
            placeholder="1qa2ws3ed4rf",
            where="of the API user",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Leave empty to use the host of the region.",
            placeholder="https://r1-api.dotdigital.com",
            where="default: host of the region",
        ),
        Field(
            "region",
            "Region",
            "r1: Europe, r2: America, r3: Asia-Pacific. In Dotdigital: Settings > Access > API users, at the top.",
            choices=tuple(REGIONS),
            default="r1",
        ),
    )
    auth = Basic()
    regions: ClassVar = REGIONS
    api_paths = ("/contacts/v3", "/v2")
    errors = Errors(
        messages=(
            Message("", "message"),
            Message("", "errorCode", "description"),
            Message("details", "item", "description or error"),
        ),
        failed=_is_error,
        invalid_items=InvalidItems("details", "item", CONTACT, message="description or error"),
    )
    min_timeout = 121.0
    throttling = Throttling(retry_after=lambda body: PAUSES.get(_code(body)), limits=SUBMITS)
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            jobs.IMPORT_STATUS,
            operations=(IMPORT,),
            results=jobs.import_results,
            states=jobs.IMPORT_STATES,
            returns_records=True,
            not_returned="Dotdigital returns only the identifiers of failed contacts, not their other fields.",
        ),
        JobKind(
            "deletions",
            "contact deletion",
            jobs.DELETE_STATUS,
            operations=(DELETE,),
            results=jobs.delete_results,
            states=jobs.DELETE_STATES,
            returns_records=True,
        ),
    )
    notes = VendorDocs(
        reported={
            **dict.fromkeys(("contacts", "deletions"), Reported("at the end", "yes", "no", "yes")),
        },
        retention="unconfirmed",
        permissions="The API user needs access to contacts. A 403 (access is denied) stands for a missing permission "
        "or for the host of another region: the connection test shows which of them.",
        limits=(
            "25 imports may be active. While there are more (429), a submit is sent every two minutes, ten times.",
            "Then the task fails with the ids of the imports that were accepted, and a retry resumes.",
            "Deletions have a limit of their own, whose number is unconfirmed.",
            "Rate limits depend on the plan: Settings > Access > API rate limits.",
            "API users with the flat rate have 2,000 calls an hour: set `requests_per_second` to 0.5 for them.",
            "The 400 after that limit is retried after 400 seconds.",
            "Dotdigital takes 50 MB per import; this provider sends at most 16 MiB.",
            "The status of an import lists its contacts: with much more than 20,000, it may be too large to read.",
            "`RejectedByWatchdog` is `failed`: people at Dotdigital review the import. Do not send it again, ask them.",
            "Whether an import that was rejected by the watchdog can still be released is unconfirmed.",
            "A null in a data field clears it, unless `mergeOption` says otherwise.",
            "With `contactId` as the `matchIdentifier`, contacts are updated, and none is created.",
            "What happens to data fields that the account does not have is unconfirmed.",
            "How long the status of an import can be requested is unconfirmed: read the results right after it.",
        ),
        not_reported=(
            "Whether an import is queued or running: both are `NotFinished`. There is no time and no progress.",
            "The total of an import: it is the sum of its counts, and records that are in none of them have failed.",
            "Whether contacts that were already the same are counted is unconfirmed.",
            "Contacts that were imported, but not added to a list, a preference or a consent record, count as failed.",
            "Whether long lists are cut is unconfirmed: the larger of the count and the list is how many were lost.",
            "A way to cancel: there is none.",
        ),
    )

    def status_of(self, response: Response) -> int:
        """Return what the token in an error message of API v2 stands for, whose status is often 400."""
        status = super().status_of(response)
        return MEANING.get(_code(body_of(response)), status) if status == 400 else status

    def check(self, account: Account) -> Flow[str]:
        """Request the account, which names its region, and an import, for which the API user needs permission."""
        body = (yield Request("GET", ACCOUNT)).json
        properties = {str(each.get("name")): each.get("value") for each in as_dicts(body.get("properties"))}
        require_vendor_response(self, account, {"Name", "ApiEndpoint"} & properties.keys())
        self._require_region(account, str(properties.get("ApiEndpoint") or "").rstrip("/"))
        try:
            yield Request("GET", f"{jobs.IMPORTS}/{NO_IMPORT}")
        except JobNotFoundError:
            pass
        except PermissionDeniedError as error:
            hint = f"{error.hint} If they are right: the API user may belong to an account in another region."
            raise error.reworded(error.message, hint=hint) from None
        identity = format_identity(properties.get("Name"), body.get("id"))
        return f"Connected to Dotdigital as account {identity} at {self.base_url(account)}."

    def _require_region(self, account: Account, endpoint: str) -> None:
        """Compare the host of the account with the configured one, unless that is a gateway.

        :raises BadConnectionError: the account is in another region.
        """
        base_url, region = self.base_url(account), endpoint.partition("://")[2].partition("-")[0]
        if endpoint in {"", base_url} or base_url not in REGIONS.values():
            return
        remedy = "Clear the field 'host' (API host) and set" if account.host else "Set"
        raise BadConnectionError(
            f"Wrong region: the account is at {redact(endpoint)}, but the connection uses {base_url}. "
            f"{remedy} the field 'region' (Region) to {redact(region)!r}."
        )
