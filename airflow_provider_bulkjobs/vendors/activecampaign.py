# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign: the bulk contact importer of API v3.

https://developers.activecampaign.com/reference/bulk-import-status-info
https://developers.activecampaign.com/reference/rate-limits
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.exceptions import BulkJobError, InvalidItem, TransientError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, Response, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.protocol.redact import redact
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Option, Record, SubmitContext, SubmitFlow
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import format_identity, require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, as_list, require_finished
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id, json_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs

DOCS_URL = "https://developers.activecampaign.com/reference/bulk-import-status-info"

SUBMIT_PATH = "/api/3/import/bulk_import"
ON_CONTACTS = ("exclude_automations",)  # the vendor's example sends it in each contact
IMPORT_PAUSE = 60.0  # seconds; the import limit is per minute
ACCOUNT = re.compile(r"https://([\w-]+)\.(?:api-us\d+|activehosted)\.com(?:/|$)")
IMPORT_LIMIT_REACHED = "Rate limit exceeded"  # message of the import limit, which is a 400 response
NOT_STORED = "false"  # the JSON value false: the batch is less than a second old, or does not exist
STATES = States(
    "ActiveCampaign",
    DOCS_URL,
    "status",
    {
        NOT_STORED: JobState.PENDING,
        "waiting": JobState.PENDING,
        "claimed": JobState.PENDING,
        "active": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "interrupted": JobState.FAILED,  # stopped by failures, never resumed
    },
)


def read_batch(body: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a batch: created and failed contacts are listed, updated ones are not.

    The lists hold personal data (e-mail addresses and ids), so only their lengths are kept.
    """
    state, word = STATES.read(_stored(body))
    if not state.is_finished:
        return BulkJob(job_id, state, word, known=word != NOT_STORED)
    return BulkJob(job_id, state, word, failed=len(_items(body, "failure")), created=len(_items(body, "success")))


def _stored(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"status": NOT_STORED} if body.get("status") is False else body


def _items(body: Mapping[str, Any], key: str) -> list[Any]:
    """Return one of a batch's lists; PHP encodes a list with gaps as an object.

    A missing or null list is empty.

    :raises TransientError: the value is neither a list nor an object; it is not treated as an empty list.
    """
    items = body.get(key)
    if items is None:
        return []
    if not isinstance(items, list | dict):
        raise TransientError(f"{STATES.vendor} response: {key!r} is not a list")
    return list(items.values()) if isinstance(items, dict) else items


def rejection_reason(body: Mapping[str, Any]) -> str | None:
    """Return the vendor's reason for a rejection in a response with status 200; the flag has two spellings."""
    flag = body.get("Success", body.get("success"))
    is_rejected = flag in {0, "0"} if isinstance(flag, (int, str)) else False
    return str(body.get("message") or "no reason given") if is_rejected else None


def _raise_if_rejected(
    account: Account, body: Mapping[str, Any], rate_limit_error: type[BulkJobError] = VendorAPIError
) -> None:
    if (reason := rejection_reason(body)) is None:
        return
    message = f"{STATES.vendor} rejected the request (status 200): {redact(reason, account.secrets)}"
    if IMPORT_LIMIT_REACHED in reason:
        raise rate_limit_error(message)
    raise VendorAPIError(message, invalid_items=invalid_contacts(body))


def invalid_contacts(body: Mapping[str, Any]) -> list[InvalidItem]:
    """Return the rejected contacts; the field is named only in the text of the reason."""
    reasons = [as_dict(reason) for reason in as_list(body.get("failureReasons"))]
    found = [(count(reason.get("contact")), reason.get("failureReason")) for reason in reasons]
    return [InvalidItem(index, None, str(text) if text else None) for index, text in found if index is not None]


def batch_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request the status of a batch."""
    body = (yield Request("GET", f"/api/3/import/info?batchId={path_segment(job_id)}")).json
    _raise_if_rejected(account, body, rate_limit_error=TransientError)
    return read_batch(body, job_id)


def batch_results(account: Account, job_id: str) -> ResultsFlow:  # noqa: ARG001
    """Yield the ids of created contacts and the failed addresses; ActiveCampaign lists no reasons and no updates."""
    body = (yield Request("GET", f"/api/3/import/info?batchId={path_segment(job_id)}")).json
    require_finished(STATES, _stored(body))
    yield [ItemResult("created", None, {"id": one}) for one in _items(body, "success")]
    yield [ItemResult("failed", None, {"email": one}) for one in _items(body, "failure")]


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Submit a batch of contacts."""
    extra = {name: value for name, value in context.options.items() if name not in ON_CONTACTS}
    body = (yield json_request("POST", SUBMIT_PATH, context, key="contacts", extra=extra)).json
    _raise_if_rejected(context.account, body)
    return accepted_job_id(STATES.vendor, body, "batchId")


_needs_email = needs("email")


def _check_contact(record: Record) -> str | None:
    # The vendor rejects the whole batch if one contact has no valid address.
    if problem := _needs_email(record):
        return problem
    email = record["email"]
    name, _, domain = email.rpartition("@") if isinstance(email, str) else ("", "", "")
    return None if name and domain else "has no e-mail address in field 'email'"


def contacts_page(account: Account) -> str | None:
    """Return the account's contacts page, which is on another host than the API, or ``None`` if that is unknown."""
    found = ACCOUNT.match(account.host or "")
    return f"https://{found[1]}.activehosted.com/app/contacts" if found else None


IMPORT = Operation(
    "import",
    submit_import,
    max_items=250,
    max_bytes=399_999,
    check=_check_contact,
    header_names=("email",),
    options=(
        Option("exclude_automations", (bool,), "True: the import starts no automations"),
        Option("callback", (dict,), "your URL, called at the end of the import, with the reasons of failed contacts"),
    ),
    per_record_options=ON_CONTACTS,
    requests_per_minute=100,
)


class ActiveCampaign(Vendor):
    """ActiveCampaign; each account has its own API address."""

    conn_type = "activecampaign"
    label = "ActiveCampaign"
    docs_url = DOCS_URL
    requests_per_second = 5.0  # shared by all keys of the account
    bad_key_statuses = frozenset({401, 403})
    fields = (
        Field(
            "host",
            "Account URL",
            "In ActiveCampaign: Settings > Developer > API Access > URL.",
            placeholder="https://youraccount.api-us1.com",
            where="Settings > Developer",
            required=True,
        ),
        Field(
            "password",
            "API key",
            "In ActiveCampaign: Settings > Developer > API Access > Key. The key has the permissions of its user.",
            placeholder="0a1b2c3d4e5f6071",
            where="Settings > Developer > API Access",
            required=True,
        ),
    )
    kinds = (
        JobKind(
            "contacts",
            "contact import",
            batch_status,
            operations=(IMPORT,),
            results=batch_results,
            states=STATES,
            page=contacts_page,
        ),
    )
    notes = VendorDocs(
        permissions="The key has the permissions of its user, who must be allowed to import contacts.",
        limits=(
            "5 requests per second per account, shared by all keys and clients.",
            "100 import requests per minute (25,000 contacts), but only 20 for requests with a single contact.",
            "An import cannot resubscribe a contact who has unsubscribed from a list.",
            "Imports start automations unless `exclude_automations` is true. They fire no webhooks.",
        ),
        not_reported=(
            "The total number of contacts, and the updated contacts: only created and failed contacts are listed.",
            "Why an address failed. Use the `callback` option to receive the reasons at your own URL.",
            "Whether a job exists, in its first second: `false` may also mean that the job id is unknown.",
            "The job retention period: undocumented.",
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the account URL without the API's path, which users may have pasted with it."""
        return account.host_without("/api/3", "/api") or ""

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the key in the vendor's own header, without an authorization scheme."""
        return {"Api-Token": account["password"]}

    def check(self, account: Account) -> Flow[str]:
        """Request the user of the key."""
        body = (yield Request("GET", "/api/3/users/me")).json
        _raise_if_rejected(account, body)
        user = as_dict(body.get("user"))
        name, number = user.get("username"), user.get("id")
        require_vendor_response(self, account, name or number)
        return f"Connected to ActiveCampaign as user {format_identity(name, number)} of {self.base_url(account)}."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return the message and the number of invalid contacts (their values must not be logged)."""
        reasons = as_list(body.get("failureReasons"))
        texts = [reason for reason in reasons if isinstance(reason, str)]
        contacts = len(reasons) - len(texts)
        parts = [str(body.get("message") or ""), *texts, f"{contacts} invalid contacts" if contacts else ""]
        return " ".join(part for part in parts if part) or None

    def invalid_items(self, body: Mapping[str, Any]) -> list[InvalidItem]:
        """Return the rejected contacts."""
        return invalid_contacts(body)

    def is_rate_limited(self, response: Response) -> bool:
        """Return whether a response is a 429, or a 400 because of the import limit."""
        return response.status == 429 or (response.status == 400 and IMPORT_LIMIT_REACHED.encode() in response.body)

    def default_retry_after(self, request: Request) -> float | None:
        """Return a minute for imports: the response to an exceeded import limit does not say when it resets."""
        return IMPORT_PAUSE if request.path == SUBMIT_PATH else None
