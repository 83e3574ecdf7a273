# SPDX-License-Identifier: Apache-2.0
"""Eloqua submits: define an import, stage its data in pieces, start a sync. Nothing is imported before the sync.

https://docs.oracle.com/cloud/latest/marketingcs_gs/OMCAB/Developers/BulkAPI/Reference/bulk-limits.htm
https://docs.oracle.com/cloud/latest/marketingcs_gs/OMCAB/Developers/BulkAPI/BestPractices/best-practices.htm
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError, TransientError, VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, SaveProgress, path_segment
from airflow_provider_bulkjobs.vendors.eloqua.jobs import API, IDS, IMPORTS, STATES, SYNCS, newest_syncs
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Option, SubmitContext, SubmitFlow
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id, object_request
from airflow_provider_bulkjobs.vendors.toolkit.uploads import csv_pieces
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs_field_of

EMAIL = "C_EmailAddress"
MAX_FIELDS = 100
MAX_PIECE = 32_000_000  # bytes
CSV_HEADERS = {"Content-Type": "text/csv"}
CALLBACK = "callbackUrl"
DEFAULTS = {
    "name": "Airflow import",
    "identifierFieldName": EMAIL,
    "updateRule": "ifNewIsNotNull",  # with Eloqua's default, a field that a record does not have would be cleared
    "autoDeleteDuration": "P7D",
    "isSyncTriggeredOnImport": False,  # its default is unclear; with True, each piece would start a sync
}
# What Eloqua's answers to a piece of data mean, where it differs from the usual.
STAGING_HINTS = {
    404: "The import was deleted, or the piece of data is above Eloqua's limit of 32 MB.",
    413: "The account's space for staged data is used up. Submit again once other imports have been synced or deleted.",
}


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Define an import, stage the data and start the sync.

    Data that was sent twice would be staged twice. If it is unknown whether a piece arrived, the import is deleted, and
    another one defined. If it is unknown whether the sync was started, it is looked up among the newest ones. If it is
    not there, it is started again, and looked up again: the list may have been late, and a second sync finds no data.
    """
    import_id = str(context.progress.get("import", ""))
    is_again = bool(import_id) and context.progress.get("staged") == import_id
    if is_again:
        if sync_id := (yield from _find_sync(import_id)):
            return IDS.join(import_id, sync_id)
    else:
        if import_id:
            yield from withdraw(context.account, context.progress)
        # Idempotent, as an import without data does nothing.
        response = yield object_request("POST", f"{API}{IMPORTS}", _definition(context), idempotent=True)
        import_id = _id_in(response.json, f"{IMPORTS}/")
        yield SaveProgress({"import": import_id}, harmless=True)
        yield from _stage(context, import_id)
        yield SaveProgress({"staged": import_id})
    sync = {"syncedInstanceUri": _uri(import_id)}
    sync |= {CALLBACK: context.options[CALLBACK]} if CALLBACK in context.options else {}
    try:
        started = yield object_request("POST", SYNCS, sync, idempotent=True, once=True)
    except VendorAPIError as error:
        if is_again and error.status == 409:
            raise TransientError("Eloqua has a sync of this import in progress, but does not list it yet") from error
        yield SaveProgress({"staged": ""})
        with suppress(VendorAPIError):
            yield _delete(import_id)
            yield SaveProgress({"import": ""}, harmless=True)
        raise
    sync_id = _id_in(started.json, "/syncs/")
    if is_again:
        sync_id = (yield from _find_sync(import_id)) or sync_id
    return IDS.join(import_id, sync_id)


def _definition(context: SubmitContext) -> Mapping[str, Any]:
    columns = context.payload.columns
    if len(columns) > MAX_FIELDS:
        raise BadArgumentError(
            f"the records have {len(columns)} different fields, and an import of Eloqua at most {MAX_FIELDS}. Select "
            "the fields with columns=[…]"
        )
    statements = context.options.get("fields", {})
    fields = {name: statements.get(name) or f"{{{{Contact.Field({name})}}}}" for name in columns}
    return {**DEFAULTS, **context.options_without(CALLBACK), "fields": fields}


def _stage(context: SubmitContext, import_id: str) -> Flow[None]:
    path = f"{API}{_uri(import_id)}/data"
    try:
        for piece in csv_pieces(context.payload, MAX_PIECE, repeat_header=True):
            yield Request("POST", path, CSV_HEADERS, body=piece, idempotent=True, once=True)
    except VendorAPIError as error:
        raise error.reworded(error.message, hint=STAGING_HINTS.get(error.status or 0)) from None


def withdraw(account: Account, progress: Mapping[str, str | int]) -> Flow[None]:  # noqa: ARG001
    """Delete an import that was never synced, with its data; Eloqua may have deleted it before."""
    with suppress(VendorAPIError):
        yield _delete(str(progress["import"]))


def _delete(import_id: str) -> Request:
    return Request("DELETE", f"{API}{_uri(import_id)}", idempotent=True)


def _find_sync(import_id: str) -> Flow[str | None]:
    """Return the sync of an import; of several the oldest, which had the data."""
    syncs = yield from newest_syncs().read_next()
    found = [sync for sync in syncs if sync.get("syncedInstanceUri") == _uri(import_id)]
    return _id_in(found[-1], "/syncs/") if found else None


def _uri(import_id: str) -> str:
    return f"{IMPORTS}/{path_segment(import_id)}"


def _id_in(body: Mapping[str, Any], path: str) -> str:
    """Return the id of an import or a sync, which is the end of its URI."""
    uri = body.get("uri")
    number = uri.removeprefix(path) if isinstance(uri, str) and uri.startswith(path) else None
    return accepted_job_id(STATES.vendor, {"uri": number}, "uri")


IMPORT = Operation(
    "import",
    submit_import,
    max_items=1_000_000,  # Eloqua documents no number; the size is usually reached first
    max_bytes=250_000_000,  # after which Eloqua advises to sync
    check_by_options=needs_field_of("identifierFieldName", EMAIL),
    is_csv=True,
    withdraw=withdraw,
    options=(
        Option("identifierFieldName", (str,), f"field that identifies a contact (default: {EMAIL})"),
        Option("fields", (dict,), "statements of fields, if the record's names are not Eloqua's internal ones"),
        Option("name", (str,), "name of the import in Eloqua"),
        Option(
            "updateRule",
            (str,),
            "always: empty values clear fields, also those that a record does not have (default: ifNewIsNotNull)",
            choices=("always", "ifNewIsNotNull", "ifExistingIsNull", "useFieldRule"),
        ),
        Option("updateRuleByField", (dict,), "rules by field, with updateRule useFieldRule"),
        Option("importRule", (str,), "what may be changed", choices=("createAndUpdate", "updateOnly", "createOnly")),
        Option("isUpdatingMultipleMatchedRecords", (bool,), "True: all contacts that match are updated"),
        Option("nullIdentifierFieldName", (bool,), "True: the identifier is cleared after it has matched"),
        Option("syncActions", (list,), "up to ten actions, such as adding the contacts to a shared list"),
        Option("importPriorityUri", (str,), "URI of the priority of the import"),
        Option("dataRetentionDuration", (str,), "how long data is kept that is not synced: PT1H to P14D"),
        Option("autoDeleteDuration", (str,), "after which the definition is deleted (default: P7D)"),
        Option(CALLBACK, (str,), "your URL, called at the end of the sync"),
    ),
    # The same import again updates the same contacts to the same values.
    idempotent=True,
)
