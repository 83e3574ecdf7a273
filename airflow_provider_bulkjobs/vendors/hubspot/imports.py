# SPDX-License-Identifier: Apache-2.0
"""HubSpot imports: submit, status, failed rows, cancel.

https://developers.hubspot.com/docs/api/crm/imports
https://github.com/HubSpot/HubSpot-public-api-spec-collection (CRM, Imports, v3)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from airflow_provider_bulkjobs.exceptions import BadArgumentError, TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count, utc_time
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Check,
    Operation,
    Option,
    Options,
    Record,
    SubmitContext,
    SubmitFlow,
)
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.toolkit.paging import Pages
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict, request_details, require_finished
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id
from airflow_provider_bulkjobs.vendors.toolkit.validators import identifies_if_given, needs_any

DOCS_URL = "https://developers.hubspot.com/docs/api/crm/imports"
IMPORTS_PATH = "/crm/v3/imports"
CONTACTS = "0-1"
COMPANIES = "0-2"
RECORD_ID = "hs_object_id"
OBJECT_ID, ALTERNATE_ID = "HUBSPOT_OBJECT_ID", "HUBSPOT_ALTERNATE_ID"  # column types that HubSpot matches records by
FILE_NAME = "records.csv"
MAX_PAGES = 1000  # of errors; with more pages, the number of failed rows is unknown

STATES = States(
    "HubSpot",
    DOCS_URL,
    "state",
    {
        "STARTED": JobState.PENDING,
        "DEFERRED": JobState.PENDING,
        "PROCESSING": JobState.RUNNING,
        "DONE": JobState.SUCCEEDED,  # or partially failed: depends on the list of errors
        "FAILED": JobState.FAILED,
        "CANCELED": JobState.CANCELED,
        "REVERTED": JobState.FAILED,  # completed, then undone by a user
    },
)


def errors_of(job_id: str, more: str = "") -> Pages:
    """Return the pages of an import's errors.

    :param more: additional query parameters.
    """
    read = partial(_read_errors, f"{_path(job_id)}/errors?limit=100{more}")
    return Pages("HubSpot: the list of import errors", read, max_pages=MAX_PAGES)


def _read_errors(path: str, after: str) -> Flow[tuple[list[Any], str | None]]:
    """Request a page of errors; return them, and the cursor of the next page."""
    page = yield from request_details(STATES.vendor, f"{path}&after={quote(after, safe='')}" if after else path)
    errors = page.get("results")
    if not isinstance(errors, list):
        # The list is the only source of failures, so a missing one must not count as "no failures".
        raise TransientError("HubSpot response has no list of import errors")
    return [as_dict(error) for error in errors], _next_cursor(page)


def _next_cursor(page: Mapping[str, Any]) -> str | None:
    """Return the cursor of the next page.

    :raises TransientError: the response announces a next page without a valid cursor.
    """
    paging = page.get("paging")
    if paging is None:
        return None
    if isinstance(paging, dict):
        following = paging.get("next")
        if following is None:
            return None
        after = as_dict(following).get("after")
        if isinstance(after, str | int) and not isinstance(after, bool) and after != "":
            return str(after)
    raise TransientError("HubSpot response has no valid 'after' cursor for the next page of errors")


def import_status(account: Account, job_id: str) -> Flow[BulkJob]:  # noqa: ARG001
    """Request an import and, once it is done, count the rows with errors.

    A row with an error counts as failed, even if HubSpot imported its other columns.
    """
    body = (yield Request("GET", _path(job_id))).json
    state, word = STATES.read(body)
    failed: int | None = None
    if state is JobState.SUCCEEDED:
        rows: set[tuple[Any, ...]] = set()
        errors = errors_of(job_id)
        while errors.has_next:
            rows.update(_row(error) for error in (yield from errors.read_next()))
        state = state if errors.is_complete and not rows else JobState.PARTIALLY_FAILED
        # An error without a line number, or with line 0, concerns the whole file.
        failed = len(rows) if errors.is_complete and all(line for *_, line in rows) else None
    return BulkJob(job_id, state, word, failed=failed, created_at=utc_time(body.get("createdAt")))


def import_results(account: Account, job_id: str) -> ResultsFlow:  # noqa: ARG001
    """Yield the errors of an import with their rows, page by page; a row may have several."""
    require_finished(STATES, (yield Request("GET", _path(job_id))).json)
    errors = errors_of(job_id, "&includeErrorMessage=true&includeRowData=true")
    while errors.has_next:
        yield [ItemResult("failed", _error_message(error), error) for error in (yield from errors.read_next())]
    errors.require_complete()


def cancel_import(account: Account, job_id: str) -> Flow[None]:  # noqa: ARG001
    """Cancel an import; rows that were already imported remain."""
    yield Request("POST", f"{_path(job_id)}/cancel")


def submit(import_type: str, context: SubmitContext) -> SubmitFlow:
    """Upload a table, with a mapping for each of its columns."""
    options, payload = context.options, context.payload
    object_type = options.get("columnObjectTypeId") or CONTACTS
    # A create matches no records, but HubSpot still keeps the e-mail addresses of contacts unique.
    identifiers = identifiers_of(object_type) if import_type != "CREATE" or object_type == CONTACTS else {}
    mappings = options.get("columnMappings") or [
        _mapping(object_type, column, identifiers) for column in payload.columns
    ]
    if len(mappings) != len(payload.columns):
        raise BadArgumentError(
            f"option 'columnMappings' has {len(mappings)} entries for {len(payload.columns)} columns: give one for each"
        )
    page = {"hasHeader": True, "columnMappings": mappings}
    request = {
        "name": "Airflow",
        **{name: value for name, value in options.items() if name not in ON_COLUMNS},
        "importOperations": {object_type: import_type},
        "files": [{"fileName": FILE_NAME, "fileFormat": "CSV", "fileImportPage": page}],
    }
    content_type, body = _multipart(json.dumps(request).encode(), payload.data)
    response = yield Request("POST", IMPORTS_PATH, {"Content-Type": content_type}, body=body)
    return accepted_job_id("HubSpot", response.json, "id")


def _path(job_id: str) -> str:
    return f"{IMPORTS_PATH}/{path_segment(job_id)}"


def _row(error: Mapping[str, Any]) -> tuple[str, str, int | None]:
    source = as_dict(error.get("sourceData"))
    return str(source.get("fileId")), str(source.get("pageName")), count(source.get("lineNumber"))


def _error_message(error: Mapping[str, Any]) -> str | None:
    messages = [str(error[key]) for key in ("errorMessage", "extraContext") if error.get(key)]
    return "; ".join(messages) or (str(error["errorType"]) if error.get("errorType") else None)


def identifiers_of(object_type: str) -> dict[str, str]:
    """Return the properties that HubSpot matches records by, with the column type that marks them."""
    alternate = {CONTACTS: "email", COMPANIES: "domain"}.get(object_type)
    return {RECORD_ID: OBJECT_ID} | ({alternate: ALTERNATE_ID} if alternate else {})


def _needs_identifier(options: Options) -> Check:
    """Require a value in a column that HubSpot matches records by: otherwise HubSpot would create duplicates.

    :raises BadArgumentError: the column mappings mark no such column.
    """
    object_type = options.get("columnObjectTypeId") or CONTACTS
    names = list(identifiers_of(object_type))
    if mappings := options.get("columnMappings"):
        marked = [as_dict(each) for each in mappings if as_dict(each).get("columnType") in {OBJECT_ID, ALTERNATE_ID}]
        names = [str(each.get("columnName")) for each in marked if each.get("columnObjectTypeId") == object_type]
    if not names:
        raise BadArgumentError(
            f"option 'columnMappings' marks no column of object type {object_type!r} as the identifier, so HubSpot "
            f"would match no records. Set 'columnType' to {OBJECT_ID} or {ALTERNATE_ID} in the mapping of one column."
        )
    has_identifier = needs_any(*names)

    def check(record: Record) -> str | None:
        problem = has_identifier(record)
        return f"{problem}, by which HubSpot matches records" if problem else None

    return check


def _mapping(object_type: str, column: str, identifiers: Mapping[str, str]) -> dict[str, str]:
    column_type = {"columnType": identifiers[column]} if column in identifiers else {}
    return {"columnObjectTypeId": object_type, "columnName": column, "propertyName": column, **column_type}


def _multipart(request: bytes, file: bytes) -> tuple[str, bytes]:
    """Return the content type and the body of a form with the import request and its file."""
    boundary = hashlib.blake2b(
        request + file, digest_size=16
    ).hexdigest()  # neither of them can contain this hash of both
    head = 'Content-Disposition: form-data; name="'
    body = (
        f'--{boundary}\r\n{head}importRequest"\r\n\r\n'.encode()
        + request
        + f'\r\n--{boundary}\r\n{head}files"; filename="{FILE_NAME}"\r\nContent-Type: text/csv\r\n\r\n'.encode()
        + file
        + f"\r\n--{boundary}--\r\n".encode()
    )
    return f"multipart/form-data; boundary={boundary}", body


ON_COLUMNS = ("columnObjectTypeId", "columnMappings")
_operation = partial(
    Operation,
    max_items=1_000_000,  # HubSpot's limit is 1,048,576 rows per file; max_bytes is usually reached first
    options=(
        Option("name", (str,), "name of the import in HubSpot"),
        Option("columnObjectTypeId", (str,), "object type of the records: 0-1 contacts (default), 0-2 companies …"),
        Option(
            "columnMappings",
            (list,),
            "mapping of each column to a property, with the columnType of the identifier; not needed if the columns "
            "are named like the properties",
        ),
        Option("dateFormat", (str,), "format of dates: MONTH_DAY_YEAR, DAY_MONTH_YEAR …"),
        Option("marketableContactImport", (bool,), "True: the contacts become marketing contacts"),
        Option("createContactListFromImport", (bool,), "True: HubSpot creates a list of the imported contacts"),
    ),
    check=identifies_if_given("email", "domain", "hs_object_id"),
    columns_option="columnMappings",
    is_csv=True,
)
# Not idempotent: each request creates a new import, and a new list if the option for it is set.
OPERATIONS = (
    _operation("upsert", partial(submit, "UPSERT"), check_by_options=_needs_identifier),
    _operation("create", partial(submit, "CREATE")),
    _operation("update", partial(submit, "UPDATE"), check_by_options=_needs_identifier),
)
