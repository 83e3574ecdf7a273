# SPDX-License-Identifier: Apache-2.0
"""Zoho CRM submits: upload a zipped CSV file, and create a job of it.

https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/upload-file.html
https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/create-job.html
https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/limitations.html
"""

from __future__ import annotations

import io
from functools import partial
from typing import Any

from airflow_provider_bulkjobs.exceptions import BadArgumentError, TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request
from airflow_provider_bulkjobs.vendors.spec.body_path import text_at
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Option, SubmitContext, SubmitFlow
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dicts
from airflow_provider_bulkjobs.vendors.toolkit.submits import object_request, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.uploads import FilePart, multipart, zipped
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs_field_of
from airflow_provider_bulkjobs.vendors.zoho_crm.jobs import STATES, WRITE

ORGANIZATION = "/crm/v8/org"
ORGANIZATION_AGE = 3600.0  # seconds; the id of an organization does not change
UPLOAD_PATH = "/crm/v8/upload"
UPLOADED = "FILE_UPLOAD_SUCCESS"
MAX_COLUMNS = 200
OF_RESOURCE = ("module", "find_by", "field_mappings")  # the other options are members of the whole request


def submit(operation: str, context: SubmitContext) -> SubmitFlow:
    """Upload the records, and create a job.

    Creating it costs 500 credits, and a lost job id cannot be found again: so that request is never repeated if its
    outcome is unknown, whatever the operation. A file without a job does nothing, so the upload may be repeated.

    :raises BadArgumentError: the records have too many columns, or no column for a mapping.
    """
    options = context.options
    resource = {"type": "data", "module": {"api_name": options["module"]}, "field_mappings": _mappings(context)}
    if "find_by" in options:
        resource["find_by"] = options["find_by"]
    rest = context.options_without(*OF_RESOURCE)
    resource["file_id"] = yield from _upload(context)
    body = {"operation": operation, "character_encoding": "UTF-8", "ignore_empty": True, **rest, "resource": [resource]}
    return (yield from submit_request(STATES.vendor, object_request("POST", WRITE, body), "details.id"))


def upload_url(account: Account) -> str:
    """Return the URL of uploads, which are on another host than the API."""
    return f"https://content.zohoapis.{account['region']}{UPLOAD_PATH}"


def _upload(context: SubmitContext) -> Flow[str]:
    """Upload the file; return its id. Zoho documents failures with status 200."""
    organization = text_at((yield Request("GET", ORGANIZATION, max_age=ORGANIZATION_AGE)).json, "org.zgid")
    if not organization:
        raise TransientError(f"{STATES.vendor} response has no id of the organization (zgid)")
    archive = zipped("records.csv", context.payload.data)
    form = multipart({}, FilePart("file", "records.zip", "application/zip", lambda: io.BytesIO(archive)))
    headers = {"Content-Type": form.content_type, "feature": "bulk-write", "X-CRM-ORG": organization}
    body = (yield Request("POST", upload_url(context.account), headers, body=form.data, idempotent=True)).json
    file_id = text_at(body, "details.file_id")
    if body.get("code") != UPLOADED or not file_id:
        raise TransientError(f"{STATES.vendor} response to an upload does not have the code {UPLOADED} and a file id")
    return file_id


def _mappings(context: SubmitContext) -> list[dict[str, Any]]:
    """Return the mappings: one for each column, which has the name of the field, and those of default values."""
    columns = context.payload.columns
    if len(columns) > MAX_COLUMNS:
        raise BadArgumentError(
            f"the records have {len(columns)} columns, and Zoho CRM takes {MAX_COLUMNS}: select some with columns"
        )
    given = {str(each.get("api_name")): each for each in as_dicts(context.options.get("field_mappings"))}
    mappings = [{**given.pop(name, {}), "api_name": name, "index": index} for index, name in enumerate(columns)]
    if missing := [name for name, mapping in given.items() if "default_value" not in mapping]:
        raise BadArgumentError(
            f"option 'field_mappings' has {missing[0]!r}, which is no column of the records: each of its members needs "
            "the 'api_name' of a column, or a 'default_value'"
        )
    return [*mappings, *map(dict, given.values())]


MODULE = Option("module", (str,), "API name of the module: Contacts, Leads, a custom one …", required=True)
FIND_BY = Option("find_by", (str,), "unique field that identifies a record (Email …), or id", required=True)
OTHERS = (
    Option("ignore_empty", (bool,), "False: empty values clear fields (default: True)"),
    Option(
        "field_mappings",
        (list,),
        "what some columns need besides their name: api_name with format (of dates) or find_by (of lookups); "
        "api_name with default_value for fields without a column",
    ),
    Option("callback", (dict,), "url, and method post: your URL, called at the end of each job"),
)
_operation = partial(Operation, max_items=25_000, max_bytes=25_000_000, is_csv=True)
_existing = partial(_operation, check_by_options=needs_field_of("find_by"), options=(MODULE, FIND_BY, *OTHERS))
OPERATIONS = (
    _existing("upsert", partial(submit, "upsert")),
    _operation("insert", partial(submit, "insert"), options=(MODULE, *OTHERS)),
    _existing("update", partial(submit, "update")),
)
