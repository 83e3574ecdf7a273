# SPDX-License-Identifier: Apache-2.0
"""Marketo submits: a CSV file of leads, program members or custom objects. Marketo creates or updates; nothing else.

https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/bulk-import/bulk-import
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from urllib.parse import urlencode

from airflow_provider_bulkjobs.protocol.flow import Request, Response, path_segment
from airflow_provider_bulkjobs.vendors.marketo.jobs import OBJECT_ID, RESULT, STATES
from airflow_provider_bulkjobs.vendors.spec.body_path import value_at
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Check,
    Operation,
    Option,
    Options,
    Record,
    SubmitContext,
    SubmitFlow,
    every,
)
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id
from airflow_provider_bulkjobs.vendors.toolkit.uploads import FilePart, multipart
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs
from airflow_provider_bulkjobs.vendors.toolkit.values import safe_names

LEADS_PATH = "/bulk/v1/leads.json"


def import_leads(context: SubmitContext) -> SubmitFlow:
    """Submit leads; the options are parameters of the query."""
    return _batch_id((yield _upload(LEADS_PATH, {"format": "csv", **context.options}, context)))


def import_members(context: SubmitContext) -> SubmitFlow:
    """Submit members of a program."""
    options = dict(context.options)
    path = f"/bulk/v1/program/{_segment(options.pop('programId'))}/members/import.json"
    # In upper case, unlike the other formats: so it is in Marketo's specification of this endpoint.
    return _batch_id((yield _upload(path, {"format": "CSV", **options}, context)))


def import_objects(context: SubmitContext) -> SubmitFlow:
    """Submit custom objects of one type, whose name is a part of the job id."""
    name = context.options["apiName"]
    path = f"/bulk/v1/customobjects/{_segment(name)}/import.json"
    return OBJECT_ID.join(name, _batch_id((yield _upload(path, {"format": "csv"}, context))))


def _upload(path: str, query: Mapping[str, object], context: SubmitContext) -> Request:
    form = multipart({}, FilePart("file", "records.csv", "text/csv", context.payload.open))
    return Request("POST", f"{path}?{urlencode(query)}", {"Content-Type": form.content_type}, body=form.data)


def _batch_id(response: Response) -> str:
    return accepted_job_id(STATES.vendor, as_dict(value_at(response.json, RESULT)), "batchId")


def _segment(value: object) -> str:
    return path_segment(str(value))


def _check_names(record: Record) -> str | None:
    # Marketo accepts such a file, and then each of its rows fails.
    wrong = [name.strip() for name in record if name != name.strip()]
    return f"has blanks around the name of {safe_names(wrong, 'and')}: remove them" if wrong else None


def _needs_lookup_field(options: Options) -> Check:
    return needs(options.get("lookupField") or "email")


_operation = partial(
    Operation,
    "import",
    max_items=1_000_000,  # Marketo documents no number: the size is reached first
    max_bytes=10_000_000,  # of a file, which has to be smaller
    is_csv=True,
    # Not idempotent: each request starts another import, which may trigger campaigns again.
)
LEADS_IMPORT = _operation(
    import_leads,
    check=_check_names,
    check_by_options=_needs_lookup_field,
    options=(
        Option("lookupField", (str,), "field by which leads are found (default: email); id only updates leads"),
        Option("listId", (int, str), "id of a static list to add the leads to"),
        Option("partitionName", (str,), "name of the lead partition"),
    ),
)
MEMBERS_IMPORT = _operation(
    import_members,
    check=every(_check_names, needs("email")),
    options=(
        Option("programId", (int, str), "id of the program", required=True),
        Option("programMemberStatus", (str,), "status of the members in the program: On List …", required=True),
    ),
)
OBJECTS_IMPORT = _operation(
    import_objects,
    check=_check_names,
    options=(Option("apiName", (str,), "API name of the custom object: membership_c …", required=True),),
)
