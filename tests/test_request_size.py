# SPDX-License-Identifier: Apache-2.0
"""A full request is within the vendor's limit as a whole: with its options, its envelope and an open job's id."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from vendors.scripted import make_account

from airflow_provider_bulkjobs.arguments import MAX_JOB_ID_LENGTH
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS
from airflow_provider_bulkjobs.protocol.flow import Request
from airflow_provider_bulkjobs.submitting.overhead import MAX_MARKER_LENGTH, request_overhead
from airflow_provider_bulkjobs.submitting.records import Row
from airflow_provider_bulkjobs.submitting.submission import Submission
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, Payload, SubmitContext

LIMIT = 30_000
OPEN_JOB = "j" * 200
MARKER = "0" * MAX_MARKER_LENGTH
LISTS = [f"list-{number:036}" for number in range(100)]
COLUMNS = {f"größe_{number}": "x" for number in range(20)}

Make = Callable[[int], dict[str, Any]]


def mail(name: str, **more: Any) -> Make:
    return lambda size: {"email": "a@example.com", name: "x" * size, **more}


def short_texts(size: int) -> dict[str, Any]:
    texts = {f"field_{start}": "x" * min(255, size - start) for start in range(0, size, 255)}
    return {"email": "a@example.com", **texts}


def known(name: str) -> Make:
    return lambda size: {"id": "1", name: "x" * size}


# A record of any size, and options that take as much room as they may.
CASES: dict[tuple[str, str, str], tuple[Make, dict[str, Any]]] = {
    ("intercom", "contacts", "create"): (mail("name"), {}),
    ("intercom", "contacts", "update"): (known("name"), {}),
    ("intercom", "contacts", "delete"): (lambda size: {"id": "1" * size}, {}),
    ("intercom", "companies", "upsert"): (lambda size: {"company_id": "1", "name": "x" * size}, {}),
    ("intercom", "companies", "update"): (known("name"), {}),
    ("intercom", "companies", "delete"): (lambda size: {"id": "1" * size}, {}),
    ("intercom", "job", "enqueue"): (
        lambda size: {"ticket_type_id": "1", "contacts": [{"id": "1"}], "ticket_attributes": {"_": "x" * size}},
        {},
    ),
    ("sendgrid", "contacts", "upsert"): (mail("postal_code"), {"list_ids": LISTS}),
    ("sendgrid", "contacts", "import_csv"): (mail("postal_code"), {"list_ids": LISTS}),
    ("sendgrid", "contacts", "delete"): (lambda size: {"id": "1" * size}, {}),
    ("activecampaign", "contacts", "import"): (
        mail("first_name"),
        {
            "exclude_automations": True,
            "callback": {"url": f"https://example.com/{'ü' * 2000}", "params": [{"key": "a", "value": "b" * 500}]},
        },
    ),
    ("acquia_campaign_studio", "contacts", "create"): (mail("firstname"), {"overwriteWithBlank": True}),
    ("acquia_campaign_studio", "contacts", "edit"): (known("firstname"), {"overwriteWithBlank": True}),
    ("acquia_campaign_studio", "contacts", "replace"): (known("firstname"), {"overwriteWithBlank": True}),
    **{
        ("hubspot", "import", name): (
            mail("firstname", **COLUMNS),
            {"name": "ü" * 300, "dateFormat": "DAY_MONTH_YEAR", "createContactListFromImport": True},
        )
        for name in ("upsert", "create", "update")
    },
    ("klaviyo", "profiles", "import"): (mail("title"), {"lists": LISTS}),
    ("mailchimp", "contacts", "upsert"): (
        lambda size: {"email_address": "a@example.com", "FNAME": "x" * size},
        {"list_id": "57afe96172", "status_if_new": "subscribed"},
    ),
    ("mailchimp", "contacts", "tag"): (
        lambda size: {"email_address": "a@example.com", "tags": "x" * size},
        {"list_id": "57afe96172"},
    ),
    ("mailchimp", "contacts", "archive"): (
        lambda size: {"email_address": f"{'a' * size}@example.com"},
        {"list_id": "57afe96172"},
    ),
    **{
        ("salesforce_bulk", "ingest", name): (
            lambda size: {"Id": "1", "Notes__c": "x" * size},
            {"object": "ü" * 300, "externalIdFieldName": "Id"},
        )
        for name in ("upsert", "insert", "update")
    },
    **{
        ("salesforce_bulk", "ingest", name): (lambda size: {"Id": "1" * size}, {"object": "ü" * 300})
        for name in ("delete", "hard_delete")
    },
    ("dotdigital", "contacts", "import"): (
        mail("firstName"),
        {
            "mergeOption": "overwriteIfNotEmpty",
            "lists": [7] * 100,
            "channelProperties": {"email": {"status": "subscribed"}},
        },
    ),
    ("dotdigital", "deletions", "delete"): (lambda size: {"email": f"{'a' * size}@example.com"}, {}),
    ("brevo", "contacts", "import"): (mail("FNAME"), {"listIds": [7] * 300, "notifyUrl": "ü" * 300}),
    ("mailjet", "contacts", "manage"): (
        lambda size: {"Email": "a@example.com", "Name": "x" * size},
        {"ContactsLists": [{"ListID": 57}] * 300},
    ),
    ("mailjet", "csv_import", "import"): (mail("first_name", **COLUMNS), {"ContactsListID": 57}),
    ("marketo", "leads", "import"): (mail("firstName"), {"listId": 7, "partitionName": "ü" * 30}),
    ("marketo", "program_members", "import"): (mail("firstName"), {"programId": 7, "programMemberStatus": "ü" * 30}),
    ("marketo", "custom_objects", "import"): (mail("name"), {"apiName": "vehicle_c"}),
    ("zendesk_bulk", "users", "upsert"): (mail("name"), {}),
    ("zendesk_bulk", "users", "create"): (mail("name"), {}),
    ("zendesk_bulk", "organizations", "create"): (lambda size: {"name": "x" * size}, {}),
    ("zendesk_bulk", "organization_memberships", "create"): (
        lambda size: {"user_id": "1", "organization_id": "2", "name": "x" * size},
        {},
    ),
    ("zendesk_bulk", "tickets", "create"): (lambda size: {"comment": {"body": "x" * size}}, {}),
    ("zendesk_bulk", "tickets", "import"): (lambda size: {"comments": [{"value": "x" * size}]}, {}),
    **{("zendesk_bulk", kind, "update"): (known("name"), {}) for kind in ("users", "organizations", "tickets")},
    **{
        ("zendesk_bulk", kind, "delete"): (lambda size: {"id": "1" * size}, {})
        for kind in ("users", "organizations", "organization_memberships", "tickets")
    },
    ("getresponse", "contacts", "import"): (short_texts, {"campaignId": "ü" * 300}),
    **{
        ("customer_io", "import", f"import_{name}"): (mail("city"), {"identifier": "email", "description": "ü" * 300})
        for name in ("people", "events", "relationships", "objects")
    },
    ("constant_contact", "contacts", "import"): (mail("city"), {"list_ids": LISTS[:50]}),
    ("constant_contact", "activities", "delete"): (lambda size: {"contact_id": "1" * size}, {}),
    **{
        ("constant_contact", "activities", name): (
            lambda size: {"contact_id": "1" * size},
            {"list_ids": LISTS[:50]},
        )
        for name in ("add_list_memberships", "remove_list_memberships")
    },
    ("omnisend", "contacts", "import"): (mail("city"), {"status": "nonSubscribed"}),
    ("omnisend", "contacts", "import_with_welcome"): (mail("city"), {"status": "nonSubscribed"}),
    ("eloqua", "contacts", "import"): (
        lambda size: {"C_EmailAddress": "a@example.com", "C_Notes": "x" * size},
        {"name": "ü" * 90},
    ),
    **{("shopify", "customers", name): (mail("note"), {}) for name in ("upsert", "create")},
    **{
        ("zoho_crm", "bulk_write", name): (mail("city"), {"module": "ü" * 300, "find_by": "email"})
        for name in ("upsert", "insert", "update")
    },
}
# The records go out in a file, before or after the first request.
IN_FILES = {"customer_io", "eloqua", "salesforce_bulk", "shopify", "zoho_crm"}
IN_A_FILE = {key for key in CASES if key[0] in IN_FILES or key[2] == "import_csv"}
OPERATIONS = {
    (vendor.conn_type, kind.name, operation.name): operation
    for vendor in VENDORS
    for kind in vendor.kinds
    for operation in kind.operations
    if operation.max_items
}
HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
each_operation = pytest.mark.parametrize("key", CASES, ids="-".join)


def make_hook(conn_type: str) -> Any:
    hook = HOOK_OF[conn_type]("mine")
    hook.account = make_account(hook.vendor, "https://example.com")
    return hook


def submission_of(key: tuple[str, str, str], operation: Operation, options: Any) -> Submission:
    return Submission(make_hook(key[0]), key[1], operation, options, None)  # type: ignore[arg-type]


def fits(key: tuple[str, str, str], operation: Operation, options: Any, record: dict[str, Any]) -> bool:
    with submission_of(key, operation, options) as submission:
        return submission._add(Row(1, record)) is None


def size_of(key: tuple[str, str, str], operation: Operation, context: SubmitContext) -> int:
    """Return how large the request with the records is, as the vendor's limit counts."""
    if key in IN_A_FILE:
        return context.payload.size
    request = next(operation.submit(context))
    assert isinstance(request, Request)
    return len(request.body or request.path)


def test_every_operation_with_records_is_here():
    assert CASES.keys() == OPERATIONS.keys()


@each_operation
@pytest.mark.parametrize("number", [1, 3])
def test_full_request_is_within_the_limit(key, number):
    make, options = CASES[key]
    operation = replace(OPERATIONS[key], max_bytes=LIMIT, max_item_bytes=0)
    low, high = 1, LIMIT
    while high - low > 1:  # the largest record that is taken
        middle = (low + high) // 2
        low, high = (middle, high) if fits(key, operation, options, make(middle)) else (low, middle)
    records = [make(low)] if number == 1 else [make(low // 3 - 100)] * number
    with submission_of(key, operation, options) as submission:
        submission.prepare((Row(line, record) for line, record in enumerate(records, 1)), None)
        account, open_job = submission._client.account, OPEN_JOB if operation.supports_append else None
        sizes = [
            size_of(key, operation, SubmitContext(account, batch.payload, submission._options, open_job, marker=MARKER))
            for batch in submission._batches(0)
        ]
    assert max(sizes) <= LIMIT
    if number == 1:
        assert sizes[0] > LIMIT - MAX_JOB_ID_LENGTH - 100, "no more is left free than has to be"


@each_operation
def test_overhead_is_what_is_added_to_the_records(key):
    operation, columns = OPERATIONS[key], ("email", *COLUMNS)
    hook = make_hook(key[0])
    overhead = request_overhead(operation, hook.account, CASES[key][1], columns)
    if key in IN_A_FILE:
        assert overhead == 0
        return
    import io

    if key[0] == "getresponse":  # its records become rows
        return
    payload = Payload(lambda: io.BytesIO(b"0123456789"), size=10, items=1, columns=columns)
    open_job = "0" * MAX_JOB_ID_LENGTH if operation.supports_append else None
    context = SubmitContext(hook.account, payload, CASES[key][1], open_job, marker=MARKER)
    request: Any = next(operation.submit(context))
    assert len(request.path) + len(request.body or b"") == overhead + 10
