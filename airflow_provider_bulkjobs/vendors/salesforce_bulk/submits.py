# SPDX-License-Identifier: Apache-2.0
"""Salesforce submits: create a job, upload one file, close the job. Nothing runs before the job is closed.

https://developer.salesforce.com/docs/platform/api-asynch/guide/create-job.html
https://developer.salesforce.com/docs/platform/api-asynch/guide/upload-job-data.html
https://developer.salesforce.com/docs/platform/api-asynch/guide/close-job.html
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from airflow_provider_bulkjobs.exceptions import VendorAPIError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, SaveProgress
from airflow_provider_bulkjobs.vendors.salesforce_bulk.jobs import INGEST, STATES, STATUS, abort, change_state, job_path
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    every,
)
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id, object_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs, needs_field_of
from airflow_provider_bulkjobs.vendors.toolkit.values import safe_names

FORMAT = {"contentType": "CSV", "lineEnding": "CRLF", "columnDelimiter": "COMMA"}
MAX_CELL = 32_000  # characters
MAX_RECORD = 400_000  # characters


def submit(operation: str, context: SubmitContext) -> SubmitFlow:
    """Create a job, upload the file, and close the job.

    A job takes one upload. If it is unknown whether the file arrived, the job is aborted, and another one created.
    """
    saved = str(context.progress.get("job_id", ""))
    if saved and context.progress.get("uploaded") == saved:
        job_id = saved
    else:
        if saved:
            yield from withdraw(context.account, context.progress)
        body = {**context.options, "operation": operation, **FORMAT}
        # Idempotent, as without the third request the job does nothing.
        response = yield object_request("POST", INGEST, body, idempotent=True)
        job_id = accepted_job_id(STATES.vendor, response.json, "id")
        yield SaveProgress({"job_id": job_id}, harmless=True)
        headers = {"Content-Type": "text/csv"}
        path = f"{job_path(job_id)}/batches"
        yield Request("PUT", path, headers, open=context.payload.open, idempotent=True, once=True)
        yield SaveProgress({"uploaded": job_id})
    try:
        yield change_state(job_id, "UploadComplete")
    except VendorAPIError:  # also if an earlier request, whose response was lost, has closed the job
        if (yield from STATUS(context.account, job_id)).vendor_state != "Open":
            return job_id
        with suppress(VendorAPIError):
            yield from abort(context.account, job_id)
            yield SaveProgress({"job_id": "", "uploaded": ""}, harmless=True)  # it cannot be closed any more
        raise
    return job_id


def withdraw(account: Account, progress: Mapping[str, str | int]) -> Flow[None]:
    """Abort a job that was never closed, so that it is not left open; it may be gone, or aborted, already."""
    with suppress(VendorAPIError):
        yield from abort(account, str(progress["job_id"]))


def _check_lengths(record: Record) -> str | None:
    lengths = {name: len(value) for name, value in record.items() if isinstance(value, str)}
    if too_long := [name for name, length in lengths.items() if length > MAX_CELL]:
        return f"has more than {MAX_CELL:,} characters in {safe_names(too_long, 'and')}"
    return f"has more than {MAX_RECORD:,} characters" if sum(lengths.values()) > MAX_RECORD else None


def _check_only_id(record: Record) -> str | None:
    others = sorted(map(str, record.keys() - {"Id"}))
    return f"has {safe_names(others, 'and')}: a delete takes only 'Id' (columns=['Id'])" if others else None


OBJECT = Option("object", (str,), "API name of the object: Contact, Lead, a custom object as Thing__c …", required=True)
RULE = Option("assignmentRuleId", (str,), "id of the assignment rule, for cases and leads")
EXTERNAL_ID = Option(
    "externalIdFieldName", (str,), "API name of the field that identifies a record; each record needs it", required=True
)
_operation = partial(
    Operation,
    max_items=150_000_000,  # the org's limit for 24 hours; the size is reached first
    max_bytes=100_000_000,  # the limit is 150 MB encoded as Base64; Salesforce advises 100 MB before that
    is_csv=True,
    withdraw=withdraw,
)
OPERATIONS = (
    _operation(
        "upsert",
        partial(submit, "upsert"),
        check=_check_lengths,
        check_by_options=needs_field_of("externalIdFieldName"),
        options=(OBJECT, EXTERNAL_ID, RULE),
        idempotent=True,
    ),
    # Not idempotent: another job would create the records again.
    _operation("insert", partial(submit, "insert"), check=_check_lengths, options=(OBJECT, RULE)),
    _operation(
        "update",
        partial(submit, "update"),
        check=every(needs("Id"), _check_lengths),
        options=(OBJECT, RULE),
        idempotent=True,
    ),
    *(
        _operation(
            name,
            partial(submit, word),
            check=every(needs("Id"), _check_only_id),
            options=(OBJECT,),
            idempotent=True,
        )
        for name, word in (("delete", "delete"), ("hard_delete", "hardDelete"))
    ),
)
