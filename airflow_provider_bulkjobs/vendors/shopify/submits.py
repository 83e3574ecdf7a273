# SPDX-License-Identifier: Apache-2.0
"""Shopify submits: stage a file with the variables of each mutation, then start an operation that runs them.

https://shopify.dev/docs/api/usage/bulk-operations/imports
https://shopify.dev/docs/api/admin-graphql/latest/mutations/customerSet
https://shopify.dev/docs/api/admin-graphql/latest/mutations/customerCreate
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

from airflow_provider_bulkjobs.exceptions import TransientError
from airflow_provider_bulkjobs.protocol.flow import Upload
from airflow_provider_bulkjobs.vendors.shopify.graphql import graphql, read
from airflow_provider_bulkjobs.vendors.shopify.jobs import STATES
from airflow_provider_bulkjobs.vendors.spec.body_path import find, value_at
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Check,
    Operation,
    Option,
    Options,
    Record,
    SubmitContext,
    SubmitFlow,
    encode_json,
)
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict
from airflow_provider_bulkjobs.vendors.toolkit.submits import submit_request
from airflow_provider_bulkjobs.vendors.toolkit.uploads import FilePart, multipart
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs, needs_any

IDENTIFIER, EMAIL = "identifier", "email"
FILE_NAME, MIME_TYPE = "records.jsonl", "text/jsonl"
STAGE = (
    "mutation($input: [StagedUploadInput!]!) { stagedUploadsCreate(input: $input) "
    "{ stagedTargets { url parameters { name value } } userErrors { field message } } }"
)
RUN = "bulkOperationRunMutation"
START = (
    f"mutation($mutation: String!, $path: String!) {{ {RUN}(mutation: $mutation, stagedUploadPath: $path) "
    "{ bulkOperation { id status } userErrors { code field message } } }"
)
# Errors that are not selected would not be in the file of results. CustomerCreate's have no code.
CUSTOMER_SET = (
    "mutation call($identifier: CustomerSetIdentifiers, $input: CustomerSetInput!) "
    "{ customerSet(identifier: $identifier, input: $input) { customer { id } userErrors { code field message } } }"
)
CUSTOMER_CREATE = (
    "mutation call($input: CustomerInput!) "
    "{ customerCreate(input: $input) { customer { id } userErrors { field message } } }"
)


def submit(mutation: str, context: SubmitContext) -> SubmitFlow:
    """Stage the file and start the operation. Without the last request, a staged file does nothing.

    :param mutation: the mutation to run for each line of the file.
    """
    path = yield from _stage(context)
    request = graphql(context.account, START, mutation=mutation, path=path)
    return (yield from submit_request(STATES.vendor, request, f"data.{RUN}.bulkOperation.id"))


def _stage(context: SubmitContext) -> SubmitFlow:
    """Upload the file, without the access token; return its path in the storage."""
    file = {"resource": "BULK_MUTATION_VARIABLES", "filename": FILE_NAME, "mimeType": MIME_TYPE, "httpMethod": "POST"}
    request = graphql(context.account, STAGE, input=[{**file, "fileSize": str(context.payload.size)}])
    body = read(context.account, (yield replace(request, idempotent=True)))
    target = as_dict(value_at(body, "data.stagedUploadsCreate.stagedTargets.0"))
    fields = {str(each.get("name")): str(each.get("value")) for each in map(as_dict, find(target, "parameters"))}
    if not target.get("url") or not fields.get("key"):
        raise TransientError(f"{STATES.vendor} response has no address for the upload")
    form = multipart(fields, FilePart("file", FILE_NAME, MIME_TYPE, context.payload.open))
    yield Upload(str(target["url"]), {"Content-Type": form.content_type}, form.open, "POST")
    return fields["key"]


def _encode_set(record: Record) -> bytes:
    name = record.get(IDENTIFIER, EMAIL)
    customer = {field: value for field, value in record.items() if field != IDENTIFIER}
    return encode_json({IDENTIFIER: {name: record.get(name)}, "input": customer})


def _needs_identifier(options: Options) -> Check:
    """Require the field that identifies a customer, which a record may name itself."""
    default = options.get(IDENTIFIER, EMAIL)
    return lambda record: needs(str(record.get(IDENTIFIER) or default))(record)


def _encode_create(record: Record) -> bytes:
    return encode_json({"input": record})


def _decode(data: bytes) -> Record:
    customer: Record = json.loads(data)["input"]
    return customer


_operation = partial(
    Operation,
    max_items=10_000_000,  # Shopify documents no number: the size is reached first
    max_bytes=100_000_000,
    check=needs_any(EMAIL, "phone"),
    header_names=(EMAIL, "phone"),
    separator=b"\n",
    decode=_decode,
)
OPERATIONS = (
    _operation(
        "upsert",
        partial(submit, CUSTOMER_SET),
        check_by_options=_needs_identifier,
        options=(
            Option(IDENTIFIER, (str,), "field that identifies a customer (default: email)", choices=(EMAIL, "phone")),
        ),
        per_record_options=(IDENTIFIER,),
        encode=_encode_set,
        idempotent=True,
    ),
    # Not idempotent: a second operation fails for each customer that the first has created.
    _operation("create", partial(submit, CUSTOMER_CREATE), encode=_encode_create),
)
