# SPDX-License-Identifier: Apache-2.0
"""Intercom submits: bulk contacts and companies, single tickets, and exports.

https://developers.intercom.com/docs/references/preview/rest-api/api.intercom.io/contacts
https://developers.intercom.com/docs/references/2.15/rest-api/api.intercom.io/tickets/enqueuecreateticket
https://developers.intercom.com/docs/references/2.15/rest-api/api.intercom.io/data-export
"""

from __future__ import annotations

from functools import partial

from airflow_provider_bulkjobs.exceptions import JobNotFoundError, PermissionDeniedError
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.intercom.jobs import version
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Check,
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    encode_json,
    every,
)
from airflow_provider_bulkjobs.vendors.spec.value_formats import ValueFormats, epoch_seconds
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict
from airflow_provider_bulkjobs.vendors.toolkit.submits import JSON_HEADERS, accepted_job_id, json_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs, needs_any, only_fields
from airflow_provider_bulkjobs.vendors.toolkit.values import is_blank

MAX_ITEMS = 100
CONTACT_FIELDS = (
    *("external_id", "email", "name", "phone", "avatar", "owner_id", "unsubscribed_from_emails"),
    *("language_override", "custom_attributes", "companies", "tags"),
)
NEW_CONTACT_FIELDS = (*CONTACT_FIELDS, "role", "signed_up_at", "last_seen_at")
COMPANY_FIELDS = (
    *("name", "plan", "size", "website", "industry", "custom_attributes", "remote_created_at", "monthly_spend"),
    "update_last_request_at",
)
# Intercom takes times in seconds since 1970: https://developers.intercom.com/docs/references/rest-api/api.intercom.io
SECONDS = ValueFormats(date=None, moment=epoch_seconds, date_remedy="Intercom takes times: give one with a time zone")
REMEDY = "correct the name, or put custom fields into 'custom_attributes'"


def submit_bulk(method: str, path: str, context: SubmitContext) -> SubmitFlow:
    """Append to the open job, or create a new job if there is none.

    The HTTP method distinguishes a create from an update.
    """
    noun = path.split("/")[1]
    send = partial(json_request, method, path, context, key=noun, headers=version(context.account, "Preview"))
    try:
        response = yield send(extra={"job": {"id": context.open_job}} if context.open_job else None)
    except (PermissionDeniedError, JobNotFoundError):
        if not context.open_job:
            raise
        response = yield send()  # the job was closed, and this batch was rejected
    return accepted_job_id("Intercom", response.json, "id")


def enqueue_ticket(context: SubmitContext) -> SubmitFlow:
    """Enqueue the creation of one ticket."""
    headers = {**JSON_HEADERS, **version(context.account, "2.15")}
    response = yield Request("POST", "/tickets/enqueue", headers, body=context.payload.data)
    return accepted_job_id("Intercom", response.json, "id")


def start_export(context: SubmitContext) -> SubmitFlow:
    """Start an export of messages; a workspace runs one at a time."""
    headers = {**JSON_HEADERS, **version(context.account, "2.15")}
    response = yield Request("POST", "/export/content/data", headers, body=encode_json(context.options))
    return accepted_job_id(
        "Intercom", response.json, "job_identifier", "job_identfier"
    )  # misspelled in the latest specification


_check_ticket_contact = needs_any("id", "external_id", "email")


def _check_ticket(record: Record) -> str | None:
    contacts = record.get("contacts")
    if is_blank(contacts):
        return "lacks field 'contacts'"
    if not isinstance(contacts, list):
        return "needs a list in field 'contacts'"
    problem = next(filter(None, (_check_ticket_contact(as_dict(one)) for one in contacts)), None)
    return None if problem is None else f"has a contact in field 'contacts' that {problem}"


def _bulk(
    name: str, method: str, path: str, check: Check, *, header_names: tuple[str, ...], idempotent: bool
) -> Operation:
    submit = partial(submit_bulk, method, path)
    return Operation(
        name,
        submit,
        MAX_ITEMS,
        check=check,
        header_names=header_names,
        formats=lambda _options: SECONDS,
        supports_append=True,
        idempotent=idempotent,
    )


def _update(noun: str, fields: tuple[str, ...]) -> Operation:
    check = every(needs("id"), only_fields(("id", *fields), REMEDY))
    return _bulk("update", "PUT", f"/{noun}/bulk", check, header_names=("id",), idempotent=True)


def _delete(noun: str) -> Operation:
    # Not idempotent: deleting an item a second time fails, and the gate would reject the import.
    check = every(needs("id"), only_fields(("id",), "leave it out"))
    return _bulk("delete", "POST", f"/{noun}/bulk/delete", check, header_names=("id",), idempotent=False)


CONTACTS = (
    # Never updates: an existing contact is rejected, and an existing lead is duplicated.
    _bulk(
        "create",
        "POST",
        "/contacts/bulk",
        every(needs_any("external_id", "email"), only_fields(NEW_CONTACT_FIELDS, REMEDY)),
        header_names=("external_id", "email"),
        idempotent=False,
    ),
    _update("contacts", CONTACT_FIELDS),
    _delete("contacts"),
)
COMPANIES = (
    _bulk(
        "upsert",
        "POST",
        "/companies/bulk",
        every(needs("company_id"), only_fields(("company_id", *COMPANY_FIELDS), REMEDY)),
        header_names=("company_id",),
        idempotent=True,
    ),
    _update("companies", COMPANY_FIELDS),
    _delete("companies"),
)
TICKETS = (
    Operation(
        "enqueue",
        enqueue_ticket,
        max_items=1,
        check=every(needs("ticket_type_id"), _check_ticket),
        header_names=("ticket_type_id",),
        formats=lambda _options: SECONDS,
    ),
)
EXPORTS = (
    Operation(
        "export",
        start_export,
        max_items=0,
        options=(
            Option("created_at_after", (int,), "start of the time range, in epoch seconds", required=True),
            Option("created_at_before", (int,), "end of the time range, in epoch seconds", required=True),
        ),
    ),
)
