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
ON_CONTACTS = ("exclude_automations",)  # the vendor's example has it in each contact
IMPORT_PAUSE = 60.0  # seconds; imports are counted by the minute
ACCOUNT = re.compile(r"https://([\w-]+)\.(?:api-us\d+|activehosted)\.com(?:/|$)")
THROTTLED = "Rate limit exceeded"  # the importer's own limit, told with status 400
NOT_STORED = "false"  # not a word, but the JSON value: asked in the first second, or there is no such batch
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
        "interrupted": JobState.FAILED,  # stopped by failures, never taken up again
    },
)


def read_batch(answer: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a batch: who was created and who failed are listed, who was updated is not.

    The lists hold addresses and ids of people, so only their lengths are kept.
    """
    state, word = STATES.read(_stored(answer))
    if not state.is_finished:
        return BulkJob(job_id, state, word, known=word != NOT_STORED)
    return BulkJob(job_id, state, word, failed=len(_items(answer, "failure")), created=len(_items(answer, "success")))


def _stored(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"status": NOT_STORED} if answer.get("status") is False else answer


def _items(answer: Mapping[str, Any], key: str) -> list[Any]:
    """Return one of a batch's lists; PHP makes an object of a list with gaps.

    :raises TransientError: it is neither, and must not pass for an empty list. A missing or null list is empty.
    """
    items = answer.get(key)
    if items is None:
        return []
    if not isinstance(items, list | dict):
        raise TransientError(f"{STATES.vendor} answered with {key!r} that is not a list")
    return list(items.values()) if isinstance(items, dict) else items


def refusal(answer: Mapping[str, Any]) -> str | None:
    """Return why the vendor refused, from an answer with HTTP 200; the flag is spelled in two ways."""
    flag = answer.get("Success", answer.get("success"))
    refused = flag in {0, "0"} if isinstance(flag, (int, str)) else False
    return str(answer.get("message") or "no reason given") if refused else None


def _heed_refusal(account: Account, answer: Mapping[str, Any], throttled: type[BulkJobError] = VendorAPIError) -> None:
    if (reason := refusal(answer)) is None:
        return
    message = f"{STATES.vendor} answered 200, but refused: {redact(reason, account.secrets)}"
    if THROTTLED in reason:
        raise throttled(message)
    raise VendorAPIError(message, invalid_items=invalid_contacts(answer))


def invalid_contacts(answer: Mapping[str, Any]) -> list[InvalidItem]:
    """Return the contacts that were refused; their reasons name the field in words only."""
    reasons = [as_dict(reason) for reason in as_list(answer.get("failureReasons"))]
    found = [(count(reason.get("contact")), reason.get("failureReason")) for reason in reasons]
    return [InvalidItem(index, None, str(words) if words else None) for index, words in found if index is not None]


def batch_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Ask for one batch."""
    answer = (yield Request("GET", f"/api/3/import/info?batchId={path_segment(job_id)}")).json
    _heed_refusal(account, answer, throttled=TransientError)
    return read_batch(answer, job_id)


def batch_results(account: Account, job_id: str) -> ResultsFlow:  # noqa: ARG001
    """Tell the ids of new contacts and the addresses that failed; why they did, and who was updated, is not told."""
    answer = (yield Request("GET", f"/api/3/import/info?batchId={path_segment(job_id)}")).json
    require_finished(STATES, _stored(answer))
    yield [ItemResult("created", None, {"id": one}) for one in _items(answer, "success")]
    yield [ItemResult("failed", None, {"email": one}) for one in _items(answer, "failure")]


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Queue a batch of contacts."""
    also = {name: value for name, value in context.options.items() if name not in ON_CONTACTS}
    answer = (yield json_request("POST", SUBMIT_PATH, context, key="contacts", also=also)).json
    _heed_refusal(context.account, answer)
    return accepted_job_id(STATES.vendor, answer, "batchId")


_needs_email = needs("email")


def _check_contact(record: Record) -> str | None:
    # One contact without a proper address, and the vendor refuses all that came with it.
    if problem := _needs_email(record):
        return problem
    email = record["email"]
    name, _, domain = email.rpartition("@") if isinstance(email, str) else ("", "", "")
    return None if name and domain else "has no e-mail address in field 'email'"


def contacts_page(account: Account) -> str | None:
    """Return the account's page of contacts; it is on another host than the API, and not every address tells which."""
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
        Option("exclude_automations", (bool,), "True keeps the import from starting automations"),
        Option(
            "callback", (dict,), "an address of yours that is told when the import is done, and why contacts failed"
        ),
    ),
    per_record_options=ON_CONTACTS,
    requests_per_minute=100,
)


class ActiveCampaign(Vendor):
    """ActiveCampaign; every account has an API address of its own."""

    conn_type = "activecampaign"
    label = "ActiveCampaign"
    docs_url = DOCS_URL
    requests_per_second = 5.0  # for the whole account, all keys together
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
            "In ActiveCampaign: Settings > Developer > API Access > Key. It has the permissions of its user.",
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
        permissions="A key has the permissions of its user: they must be allowed to import contacts.",
        limits=(
            "5 requests a second for the whole account, all keys and programs together.",
            "100 imports of several contacts a minute, which comes to 25,000 contacts; but 20 of a single contact.",
            "A contact who has unsubscribed from a list cannot be subscribed to it again by an import.",
            "Imports start automations, unless `exclude_automations` says otherwise, and they fire no webhooks.",
        ),
        not_reported=(
            "How many contacts there were in all, and who was updated: new contacts and failed addresses are listed.",
            "Why an address failed. The `callback` option has it told to an address of yours.",
            "Whether a job exists, in its first second: `false` may also mean that there is none of that id.",
            "For how long a job can be asked about.",
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the account URL; people paste it with and without the API's path."""
        return account.host_without("/api/3", "/api") or ""

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the key in the vendor's own header, without a scheme word."""
        return {"Api-Token": account["password"]}

    def check(self, account: Account) -> Flow[str]:
        """Ask which user the key belongs to."""
        answer = (yield Request("GET", "/api/3/users/me")).json
        _heed_refusal(account, answer)
        user = as_dict(answer.get("user"))
        name, number = user.get("username"), user.get("id")
        require_vendor_response(self, account, name or number)
        return f"Connected to ActiveCampaign as user {format_identity(name, number)} of {self.base_url(account)}."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return the message, and how many contacts were at fault (their values are not for logs)."""
        reasons = as_list(body.get("failureReasons"))
        words = [reason for reason in reasons if isinstance(reason, str)]
        contacts = len(reasons) - len(words)
        parts = [str(body.get("message") or ""), *words, f"{contacts} contacts at fault" if contacts else ""]
        return " ".join(part for part in parts if part) or None

    def invalid_items(self, body: Mapping[str, Any]) -> list[InvalidItem]:
        """Return the contacts that were refused."""
        return invalid_contacts(body)

    def is_rate_limited(self, response: Response) -> bool:
        """Tell "too many requests" also from the importer's own limit, which answers 400."""
        return response.status == 429 or (response.status == 400 and THROTTLED.encode() in response.body)

    def default_retry_after(self, request: Request) -> float | None:
        """Let imports pause until the next minute; the answer to one too many does not tell when."""
        return IMPORT_PAUSE if request.path == SUBMIT_PATH else None
