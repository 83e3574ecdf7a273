# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign submits: the bulk contact importer.

https://developers.activecampaign.com/reference/bulk-import-contacts
https://developers.activecampaign.com/reference/retrieve-fields
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_bulkjobs.protocol.flow import Flow
from airflow_provider_bulkjobs.vendors.activecampaign.jobs import STATES
from airflow_provider_bulkjobs.vendors.spec.custom_fields import CustomField, CustomFields
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.operation import (
    FieldCheck,
    Fields,
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    every,
)
from airflow_provider_bulkjobs.vendors.toolkit.paging import Offset, list_pages
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, as_list
from airflow_provider_bulkjobs.vendors.toolkit.submits import json_request, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import if_given, needs
from airflow_provider_bulkjobs.vendors.toolkit.values import missing_number, safe_name

SUBMIT_PATH = "/api/3/import/bulk_import"
FIELDS_PATH = "/api/3/fields"
FIELDS_PER_PAGE = 100
MAX_PAGES = 100
CONTACT_FIELDS = frozenset(
    {
        *("email", "first_name", "last_name", "phone", "customer_acct_name", "tags", "fields"),
        *("subscribe", "unsubscribe", "exclude_automations"),
    }
)
ON_CONTACTS = ("exclude_automations",)  # the vendor's example sends it in each contact


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Submit a batch of contacts."""
    extra = context.options_without(*ON_CONTACTS)
    request = json_request("POST", SUBMIT_PATH, context, key="contacts", extra=extra)
    return (yield from submit_request(STATES.vendor, request, "batchId"))


def _named_fields(record: Record) -> Record:
    """Return the custom fields: all fields that are not the vendor's own. None changes nothing."""
    if not isinstance(record.get("fields"), list | None):
        return {}
    return {name: value for name, value in record.items() if name not in CONTACT_FIELDS and value is not None}


def _with_field_ids(record: Record, values: Mapping[str, Any]) -> Record | str:
    own = {name: value for name, value in record.items() if name in CONTACT_FIELDS}
    given = as_list(record.get("fields"))
    if not values.keys().isdisjoint(str(as_dict(each).get("id")) for each in given):
        return "has a custom field by its name and in field 'fields': remove one of them"
    fields = [{"id": field_id, "value": _joined(value)} for field_id, value in values.items()]
    return {**own, "fields": [*given, *fields]}


def _joined(value: Any) -> Any:
    """Return several values of a field as one text, as ActiveCampaign documents it; nulls are left out."""
    if not isinstance(value, list):
        return value
    return "||".join(each if isinstance(each, str) else json.dumps(each) for each in value if each is not None)


def _check_lists(record: Record) -> str | None:
    for name, value in _named_fields(record).items():
        for each in value if isinstance(value, list) else ():
            if not isinstance(each, str | int | float | None):
                return f"has a {type(each).__name__} in the list in field {safe_name(name)}: give text or numbers"
            if problem := missing_number(name, each):
                return problem
    return None


def _have_no_lists(fields: Fields) -> bool:
    return not any(type(value) is list for values in fields.values() for value in values)


def list_custom_fields(account: Account) -> Flow[list[CustomField]]:  # noqa: ARG001
    """Request the custom fields of contacts, which records name by their title or their personalization tag."""
    pages = list_pages(
        STATES.vendor,
        "custom fields",
        f"{FIELDS_PATH}?limit={FIELDS_PER_PAGE}",
        items="fields",
        following=Offset(FIELDS_PER_PAGE),
        max_pages=MAX_PAGES,
    )
    found: list[CustomField] = []
    for field in (yield from pages.read_all()):
        names = (str(field[key]) for key in ("title", "perstag") if field.get(key))
        if field.get("id"):
            found.append(CustomField(str(field["id"]), tuple(names)))
    return found


def _check_fields(record: Record) -> str | None:
    is_valid = isinstance(record.get("fields"), list | None)
    return None if is_valid else "needs a list of custom fields, each with 'id' and 'value', in field 'fields'"


def _check_email(record: Record) -> str | None:
    # The vendor rejects the whole batch if one contact has no valid address.
    return None if _are_addresses([record["email"]]) else "has no e-mail address in field 'email'"


def _are_addresses(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) and all(value.rpartition("@")) for value in values)


IMPORT = Operation(
    "import",
    submit_import,
    max_items=250,
    max_bytes=399_999,
    check=every(
        needs("email"),
        if_given(("fields",), _check_fields),
        FieldCheck(_check_lists, _have_no_lists),
        FieldCheck(_check_email, lambda fields: _are_addresses(fields.get("email", ()))),
    ),
    header_names=("email",),
    options=(
        Option("exclude_automations", (bool,), "True: the import starts no automations"),
        Option("callback", (dict,), "your URL, called at the end of the import, with the reasons of failed contacts"),
    ),
    per_record_options=ON_CONTACTS,
    custom_fields=CustomFields(CONTACT_FIELDS, _named_fields, _with_field_ids, list_custom_fields),
)
