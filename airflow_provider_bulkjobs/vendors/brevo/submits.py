# SPDX-License-Identifier: Apache-2.0
"""Brevo submits: the import of contacts.

https://developers.brevo.com/reference/importcontacts
"""

from __future__ import annotations

import json

from airflow_provider_bulkjobs.vendors.brevo.jobs import STATES
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    encode_json,
    every,
)
from airflow_provider_bulkjobs.vendors.toolkit.submits import json_request, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs, once

SUBMIT_PATH = "/v3/contacts/import"


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Submit contacts, without the e-mail that Brevo sends to the account's owner after each import."""
    extra = {"disableNotification": True, **context.options}
    request = json_request("POST", SUBMIT_PATH, context, key="jsonBody", extra=extra)
    return (yield from submit_request(STATES.vendor, request, "processId"))


def _check_attributes(record: Record) -> str | None:
    is_valid = isinstance(record.get("attributes") or {}, dict)
    return None if is_valid else "has no object in field 'attributes'"


def _encode_contact(record: Record) -> bytes:
    email = {"email": record["email"]} if "email" in record else {}
    attributes = {name: value for name, value in record.items() if name not in {"email", "attributes"}}
    return encode_json({**email, "attributes": {**attributes, **(record.get("attributes") or {})}})


def _decode_contact(data: bytes) -> Record:
    contact = json.loads(data)
    email = {"email": contact["email"]} if "email" in contact else {}
    return {**email, **contact["attributes"]}


IMPORT = Operation(
    "import",
    submit_import,
    max_items=100_000,  # Brevo documents no number; the size is usually reached first
    max_bytes=8_000_000,  # as Brevo advises; its limit is 10 MB
    check=every(needs("email"), _check_attributes, once("attributes")),
    header_names=("email",),
    options=(
        Option("listIds", (list,), "ids of the lists to add the contacts to"),
        Option("newList", (dict,), "listName and folderId of a list to create, once per batch"),
        Option("updateExistingContacts", (bool,), "False: contacts that exist are skipped"),
        Option("emptyContactsAttributes", (bool,), "True: empty values clear attributes"),
        Option("emailBlacklist", (bool,), "True: the contacts are blocked for e-mail"),
        Option("smsBlacklist", (bool,), "True: the contacts are blocked for SMS"),
        Option("disableNotification", (bool,), "False: Brevo sends an e-mail after each batch (default: True)"),
        Option("notifyUrl", (str,), "your URL, called at the end of each batch"),
        Option("consentGroupIds", (list,), "ids of consent groups"),
    ),
    blanks_option="emptyContactsAttributes",
    encode=_encode_contact,
    decode=_decode_contact,
    # Not idempotent: Brevo has no idempotency key, and each request starts another process, which may create a list.
)
