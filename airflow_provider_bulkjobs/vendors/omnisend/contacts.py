# SPDX-License-Identifier: Apache-2.0
"""Omnisend contacts: a record with an e-mail address or a phone number, and the contact with its identifiers.

https://api-docs.omnisend.com/reference/post_contacts
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.vendors.spec.operation import Check, Record
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, as_dicts, as_list
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs, needs_any, only_fields
from airflow_provider_bulkjobs.vendors.toolkit.values import is_blank, safe_names

CHANNELS = {"email": "email", "phone": "sms"}  # the channel of each type of identifiers
IDENTIFIERS = "identifiers"
WELCOME = "sendWelcomeMessage"
STATUSES = ("subscribed", "nonSubscribed", "unsubscribed")
CHANNEL_FIELDS = ("status", "statusChangedAt")
IDENTIFIER_FIELDS = ("consent", "source")
OWN_FIELDS = (*CHANNELS, *CHANNEL_FIELDS, *IDENTIFIER_FIELDS)  # of a record; a contact has them in its identifiers
PROPERTIES = "customProperties"
PREFIX = f"{PROPERTIES}."  # a field customProperties.plan is the custom property plan
CONTACT_FIELDS = (
    *("firstName", "lastName", "tags", "address", "city", "state", "country", "countryCode", "postalCode"),
    *("birthdate", "gender", PROPERTIES, "createdAt"),
)
MAX_TAGS = 100

_needs_identity, _needs_identifier = needs_any(*CHANNELS), needs("type", "id")
_only_documented = only_fields(
    (IDENTIFIERS, *OWN_FIELDS, *CONTACT_FIELDS), f"correct the name, or rename a custom property to {PREFIX}NAME"
)


def to_contact(record: Record, *, welcome: bool) -> dict[str, Any]:
    """Return the contact of a record, without the fields that are ``None``.

    :param welcome: whether Omnisend sends a welcome message, for identifiers that do not say so themselves.
    """
    given = {name: value for name, value in record.items() if value is not None}
    identifiers = [each for each in as_list(given.pop(IDENTIFIERS, None)) if not is_blank(each)]
    channel = {name: given.pop(name) for name in CHANNEL_FIELDS if name in given}
    shared = {name: given.pop(name) for name in IDENTIFIER_FIELDS if name in given}
    for kind, name in CHANNELS.items():
        if not is_blank(address := given.pop(kind, None)):
            channels = {"channels": {name: channel}} if channel else {}
            identifiers.append({"type": kind, "id": str(address), **channels, **shared})
    contact = {name: value for name, value in given.items() if not name.startswith(PREFIX)}
    if custom := {name.removeprefix(PREFIX): value for name, value in given.items() if name.startswith(PREFIX)}:
        contact[PROPERTIES] = {**custom, **as_dict(contact.get(PROPERTIES))}
    if "tags" in contact:
        contact["tags"] = as_list(contact["tags"])
    return {IDENTIFIERS: [_with_welcome(each, welcome=welcome) for each in identifiers], **contact}


def _with_welcome(identifier: Mapping[str, Any], *, welcome: bool) -> dict[str, Any]:
    # None says nothing, and Omnisend may take it for its default, which is to send a message.
    return {WELCOME: welcome, **{name: value for name, value in identifier.items() if (name, value) != (WELCOME, None)}}


def to_record(contact: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record of a contact; a contact that has no shorter form is a record itself."""
    record = {name: value for name, value in contact.items() if name != IDENTIFIERS}
    for each in as_dicts(contact.get(IDENTIFIERS)):
        channel = as_dict(as_dict(each.get("channels")).get(CHANNELS.get(str(each.get("type")), "")))
        record |= {str(each.get("type")): each.get("id"), **channel}
        record |= {name: each[name] for name in IDENTIFIER_FIELDS if name in each}
    is_same = any(to_contact(record, welcome=welcome) == contact for welcome in (False, True))
    return record if is_same else contact


def check_identity(*, welcome: bool) -> Check:
    """Require an e-mail address or a phone number, or else Omnisend's identifiers.

    :param welcome: whether identifiers may ask for a welcome message.
    """

    def check(record: Record) -> str | None:
        identifiers = record.get(IDENTIFIERS)
        if is_blank(identifiers):
            return _needs_identity(record)
        if both := [name for name in OWN_FIELDS if not is_blank(record.get(name))]:
            return f"has field {IDENTIFIERS!r}, which replaces {safe_names(both, 'and')}: leave one of them out"
        if not isinstance(identifiers, list) or not all(isinstance(each, dict) for each in identifiers):
            return f"needs a list of objects in field {IDENTIFIERS!r}"
        if problem := next(filter(None, map(_needs_identifier, identifiers)), None):
            return f"has an identifier in field {IDENTIFIERS!r} that {problem}"
        if not welcome and any(each.get(WELCOME) for each in identifiers):
            return f"asks for a welcome message in field {IDENTIFIERS!r}: use the operation 'import_with_welcome'"
        return None

    return check


def check_fields(record: Record) -> str | None:
    """Reject unknown fields and too many tags."""
    if len(as_list(record.get("tags"))) > MAX_TAGS:
        return f"has more than {MAX_TAGS} tags in field 'tags'"
    return _only_documented({name: value for name, value in record.items() if not name.startswith(PREFIX)})
