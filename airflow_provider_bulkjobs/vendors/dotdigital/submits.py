# SPDX-License-Identifier: Apache-2.0
"""Dotdigital submits: contacts to import, and contacts to delete.

https://developer.dotdigital.com/reference/importcontacts-1
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from airflow_provider_bulkjobs.vendors.dotdigital.jobs import (
    DELETIONS,
    IDENTIFIERS,
    IMPORTS,
    LABEL,
    default_match,
    record_of,
)
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
from airflow_provider_bulkjobs.vendors.toolkit.submits import json_request, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import identifies_if_given, lists, needs, objects, once
from airflow_provider_bulkjobs.vendors.toolkit.values import is_blank, safe_names

OBJECTS = ("identifiers", "dataFields", "channelProperties")
LISTS = {"lists": 100, "preferences": None, "consentRecords": 5}  # the maximum number of elements
MEMBERS = frozenset({"matchIdentifier", *OBJECTS, *LISTS})
ON_CONTACTS = ("matchIdentifier", "lists", "channelProperties")
# Dotdigital documents no number. The status of an import lists all contacts, and has to be small enough to be read.
MAX_CONTACTS = 20_000
MAX_DELETED = 5000

_check_identifiers = identifies_if_given(*IDENTIFIERS)
_needs = cache(needs)


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Submit contacts to create or update."""
    request = json_request("PUT", IMPORTS, context, key="contacts", extra=context.options_without(*ON_CONTACTS))
    return (yield from submit_request(LABEL, request, "importId"))


def submit_deletion(context: SubmitContext) -> SubmitFlow:
    """Submit the identifiers of contacts to delete."""
    return (yield from submit_request(LABEL, json_request("POST", DELETIONS, context), "deleteId"))


def _check_contact(record: Record) -> str | None:
    match = record.get("matchIdentifier")
    if not isinstance(match, str | None):
        return "has no text in field 'matchIdentifier'"
    identifiers = _identifiers(record)
    problem = _check_identifiers(record) or _needs(match or default_match(identifiers))(identifiers)
    return problem or _check_number(identifiers)


def _check_deletion(record: Record) -> str | None:
    given = _given(record)
    if len(given) > 1:
        return f"has {safe_names(given, 'and')}: give one identifier"
    problem = needs(*given)(given) if given else f"lacks {safe_names(IDENTIFIERS, 'or')}"
    return problem or _check_number(given)


def _check_number(identifiers: Record) -> str | None:
    is_valid = isinstance(identifiers.get("contactId"), int | None)
    return None if is_valid else "has no whole number in field 'contactId'"


def _identifiers(record: Record) -> dict[str, Any]:
    """Return the identifiers of a contact: those in ``identifiers``, and fields with the name of one."""
    names = (*IDENTIFIERS, record.get("matchIdentifier"))
    own = {name: value for name, value in record.items() if name in names and not is_blank(value)}
    return _given({**as_dict(record.get("identifiers")), **own})


def _given(identifiers: Record) -> dict[str, Any]:
    """Return the identifiers that have a value; a contact id is a number, which is text in a CSV file."""
    given = {name: value for name, value in identifiers.items() if value is not None}
    number = given.get("contactId")
    if isinstance(number, str) and number.isascii() and number.isdigit():
        given["contactId"] = int(number)
    return given


def _encode_contact(record: Record) -> bytes:
    identifiers = _identifiers(record)
    match = record.get("matchIdentifier") or default_match(identifiers)
    own = (*IDENTIFIERS, match)
    fields = {name: value for name, value in record.items() if name not in MEMBERS and name not in own}
    contact = {
        **{name: record.get(name) for name in ("channelProperties", *LISTS)},
        "dataFields": {**fields, **as_dict(record.get("dataFields"))},
    }
    contact = {name: value for name, value in contact.items() if not is_blank(value)}
    return encode_json({"matchIdentifier": match, "identifiers": identifiers, **contact})


def _decode_contact(data: bytes) -> Record:
    contact = json.loads(data)
    record = record_of(contact.pop("matchIdentifier"), contact.pop("identifiers"))
    return {**record, **contact.pop("dataFields", {}), **contact}


def _encode_deletion(record: Record) -> bytes:
    return encode_json(_given(record))


IMPORT = Operation(
    "import",
    submit_import,
    max_items=MAX_CONTACTS,  # 16 MiB at most: Dotdigital takes 50 MB, which a worker would have to hold in memory
    check=every(objects(*OBJECTS), lists(LISTS), _check_contact, once("dataFields")),
    header_names=IDENTIFIERS,
    options=(
        Option(
            "mergeOption",
            (str,),
            "how existing contacts are changed (default: overwrite, where a null clears a field)",
            choices=("overwrite", "overwriteIfNotEmpty", "overwriteIfEmpty"),
        ),
        Option("matchIdentifier", (str,), "the identifier that finds existing contacts, also one of your own"),
        Option("lists", (list,), "ids of the lists (address books) to add the contacts to"),
        Option("channelProperties", (dict,), "status, emailType and optInType per channel: {'email': {…}}"),
    ),
    per_record_options=ON_CONTACTS,
    encode=_encode_contact,
    decode=_decode_contact,
    # Not idempotent, although it is a PUT: each request starts another import, which takes one of 25 places.
)
DELETE = Operation(
    "delete",
    submit_deletion,
    max_items=MAX_DELETED,
    check=_check_deletion,
    header_names=IDENTIFIERS,
    encode=_encode_deletion,
    # Not idempotent: the second deletion would report that all contacts are unknown.
)
