# SPDX-License-Identifier: Apache-2.0
"""HubSpot imports: submit, status, failed rows, cancel.

https://developers.hubspot.com/docs/api/crm/imports
https://developers.hubspot.com/docs/api-reference/latest/crm/imports/get-imports
https://github.com/HubSpot/HubSpot-public-api-spec-collection (CRM, Imports, v3)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.spec.errors import Message, read_messages
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
from airflow_provider_bulkjobs.vendors.spec.value_formats import ValueFormats
from airflow_provider_bulkjobs.vendors.toolkit.paging import Cursor, Pages, list_pages
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint, as_dict, as_dicts
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id, column_mappings, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.uploads import FilePart, multipart
from airflow_provider_bulkjobs.vendors.toolkit.validators import identifies_if_given, needs_any

DOCS_URL = "https://developers.hubspot.com/docs/api/crm/imports"
IMPORTS_PATH = "/crm/v3/imports"
CONTACTS = "0-1"
COMPANIES = "0-2"
RECORD_ID = "hs_object_id"
OBJECT_ID, ALTERNATE_ID = "HUBSPOT_OBJECT_ID", "HUBSPOT_ALTERNATE_ID"  # column types that HubSpot matches records by
FILE_NAME = "records.csv"
MESSAGES = (Message("errorMessage"), Message("extraContext"))
MAX_PAGES = 1000  # of errors; with more pages, the number of failed rows is unknown
MAX_LIST_PAGES = 50  # of imports

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


STATUS = StatusEndpoint(f"{IMPORTS_PATH}/{{job_id}}", STATES, times={"created_at": "createdAt"})


def errors_of(job_id: str, more: str = "") -> Pages:
    """Return the pages of an import's errors.

    :param more: additional query parameters.
    """
    return _pages("import errors", f"{_path(job_id)}/errors?limit=100{more}", MAX_PAGES)


def import_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request an import and, once it is done, count the rows with errors.

    A row with an error counts as failed, even if HubSpot imported its other columns.
    """
    job = yield from STATUS(account, job_id)
    if job.state is not JobState.SUCCEEDED:
        return job
    rows: set[tuple[Any, ...]] = set()
    errors = errors_of(job_id)
    while errors.has_next:
        rows.update(map(_row, (yield from errors.read_next())))
    state = job.state if errors.is_complete and not rows else JobState.PARTIALLY_FAILED
    # An error without a line number, or with line 0, concerns the whole file.
    return replace(
        job, state=state, failed=len(rows) if errors.is_complete and all(line for *_, line in rows) else None
    )


def import_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield the errors of an import with their rows, page by page; a row may have several."""
    columns = _columns((yield from STATUS.finished(account, job_id)))
    errors = errors_of(job_id, "&includeErrorMessage=true&includeRowData=true")
    rows: set[tuple[Any, ...]] = set()
    while errors.has_next:
        results = []
        for error in (yield from errors.read_next()):
            row = _row(error)
            record = {} if row in rows and row[-1] else _record(columns, error)
            rows.add(row)
            message = read_messages(MESSAGES, error) or read_messages((Message("errorType"),), error)
            results.append(ItemResult("failed", message, error, record))
        yield results
    errors.require_complete()


def cancel_import(account: Account, job_id: str) -> Flow[None]:  # noqa: ARG001
    """Cancel an import; rows that were already imported remain."""
    yield Request("POST", f"{_path(job_id)}/cancel")


def find_import(account: Account, marker: str) -> Flow[str | None]:  # noqa: ARG001
    """Return the id of the import that has the marker in its name.

    HubSpot returns the name as it was given (``importName``). The list may have active imports only, so an import that
    is not listed proves nothing.
    """
    imports = _pages("imports", f"{IMPORTS_PATH}?limit=100", MAX_LIST_PAGES)
    while imports.has_next:
        for found in (yield from imports.read_next()):
            if str(found.get("importName")).endswith(_suffix(marker)):
                return accepted_job_id(STATES.vendor, found, "id")
    return None


def submit(import_type: str, context: SubmitContext) -> SubmitFlow:
    """Upload a table, with a mapping for each of its columns."""
    options, payload = context.options, context.payload
    object_type = options.get("columnObjectTypeId") or CONTACTS
    # A create matches no records, but HubSpot still keeps the e-mail addresses of contacts unique.
    identifiers = identifiers_of(object_type) if import_type != "CREATE" or object_type == CONTACTS else {}
    mappings = column_mappings(context, "columnMappings")
    if mappings is None:
        mappings = [_mapping(object_type, column, identifiers) for column in payload.columns]
    page = {"hasHeader": True, "columnMappings": mappings}
    request = {
        "name": "Airflow",
        **context.options_without(*ON_COLUMNS),
        "importOperations": {object_type: import_type},
        "files": [{"fileName": FILE_NAME, "fileFormat": "CSV", "fileImportPage": page}],
    }
    request["name"] += _suffix(context.marker)
    form = multipart({"importRequest": json.dumps(request)}, FilePart("files", FILE_NAME, "text/csv", payload.open))
    upload = Request("POST", IMPORTS_PATH, {"Content-Type": form.content_type}, body=form.data)
    return (yield from submit_request(STATES.vendor, upload, "id"))


def _pages(what: str, path: str, max_pages: int) -> Pages:
    """Return the pages of a list: of what, for messages."""
    following = Cursor("paging.next", "after", key="after")
    return list_pages(STATES.vendor, what, path, items="results", following=following, max_pages=max_pages)


def _suffix(marker: str) -> str:
    return f" ({marker})" if marker else ""


def _path(job_id: str) -> str:
    return f"{IMPORTS_PATH}/{path_segment(job_id)}"


def _row(error: Mapping[str, Any]) -> tuple[str, str, int | None]:
    source = as_dict(error.get("sourceData"))
    return str(source.get("fileId")), str(source.get("pageName")), count(source.get("lineNumber"))


def _columns(body: Mapping[str, Any]) -> list[str]:
    """Return the columns of an import from its request, which is an object, or the same as text."""
    request = body.get("importRequestJson")
    with suppress(ValueError, RecursionError):
        request = json.loads(request) if isinstance(request, str) else request
    pages = [as_dict(file.get("fileImportPage")) for file in as_dicts(as_dict(request).get("files"))]
    return [str(each.get("columnName")) for page in pages for each in as_dicts(page.get("columnMappings"))]


def _record(columns: list[str], error: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the record of a row with an error, or ``None`` if HubSpot does not return all its cells."""
    source = as_dict(error.get("sourceData"))
    cells = source.get("rowData")
    if not isinstance(cells, list) or len(cells) != len(columns) or source.get("containsEncryptedProperties"):
        return None
    return {name: cell for name, cell in zip(columns, cells, strict=True) if cell is not None and cell != ""} or None


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
        marked = [each for each in as_dicts(mappings) if each.get("columnType") in (OBJECT_ID, ALTERNATE_ID)]
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


def _formats(options: Options) -> ValueFormats:
    """Return the format of dates, which is the one that the import declares.

    Without the option, dates are refused: HubSpot would read some as others.
    """
    pattern = DATE_FORMATS.get(str(options.get("dateFormat")))
    remedy = f"set the option dateFormat ({', '.join(DATE_FORMATS)}), by which HubSpot reads dates"
    return ValueFormats(date=None if pattern is None else pattern.format, date_remedy=remedy)


DATE_FORMATS = {
    "YEAR_MONTH_DAY": "{0.year:04}-{0.month:02}-{0.day:02}",
    "MONTH_DAY_YEAR": "{0.month:02}/{0.day:02}/{0.year:04}",
    "DAY_MONTH_YEAR": "{0.day:02}/{0.month:02}/{0.year:04}",
}
ON_COLUMNS = ("columnObjectTypeId", "columnMappings")
_operation = partial(
    Operation,
    max_items=1_000_000,  # HubSpot's limit is 1,048,576 rows per file; max_bytes is usually reached first
    options=(
        Option("name", (str,), "name of the import in HubSpot (default: Airflow), to which a unique text is added"),
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
    formats=_formats,
    columns_option="columnMappings",
    is_csv=True,
    find=find_import,
)
# Not idempotent: each request creates a new import, and a new list if the option for it is set.
OPERATIONS = (
    _operation("upsert", partial(submit, "UPSERT"), check_by_options=_needs_identifier),
    _operation("create", partial(submit, "CREATE")),
    _operation("update", partial(submit, "UPDATE"), check_by_options=_needs_identifier),
)
