# SPDX-License-Identifier: Apache-2.0
"""Zendesk submits: up to 100 records become one job.

https://developer.zendesk.com/api-reference/ticketing/users/users/
https://developer.zendesk.com/api-reference/ticketing/organizations/organizations/
https://developer.zendesk.com/api-reference/ticketing/organizations/organization_memberships/
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/
https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_import/
"""

from __future__ import annotations

from functools import partial

from airflow_provider_bulkjobs.exceptions import PermissionDeniedError
from airflow_provider_bulkjobs.vendors.spec.operation import Check, Operation, Record, SubmitContext, SubmitFlow, every
from airflow_provider_bulkjobs.vendors.toolkit.ids_in_query import ids_operation, ids_request
from airflow_provider_bulkjobs.vendors.toolkit.status import as_dict
from airflow_provider_bulkjobs.vendors.toolkit.submits import json_request, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import identifies_if_given, needs, needs_any
from airflow_provider_bulkjobs.vendors.zendesk_bulk.jobs import STATES

MAX_ITEMS = 100
JOB_ID = "job_status.id"
NEEDS_ID = needs("id")
SWITCHED_OFF = "Bulk imports of users work only in accounts in which Zendesk's support has switched them on."


def submit(method: str, path: str, key: str, context: SubmitContext) -> SubmitFlow:
    """Submit records as JSON.

    :param key: the key of the records in the body.
    """
    return (yield from submit_request(STATES.vendor, json_request(method, path, context, key=key), JOB_ID))


def submit_users(method: str, path: str, key: str, context: SubmitContext) -> SubmitFlow:
    """Submit users, which has to be switched on for the account."""
    try:
        return (yield from submit(method, path, key, context))
    except PermissionDeniedError as error:
        raise error.reworded(f"{error.message.rstrip('.')}. {SWITCHED_OFF}") from None


def delete(path: str, context: SubmitContext) -> SubmitFlow:
    """Delete what has the given ids."""
    return (yield from submit_request(STATES.vendor, ids_request("DELETE", path, context), JOB_ID))


def _is_one_id(record: Record) -> str | None:
    return "has several ids in field 'id': give each its own record" if "," in str(record["id"]) else None


def _has_comment(record: Record) -> str | None:
    return None if as_dict(record.get("comment")) else "needs an object with the text in field 'comment'"


def _has_comments(record: Record) -> str | None:
    comments = record.get("comments")
    return None if isinstance(comments, list) and comments else "needs a list of comments in field 'comments'"


def _operation(
    name: str, method: str, path: str, check: Check, *header_names: str, idempotent: bool = False
) -> Operation:
    key = path.split("/")[-2]
    run = partial(submit_users if key == "users" else submit, method, f"/api/v2/{path}", key)
    return Operation(name, run, max_items=MAX_ITEMS, check=check, header_names=header_names, idempotent=idempotent)


def _delete(key: str) -> Operation:
    path = f"/api/v2/{key}/destroy_many"
    return ids_operation("delete", partial(delete, path), max_items=MAX_ITEMS, check=every(NEEDS_ID, _is_one_id))


# Idempotent is what has the same effect and the same results when it is repeated: a repeated create reports that the
# items exist, a repeated delete that they do not. A repeated ticket, or a comment on one, would be another one.
USERS = (
    _operation(
        "upsert",
        "POST",
        "users/create_or_update_many",
        needs_any("email", "external_id"),
        *("email", "external_id"),
        idempotent=True,
    ),
    _operation(
        "create", "POST", "users/create_many", identifies_if_given("email", "external_id"), "email", "external_id"
    ),
    _operation("update", "PUT", "users/update_many", NEEDS_ID, "id", idempotent=True),
    _delete("users"),
)
ORGANIZATIONS = (
    _operation("create", "POST", "organizations/create_many", needs("name"), "name"),
    _operation("update", "PUT", "organizations/update_many", NEEDS_ID, "id", idempotent=True),
    _delete("organizations"),
)
MEMBERSHIPS = (
    _operation(
        "create", "POST", "organization_memberships/create_many", needs("user_id", "organization_id"), "user_id"
    ),
    _delete("organization_memberships"),
)
TICKETS = (
    _operation("create", "POST", "tickets/create_many", _has_comment, "subject"),
    _operation("import", "POST", "imports/tickets/create_many", _has_comments, "subject"),
    _operation("update", "PUT", "tickets/update_many", NEEDS_ID, "id"),
    _delete("tickets"),
)
