# SPDX-License-Identifier: Apache-2.0
"""Constant Contact submits: contacts as JSON, and ids of contacts to delete, to add to lists, or to remove from lists.

https://developer.constantcontact.com/api_guide/import_contacts.html
https://developer.constantcontact.com/api_reference/index.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.constant_contact.jobs import ACTIVITIES, STATES
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    encode_json,
    every,
)
from airflow_provider_bulkjobs.vendors.toolkit.submits import JSON_HEADERS, json_request, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs, needs_any, only_fields
from airflow_provider_bulkjobs.vendors.toolkit.values import is_blank, safe_name

ACTIVITY_ID = "activity_id"
BIRTHDAY = ("birthday_month", "birthday_day")
ADDRESS = ("street", "street2", "city", "state", "zip", "country")
FIELDS = (
    *("email", "sms_number", "sms_consent_date", "first_name", "last_name", "job_title", "company_name"),
    *(*BIRTHDAY, "anniversary", "phone", "home_phone", "work_phone", "mobile_phone", "other_phone"),
    *(
        f"{place}{part}"
        for place in ("", "home_", "work_", "other_")
        for part in ADDRESS
        if f"{place}{part}" != "home_country"
    ),
    "home country",  # as documented; whether home_country is accepted as well is unconfirmed
)
LISTS = Option("list_ids", (list,), "ids of the lists, at most 50", required=True)


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Submit contacts and the lists to add them to."""
    path = f"{ACTIVITIES}/contacts_json_import"
    request = json_request("POST", path, context, key="import_data", extra=context.options)
    return (yield from submit_request(STATES.vendor, request, ACTIVITY_ID))


def submit_deletion(context: SubmitContext) -> SubmitFlow:
    """Submit the ids of contacts to delete."""
    request = json_request("POST", f"{ACTIVITIES}/contact_delete", context, key="contact_ids")
    return (yield from submit_request(STATES.vendor, request, ACTIVITY_ID))


def submit_memberships(name: str, context: SubmitContext) -> SubmitFlow:
    """Submit the ids of contacts, and the lists to add them to or to remove them from."""
    lists = encode_json(context.options[LISTS.name])
    body = b'{"source":{"contact_ids":[%b]},"list_ids":%b}' % (context.payload.data, lists)
    request = Request("POST", f"{ACTIVITIES}/{name}", JSON_HEADERS, body=body)
    return (yield from submit_request(STATES.vendor, request, ACTIVITY_ID))


def _check_birthday(record: Record) -> str | None:
    missing = [name for name in BIRTHDAY if is_blank(record.get(name))]
    return f"lacks field {safe_name(missing[0])}: a birthday has a month and a day" if len(missing) == 1 else None


def _encode_contact(record: Record) -> bytes:
    """Return a contact; month and day of the birthday are numbers, which CSV files have as text."""
    days = {name: int(text) for name in BIRTHDAY if isinstance(text := record.get(name), str) and text.isdecimal()}
    return encode_json({**record, **days})


def _on_ids(name: str, submit: Callable[[SubmitContext], SubmitFlow], *options: Option) -> Operation:
    return Operation(
        name,
        submit,
        max_items=500,
        check=every(needs("contact_id"), only_fields(("contact_id",), "select only this field")),
        header_names=("contact_id",),
        options=options,
        encode=lambda record: encode_json(record.get("contact_id")),
    )


# None is idempotent: Constant Contact has no idempotency key, and each request queues another activity. A repeated
# deletion would report contacts as failed, a repeated import could add contacts to lists that they have left since.
IMPORT = Operation(
    "import",
    submit_import,
    max_items=40_000,
    max_bytes=3_999_999,  # of a body of 4 MB or more, the rest is dropped without an error
    check=every(
        needs_any("email", "sms_number"),
        only_fields(FIELDS, "custom fields are named 'cf:' and their name", prefix="cf:"),
        _check_birthday,
    ),
    header_names=("email", "sms_number"),
    options=(
        LISTS,
        Option(
            "sms_permission_to_send",
            (str,),
            "explicit: the contacts have agreed to SMS, on their sms_consent_date",
            choices=("explicit", "not_set"),
        ),
    ),
    encode=_encode_contact,
)
DELETE = _on_ids("delete", submit_deletion)
ADD = _on_ids("add_list_memberships", partial(submit_memberships, "add_list_memberships"), LISTS)
REMOVE = _on_ids("remove_list_memberships", partial(submit_memberships, "remove_list_memberships"), LISTS)
