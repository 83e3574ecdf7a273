# SPDX-License-Identifier: Apache-2.0
"""Mailchimp submits: each record becomes an operation on one contact of an audience; a batch has up to 1,000.

https://mailchimp.com/developer/marketing/api/batch-operations/start-batch-operation/
https://mailchimp.com/developer/marketing/api/list-members/add-or-update-list-member/
https://mailchimp.com/developer/marketing/api/list-member-tags/add-or-remove-member-tags/
https://mailchimp.com/developer/marketing/api/list-members/archive-list-member/
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from airflow_provider_bulkjobs.protocol.flow import path_segment
from airflow_provider_bulkjobs.vendors.mailchimp.jobs import ADDRESS, BATCHES, ID_PREFIX, STATES
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Check,
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    encode_json,
    every,
)
from airflow_provider_bulkjobs.vendors.toolkit.status import as_list
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id, json_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs, once, only_fields
from airflow_provider_bulkjobs.vendors.toolkit.values import is_blank, safe_names

LIST, STATUS_IF_NEW = "list_id", "status_if_new"
MEMBER_FIELDS = frozenset(
    {
        *(ADDRESS, STATUS_IF_NEW, "status", "email_type", "merge_fields", "interests", "language", "vip", "location"),
        *("marketing_permissions", "ip_signup", "timestamp_signup", "ip_opt", "timestamp_opt"),
    }
)
MERGE_TAG = re.compile(r"[A-Z0-9_]+", re.ASCII)
LIST_OPTION = Option(LIST, (str,), "id of the audience (list)", required=True)


def submit_batch(context: SubmitContext) -> SubmitFlow:
    """Start a batch of operations."""
    body = (yield json_request("POST", BATCHES, context, key="operations")).json
    return accepted_job_id(STATES.vendor, body, "id")


def _encode(record: Record, method: str, path: str = "", body: Any = None) -> bytes:
    """Return the operation on the contact of a record. Its id, which the results have, names the address."""
    text = {} if body is None else {"body": encode_json(body).decode()}
    address = str(record.get(ADDRESS, ""))
    member = hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()
    path = f"/lists/{path_segment(str(record.get(LIST, '')))}/members/{member}{path}"
    return encode_json({"method": method, "path": path, "operation_id": ID_PREFIX + address, **text})


def _encode_upsert(record: Record) -> bytes:
    """Return the operation with merge fields from all fields that are not the vendor's own. None changes nothing."""
    given = {name: value for name, value in record.items() if name != LIST and value is not None}
    merge_fields = {name: value for name, value in given.items() if name not in MEMBER_FIELDS}
    member = {name: value for name, value in given.items() if name in MEMBER_FIELDS}
    if merge_fields:
        member["merge_fields"] = {**merge_fields, **member.get("merge_fields", {})}
    return _encode(record, "PUT", body=member)


def _encode_tag(record: Record) -> bytes:
    tags = [{"name": name, "status": record.get("status") or "active"} for name in as_list(record.get("tags"))]
    return _encode(record, "POST", "/tags", {"tags": tags})


def _encode_archive(record: Record) -> bytes:
    return _encode(record, "DELETE")


def _check_fields(record: Record) -> str | None:
    if not isinstance(record.get("merge_fields"), dict | None):
        return "has no object in field 'merge_fields'"
    unknown = [name for name in record if name not in MEMBER_FIELDS and name != LIST and not MERGE_TAG.fullmatch(name)]
    names = safe_names(sorted(unknown), "and")
    return f"has {names}, which the vendor would drop: merge tags are in capitals" if unknown else None


def _check_tags(record: Record) -> str | None:
    names = as_list(record.get("tags"))
    is_valid = names and all(isinstance(name, str) and not is_blank(name) for name in names)
    return None if is_valid else "has no names of tags in field 'tags'"


def _operation(
    name: str, encode: Callable[[Record], bytes], check: Check, *options: Option, idempotent: bool = False
) -> Operation:
    return Operation(
        name,
        submit_batch,
        max_items=1000,  # the limit in bytes is not documented
        check=check,
        header_names=(ADDRESS,),
        options=(LIST_OPTION, *options),
        per_record_options=(LIST, *(option.name for option in options)),
        encode=encode,
        idempotent=idempotent,
    )


CONTACTS = (
    _operation(
        "upsert",
        _encode_upsert,
        every(needs(ADDRESS), _check_fields, once("merge_fields")),
        Option(
            STATUS_IF_NEW,
            (str,),
            "status of contacts that are not in the audience yet; 'subscribed' needs their consent",
            required=True,
            choices=("subscribed", "unsubscribed", "cleaned", "pending", "transactional"),
        ),
        idempotent=True,
    ),
    # Not idempotent: whether a tag that is added again starts automations again is not documented.
    _operation(
        "tag",
        _encode_tag,
        every(needs(ADDRESS), _check_tags, only_fields((ADDRESS, LIST, "tags", "status"), "leave it out")),
        Option("tags", (list,), "names of the tags, for records without their own"),
        Option(
            "status", (str,), "active: add the tags (default); inactive: remove them", choices=("active", "inactive")
        ),
    ),
    # Not idempotent: an address that is archived a second time fails, and the gate would reject the import.
    _operation("archive", _encode_archive, every(needs(ADDRESS), only_fields((ADDRESS, LIST), "leave it out"))),
)
