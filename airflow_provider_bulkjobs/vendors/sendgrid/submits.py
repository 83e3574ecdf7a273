# SPDX-License-Identifier: Apache-2.0
"""SendGrid submits: contacts as JSON or as a CSV file, deletes, and exports.

https://www.twilio.com/docs/sendgrid/api-reference/contacts/add-or-update-a-contact
https://www.twilio.com/docs/sendgrid/api-reference/contacts/import-contacts
https://www.twilio.com/docs/sendgrid/api-reference/contacts/delete-contacts
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from airflow_provider_bulkjobs.exceptions import (
    BadArgumentError,
    TransientError,
    UntrustedResponseError,
    VendorAPIError,
)
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, SaveProgress, Upload
from airflow_provider_bulkjobs.vendors.spec.body_path import text_at
from airflow_provider_bulkjobs.vendors.spec.custom_fields import CustomField, CustomFields
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    every,
)
from airflow_provider_bulkjobs.vendors.toolkit.ids_in_query import ids_operation, ids_request
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dicts
from airflow_provider_bulkjobs.vendors.toolkit.submits import (
    accepted_job_id,
    column_mappings,
    json_request,
    object_request,
    submit_request,
)
from airflow_provider_bulkjobs.vendors.toolkit.validators import (
    identifies_if_given,
    lists,
    max_lengths,
    needs,
    needs_any,
    objects,
    once,
)
from airflow_provider_bulkjobs.vendors.toolkit.values import safe_name

CONTACTS_PATH = "/v3/marketing/contacts"
FIELDS_PATH = "/v3/marketing/field_definitions"
IDENTITIES = ("email", "phone_number_id", "external_id", "anonymous_id")
LENGTHS = {
    **dict.fromkeys(("first_name", "last_name", "state_province_region", "country"), 50),
    **dict.fromkeys(("address_line_1", "address_line_2"), 100),
    "city": 60,
}
OWN_FIELDS = frozenset({*IDENTITIES, *LENGTHS, "postal_code", "alternate_emails"})
CONTACT_FIELDS = OWN_FIELDS | {"custom_fields"}
FIELD_ID = re.compile(r"[a-z]\d+(_[A-Z])?")  # w1, e2_T
MAX_ALTERNATE_EMAILS = 5


def upsert(context: SubmitContext) -> SubmitFlow:
    """Create or update contacts."""
    request = json_request("PUT", CONTACTS_PATH, context, key="contacts", extra=context.options)
    return (yield from submit_request("SendGrid", request, "job_id"))


def import_csv(context: SubmitContext) -> SubmitFlow:
    """Start an import, and upload the file to the URL in the response.

    The URL is a credential, so it is not saved: a submit that is resumed starts another import, and the first one never
    receives a file.
    """
    mappings = column_mappings(context, "field_mappings")
    if mappings is None:
        mappings = yield from _field_ids(context.payload.columns)
    body = {**context.options, "file_type": "csv", "field_mappings": mappings}
    response = yield object_request("PUT", f"{CONTACTS_PATH}/imports", body)
    job_id = accepted_job_id("SendGrid", response.json, "job_id")
    upload_uri = response.json.get("upload_uri")
    if not isinstance(upload_uri, str):
        raise TransientError("SendGrid response has no upload_uri")
    yield SaveProgress({"job_id": job_id})  # not harmless: the upload starts the import
    headers = as_dicts(response.json.get("upload_headers"))
    attempts = 0

    def open_file() -> BinaryIO:
        nonlocal attempts
        attempts += 1
        return context.payload.open()

    try:
        yield Upload(upload_uri, {str(one.get("header")): str(one.get("value")) for one in headers}, open_file)
    except (VendorAPIError, UntrustedResponseError):  # refused, or not sent to an invalid URL
        if attempts <= 1 and not context.progress:  # no upload of unknown outcome went before: nothing is imported
            yield SaveProgress({"job_id": ""}, harmless=True)
        raise
    return job_id


def _named_fields(record: Record) -> Record:
    """Return the custom fields, if any is called by name, in ``custom_fields`` or as a field of the record."""
    nested = record.get("custom_fields")
    outer = {name: value for name, value in record.items() if name not in CONTACT_FIELDS}
    if not isinstance(nested, Mapping | None) or not (outer or any(map(_is_name, nested or ()))):
        return {}
    return {**(nested or {}), **outer}


def _is_name(key: Any) -> bool:
    return not FIELD_ID.fullmatch(str(key))


def _with_field_ids(record: Record, values: Mapping[str, Any]) -> Record:
    return {**{name: value for name, value in record.items() if name in CONTACT_FIELDS}, "custom_fields": values}


def list_custom_fields(account: Account) -> Flow[list[CustomField]]:  # noqa: ARG001
    """Request the custom fields of the account."""
    body = (yield Request("GET", FIELDS_PATH)).json
    fields = as_dicts(body.get("custom_fields"))
    named = [(str(one["id"]), str(one["name"])) for one in fields if one.get("id") and one.get("name")]
    return [CustomField(field_id, (name, field_id)) for field_id, name in named]


def _field_ids(columns: Sequence[str]) -> Any:
    """Return the field ids of the columns, which are named by SendGrid's field names or field ids."""
    body = (yield Request("GET", FIELDS_PATH)).json
    fields = [one for key in ("custom_fields", "reserved_fields") for one in as_dicts(body.get(key))]
    named = [(str(one.get("name")).lower(), field_id) for one in fields if (field_id := text_at(one, "id"))]
    ids = {**dict(named), **{field_id: field_id for _, field_id in named}}
    found = [ids.get(column, ids.get(column.lower())) for column in columns]
    if None in found:
        unknown = [column for column, field_id in zip(columns, found, strict=True) if field_id is None]
        # If no column is known, the first line may be a contact instead of a header.
        is_header = len(unknown) < len(columns)
        which = f"column {', '.join(map(safe_name, unknown))}" if is_header else f"any of the {len(columns)} columns"
        raise BadArgumentError(
            f"SendGrid has no field for {which}: rename it to the name of a field, or set the option "
            "'field_mappings', with None to skip a column"
        )
    return found


def delete(context: SubmitContext) -> SubmitFlow:
    """Delete the contacts with the given ids, or all contacts."""
    request = ids_request("DELETE", CONTACTS_PATH, context)
    if context.options.get("delete_all_contacts"):
        request = Request("DELETE", f"{CONTACTS_PATH}?delete_all_contacts=true")
    return (yield from submit_request("SendGrid", request, "job_id"))


def start_export(context: SubmitContext) -> SubmitFlow:
    """Start an export of contacts."""
    request = object_request("POST", f"{CONTACTS_PATH}/exports", context.options)
    return (yield from submit_request("SendGrid", request, "id"))


LISTS = Option("list_ids", (list,), "ids of the lists to add the contacts to")
CONTACTS = (
    Operation(
        "upsert",
        upsert,
        max_items=30_000,
        max_bytes=6_000_000,
        check=every(
            needs_any(*IDENTITIES),
            max_lengths(LENGTHS),
            lists({"alternate_emails": MAX_ALTERNATE_EMAILS}),
            objects("custom_fields"),
            once("custom_fields"),
        ),
        header_names=IDENTITIES,
        custom_fields=CustomFields(OWN_FIELDS, _named_fields, _with_field_ids, list_custom_fields),
        options=(LISTS,),
        idempotent=True,
    ),
    Operation(
        "import_csv",
        import_csv,
        max_items=1_000_000,
        max_bytes=5_000_000_000,
        check=identifies_if_given(*IDENTITIES),
        options=(
            LISTS,
            Option(
                "field_mappings",
                (list,),
                "field id of each column, None to skip a column; not needed if the columns are named like the fields",
            ),
        ),
        columns_option="field_mappings",
        is_csv=True,
        gzipped=True,
        idempotent=True,
    ),
    ids_operation(
        "delete",
        delete,
        max_items=1000,
        check=needs("id"),
        options=(Option("delete_all_contacts", (bool,), "True: delete all contacts; give no records then"),),
        replaces_records="delete_all_contacts",
    ),
)
EXPORTS = (
    Operation(
        "export",
        start_export,
        max_items=0,
        options=(
            Option("list_ids", (list,), "export only contacts on these lists"),
            Option("segment_ids", (list,), "export only contacts in these segments"),
            Option("notifications", (dict,), "whether SendGrid sends an e-mail when the export is ready"),
            Option("file_type", (str,), "format of the files", choices=("csv", "json")),
            Option("max_file_size", (int,), "in megabytes; a larger export is split into several files"),
        ),
        idempotent=True,
    ),
)
