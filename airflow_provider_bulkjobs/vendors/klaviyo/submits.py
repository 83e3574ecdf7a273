# SPDX-License-Identifier: Apache-2.0
"""Klaviyo submits: the bulk import of profiles.

https://developers.klaviyo.com/en/reference/bulk_import_profiles
"""

from __future__ import annotations

import json

from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.vendors.klaviyo.jobs import JOBS_PATH
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    encode_json,
    every,
)
from airflow_provider_bulkjobs.vendors.toolkit.status import as_list
from airflow_provider_bulkjobs.vendors.toolkit.submits import submit_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs_any, objects, only_fields

MEDIA_TYPE = "application/vnd.api+json"
IDENTITIES = ("id", "email", "phone_number", "external_id", "_kx")
ATTRIBUTES = ("first_name", "last_name", "organization", "locale", "title", "image", "location", "properties")


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Submit profiles, and add them to the lists in the options."""
    lists = [{"type": "list", "id": str(one)} for one in as_list(context.options.get("lists"))]
    relationships = b',"relationships":%b' % encode_json({"lists": {"data": lists}}) if lists else b""
    body = b'{"data":{"type":"profile-bulk-import-job","attributes":{"profiles":{"data":[%b]}}%b}}'
    body = body % (context.payload.data, relationships)
    request = Request("POST", JOBS_PATH, {"Content-Type": MEDIA_TYPE}, body=body)
    return (yield from submit_request("Klaviyo", request, "data.id"))


def _encode_profile(record: Record) -> bytes:
    attributes = {name: value for name, value in record.items() if name != "id"}
    own_id = {"id": record["id"]} if record.get("id") else {}
    return encode_json({"type": "profile", **own_id, "attributes": attributes})


def _decode_profile(data: bytes) -> Record:
    profile = json.loads(data)
    own_id = {"id": profile["id"]} if "id" in profile else {}
    return {**own_id, **profile["attributes"]}


IMPORT = Operation(
    "import",
    submit_import,
    max_items=10_000,
    max_bytes=5_000_000,
    max_item_bytes=100_000,
    # No "meta": a retry would append its values a second time.
    check=every(
        needs_any(*IDENTITIES),
        only_fields(
            (*IDENTITIES, *ATTRIBUTES),
            "put custom fields into field 'properties', an object, which CSV files and queries do not have",
        ),
        objects("location", "properties"),
    ),
    header_names=IDENTITIES,
    options=(Option("lists", (list,), "ids of the lists to add the profiles to"),),
    encode=_encode_profile,
    decode=_decode_profile,
    idempotent=True,
)
