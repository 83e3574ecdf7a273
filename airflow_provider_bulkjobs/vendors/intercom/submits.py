# SPDX-License-Identifier: Apache-2.0
"""Intercom submits: bulk contacts and companies, single tickets, and exports.

https://developers.intercom.com/docs/references/preview/rest-api/api.intercom.io/contacts
https://developers.intercom.com/docs/references/2.15/rest-api/api.intercom.io/tickets/enqueuecreateticket
https://developers.intercom.com/docs/references/2.15/rest-api/api.intercom.io/data-export
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from airflow_provider_bulkjobs.exceptions import JobNotFoundError, PermissionDeniedError
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.intercom.jobs import version
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    every,
)
from airflow_provider_bulkjobs.vendors.spec.value_formats import ValueFormats, epoch_seconds
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict
from airflow_provider_bulkjobs.vendors.toolkit.submits import JSON_HEADERS, json_request, object_request, submit_request
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
    if context.open_job:
        with suppress(PermissionDeniedError, JobNotFoundError):  # the job was closed, and this batch was rejected
            return (yield from submit_request("Intercom", send(extra={"job": {"id": context.open_job}}), "id"))
    return (yield from submit_request("Intercom", send(), "id"))


def enqueue_ticket(context: SubmitContext) -> SubmitFlow:
    """Enqueue the creation of one ticket."""
    headers = {**JSON_HEADERS, **version(context.account, "2.15")}
    request = Request("POST", "/tickets/enqueue", headers, body=context.payload.data)
    return (yield from submit_request("Intercom", request, "id"))


def start_export(context: SubmitContext) -> SubmitFlow:
    """Start an export of messages; a workspace runs one at a time."""
    headers = version(context.account, "2.15")
    request = object_request("POST", "/export/content/data", context.options, headers)
    # The second one is misspelled in the latest specification.
    return (yield from submit_request("Intercom", request, "job_identifier", "job_identfier"))


_check_ticket_contact = needs_any("id", "external_id", "email")


def _check_ticket(record: Record) -> str | None:
    contacts = record.get("contacts")
    if is_blank(contacts):
        return "lacks field 'contacts'"
    if not isinstance(contacts, list):
        return "needs a list in field 'contacts'"
    problem = next(filter(None, (_check_ticket_contact(as_dict(one)) for one in contacts)), None)
    return None if problem is None else f"has a contact in field 'contacts' that {problem}"


_bulk = partial(Operation, max_items=MAX_ITEMS, formats=lambda _options: SECONDS, supports_append=True)


def _update(noun: str, fields: tuple[str, ...]) -> Operation:
    check = every(needs("id"), only_fields(("id", *fields), REMEDY))
    submit = partial(submit_bulk, "PUT", f"/{noun}/bulk")
    return _bulk("update", submit, check=check, header_names=("id",), idempotent=True)


def _delete(noun: str) -> Operation:
    # Not idempotent: deleting an item a second time fails, and the gate would reject the import.
    check = every(needs("id"), only_fields(("id",), "leave it out"))
    return _bulk("delete", partial(submit_bulk, "POST", f"/{noun}/bulk/delete"), check=check, header_names=("id",))


CONTACTS = (
    # Never updates: an existing contact is rejected, and an existing lead is duplicated.
    _bulk(
        "create",
        partial(submit_bulk, "POST", "/contacts/bulk"),
        check=every(needs_any("external_id", "email"), only_fields(NEW_CONTACT_FIELDS, REMEDY)),
        header_names=("external_id", "email"),
    ),
    _update("contacts", CONTACT_FIELDS),
    _delete("contacts"),
)
COMPANIES = (
    _bulk(
        "upsert",
        partial(submit_bulk, "POST", "/companies/bulk"),
        check=every(needs("company_id"), only_fields(("company_id", *COMPANY_FIELDS), REMEDY)),
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
