# SPDX-License-Identifier: Apache-2.0
"""Mailjet submits: contacts as JSON to any number of lists, and a CSV file to one list.

https://github.com/mailjet/api-documentation/blob/master/guides/_contacts_bulk.md
https://dev.mailjet.com/reference/email/contacts/bulk-contact-management
https://documentation.mailjet.com/hc/en-us/articles/360042706694
"""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_bulkjobs.exceptions import (
    AuthenticationError,
    BadArgumentError,
    PermissionDeniedError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.protocol.flow import Request, SaveProgress
from airflow_provider_bulkjobs.protocol.job import count
from airflow_provider_bulkjobs.vendors.mailjet.jobs import CONTACTS, CSV_IMPORTS, OBJECT, STATES
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    encode_json,
    every,
)
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict
from airflow_provider_bulkjobs.vendors.toolkit.submits import (
    accepted_job_id,
    json_request,
    object_request,
    submit_request,
)
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs, objects, once

ACTIONS = ("addnoforce", "addforce", "remove", "unsub")
METHODS = (*ACTIONS, "excludemarketing", "includemarketing")
NO_FORCE = "addnoforce"  # addforce subscribes contacts again who have unsubscribed
CONTACT_FIELDS = frozenset({"Email", "Name", "IsExcludedFromCampaigns", "Properties"})


def submit_contacts(context: SubmitContext) -> SubmitFlow:
    """Submit contacts, and the lists that each of them is added to or removed from."""
    lists = [_list(each) for each in context.options.get("ContactsLists", ())]
    extra = {"ContactsLists": lists} if lists else {}
    request = json_request("POST", CONTACTS, context, key="Contacts", extra=extra)
    return (yield from submit_request(STATES.vendor, request, f"{OBJECT}.JobID"))


def submit_file(context: SubmitContext) -> SubmitFlow:
    """Upload a CSV file, which starts nothing, and start its import."""
    if "DataID" in context.progress:
        try:
            return (yield from _start_import(context, context.progress["DataID"]))
        except (AuthenticationError, PermissionDeniedError):
            raise
        except VendorAPIError:
            pass  # how long Mailjet keeps an uploaded file is undocumented
    path = f"/v3/DATA/contactslist/{context.options['ContactsListID']}/CSVData/text:plain"
    upload = Request("POST", path, {"Content-Type": "text/plain"}, body=context.payload.data, idempotent=True)
    text = accepted_job_id(STATES.vendor, (yield upload).json, "ID")
    data_id = int(text) if text.isdecimal() else text
    yield SaveProgress({"DataID": data_id}, harmless=True)
    return (yield from _start_import(context, data_id))


def _start_import(context: SubmitContext, data_id: str | int) -> SubmitFlow:
    request = object_request("POST", CSV_IMPORTS, {"Method": NO_FORCE, **context.options, "DataID": data_id})
    return (yield from submit_request(STATES.vendor, request, f"{OBJECT}.ID"))


def _list(given: Any) -> dict[str, Any]:
    """Return a list with its action.

    :raises BadArgumentError: it has no valid id or action.
    """
    entry = {"Action": NO_FORCE, **as_dict(given)}
    list_id = count(entry.get("ListID"))
    if not list_id or entry["Action"] not in ACTIONS:
        raise BadArgumentError(
            "option 'ContactsLists' has an entry without a valid 'ListID' or 'Action'. Pass objects such as "
            f"{{'ListID': 57, 'Action': 'addnoforce'}}, with one of the actions {', '.join(ACTIONS)}."
        )
    return {**entry, "ListID": list_id}


def _encode_contact(record: Record) -> bytes:
    own = {name: value for name, value in record.items() if name in CONTACT_FIELDS}
    properties = {name: value for name, value in record.items() if name not in CONTACT_FIELDS}
    return encode_json({**own, "Properties": {**properties, **(own.get("Properties") or {})}} if properties else own)


def _decode_contact(data: bytes) -> Record:
    contact = json.loads(data)
    properties = contact.pop("Properties", None) or {}
    return {**contact, **properties}


MANAGE = Operation(
    "manage",
    submit_contacts,
    max_items=5000,  # no limit is documented; users report that 50,000 broke the connection
    max_bytes=4_000_000,
    check=every(needs("Email"), objects("Properties"), once("Properties")),
    header_names=("Email",),
    options=(
        Option(
            "ContactsLists",
            (list,),
            "objects with the ListID of a list, and the Action on it: addnoforce (default), addforce, remove, unsub",
        ),
    ),
    encode=_encode_contact,
    decode=_decode_contact,
    # Not idempotent: Mailjet has no idempotency key. A repeated request is another job, which may subscribe contacts
    # who have left a list meanwhile.
)
IMPORT = Operation(
    "import",
    submit_file,
    max_items=1_000_000,  # no limit is documented; max_bytes is usually reached first
    check=needs("email"),
    header_names=("email",),
    options=(
        Option("ContactsListID", (int,), "id of the list", required=True),
        Option("Method", (str,), "what to do with the contacts (default: addnoforce)", choices=METHODS),
    ),
    is_csv=True,
    # Not idempotent: a repeated request is another import of the same file.
)
