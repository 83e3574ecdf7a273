# SPDX-License-Identifier: Apache-2.0
"""What every vendor owes to those who submit and fetch results: the same suite for each operation and each kind.

The tables are written out from the vendors' documentation, so that nothing in them comes from the code they check. A
new operation needs a line in ``LIMITS`` and in ``SUBMITS``, a new kind one in ``RESULTS`` and in ``UNFINISHED``.
"""

import asyncio
import gzip
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from vendors.scripted import LOGIN, SECRET, Script, ScriptedHandler, Seen, make_account, raw_body
from vendors.test_contract import CREDENTIALS, PATHS

from airflow_provider_bulkjobs.errors import (
    AnswerLostError,
    BadArgumentError,
    BulkJobError,
    CredentialsError,
    JobNotFoundError,
    NotFinishedError,
    PermissionDeniedError,
    UnknownStateError,
    UnsafeAnswerError,
    VendorAnswerError,
    VendorUnavailableError,
)
from airflow_provider_bulkjobs.hooks.bulk_job import HOOKS, BulkJobHook
from airflow_provider_bulkjobs.http.patience import Patience
from airflow_provider_bulkjobs.http.pool import shared_driver
from airflow_provider_bulkjobs.http.requests_driver import RequestsDriver
from airflow_provider_bulkjobs.records import Row
from airflow_provider_bulkjobs.results import outcomes
from airflow_provider_bulkjobs.submission import Submission, _marked
from airflow_provider_bulkjobs.vendors import VENDORS
from airflow_provider_bulkjobs.vendors.account import Account
from airflow_provider_bulkjobs.vendors.base import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.operation import MOST_BYTES, Operation, Order
from airflow_provider_bulkjobs.vendors.outcome import Outcome

QUICK = Patience(failures=3, first_wait=0.001, longest_wait=0.001, report=lambda _: None)
JOB = "j-1"
HOOK_OF = {hook_class.conn_type: hook_class for hook_class in HOOKS}
Key = tuple[str, str, str]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """What the vendor documents of an operation; ``None`` where it documents nothing."""

    items: int | None
    size: int | None
    repeatable: bool
    appends: bool = False
    per_minute: int = 0


# A request is repeatable only where asking twice comes to the same. Intercom refuses what is created or deleted twice,
# item by item, and ActiveCampaign would run the account's automations twice.
LIMITS: dict[Key, Limits] = {
    ("intercom", "contacts", "create"): Limits(100, None, repeatable=False, appends=True),
    ("intercom", "contacts", "update"): Limits(100, None, repeatable=True, appends=True),
    ("intercom", "contacts", "delete"): Limits(100, None, repeatable=False, appends=True),
    ("intercom", "companies", "upsert"): Limits(100, None, repeatable=True, appends=True),
    ("intercom", "companies", "update"): Limits(100, None, repeatable=True, appends=True),
    ("intercom", "companies", "delete"): Limits(100, None, repeatable=False, appends=True),
    ("intercom", "job", "enqueue"): Limits(1, None, repeatable=False),
    ("intercom", "export", "export"): Limits(0, None, repeatable=False),
    ("sendgrid", "contacts", "upsert"): Limits(30_000, 6_000_000, repeatable=True),
    ("sendgrid", "contacts", "import_csv"): Limits(1_000_000, 5_000_000_000, repeatable=True),
    ("sendgrid", "contacts", "delete"): Limits(None, None, repeatable=False),
    ("sendgrid", "export", "export"): Limits(0, None, repeatable=True),
    ("activecampaign", "contacts", "import"): Limits(250, 399_999, repeatable=False, per_minute=100),
    ("acquia_campaign_studio", "contacts", "create"): Limits(10_000, None, repeatable=False),
    ("acquia_campaign_studio", "contacts", "edit"): Limits(10_000, None, repeatable=True),
    ("acquia_campaign_studio", "contacts", "replace"): Limits(10_000, None, repeatable=False),
}


@dataclass(frozen=True)
class Submit:
    """A submit, how it must look on the wire, and what it is answered with."""

    method: str
    path: str
    body: Any
    answers: tuple[Answer, ...]
    records: tuple[dict[str, Any], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def answer(body: Any, status: int = 202, **headers: str) -> Answer:
    return {"status": status, "body": body, "headers": headers}


PREVIEW, V2_15 = {"intercom-version": "Preview"}, {"intercom-version": "2.15"}
ADA = {"email": "ada@example.com", "name": "Ada é"}
BOB = {"external_id": "b-2", "tags": {"add": [{"id": "7"}]}}
KNOWN = ({"id": "1", "name": "Ada"}, {"id": "2", "name": "Bob"})
IDS = ({"id": "1"}, {"id": "2"})
SHOP = {"company_id": "c-1", "name": "Shop", "monthly_spend": 12}
TICKET = {"ticket_type_id": "5", "contacts": [{"email": "ada@example.com"}]}
PERIOD = {"created_at_after": 1_700_000_000, "created_at_before": 1_700_086_400}
UPLOAD = "/bucket/key?X-Amz-Signature=signed"
UPLOAD_HEADERS = [{"header": "x-amz-server-side-encryption", "value": "aws:kms"}]
HERE = "{here}"  # the scripted server's address, in an answer
FIELD_IDS = ["_rf2_T", None]
OPENED = {"job_id": JOB, "upload_uri": f"{HERE}{UPLOAD}", "upload_headers": UPLOAD_HEADERS}
ROWS = ({"email": "ada@example.com", "note": 'a "b"\nc'}, {"email": "bob@example.com", "note": ""})
ID = (answer({"id": JOB, "state": "running", "tasks": []}),)
JOB_ID = (answer({"job_id": JOB}),)
CALLBACK = {"url": "https://example.com/done", "requestType": "POST"}

SUBMITS: dict[Key, Submit] = {
    ("intercom", "contacts", "create"): Submit(
        "POST", "/contacts/bulk", {"contacts": [ADA, BOB]}, ID, (ADA, BOB), headers=PREVIEW
    ),
    ("intercom", "contacts", "update"): Submit(
        "PUT", "/contacts/bulk", {"contacts": [*KNOWN]}, ID, KNOWN, headers=PREVIEW
    ),
    ("intercom", "contacts", "delete"): Submit(
        "POST", "/contacts/bulk/delete", {"contacts": [*IDS]}, ID, IDS, headers=PREVIEW
    ),
    ("intercom", "companies", "upsert"): Submit(
        "POST", "/companies/bulk", {"companies": [SHOP]}, ID, (SHOP,), headers=PREVIEW
    ),
    ("intercom", "companies", "update"): Submit(
        "PUT", "/companies/bulk", {"companies": [*KNOWN]}, ID, KNOWN, headers=PREVIEW
    ),
    ("intercom", "companies", "delete"): Submit(
        "POST", "/companies/bulk/delete", {"companies": [*IDS]}, ID, IDS, headers=PREVIEW
    ),
    ("intercom", "job", "enqueue"): Submit(
        "POST",
        "/tickets/enqueue",
        TICKET,
        (answer({"type": "job", "id": JOB, "status": "pending"}, 200),),
        (TICKET,),
        headers=V2_15,
    ),
    ("intercom", "export", "export"): Submit(
        "POST",
        "/export/content/data",
        PERIOD,
        (answer({"job_identifier": JOB, "status": "pending", "download_url": ""}, 200),),
        options=PERIOD,
        headers=V2_15,
    ),
    ("sendgrid", "contacts", "upsert"): Submit(
        "PUT",
        "/v3/marketing/contacts",
        {"list_ids": ["l-1"], "contacts": [{"email": "ada@example.com", "custom_fields": {"w1": 5}}]},
        JOB_ID,
        ({"email": "ada@example.com", "custom_fields": {"w1": 5}},),
        {"list_ids": ["l-1"]},
    ),
    ("sendgrid", "contacts", "import_csv"): Submit(
        "PUT",
        "/v3/marketing/contacts/imports",
        {"list_ids": ["l-1"], "file_type": "csv", "field_mappings": FIELD_IDS},
        (answer(OPENED, 200), answer("", 200)),
        ROWS,
        {"list_ids": ["l-1"], "field_mappings": FIELD_IDS},
    ),
    ("sendgrid", "contacts", "delete"): Submit(
        "DELETE", "/v3/marketing/contacts?ids=1,a%2C2%26b", None, JOB_ID, ({"id": 1}, {"id": "a,2&b"})
    ),
    ("sendgrid", "export", "export"): Submit(
        "POST",
        "/v3/marketing/contacts/exports",
        {"list_ids": ["l-1"], "file_type": "json"},
        ID,
        options={"list_ids": ["l-1"], "file_type": "json"},
    ),
    ("activecampaign", "contacts", "import"): Submit(
        "POST",
        "/api/3/import/bulk_import",
        {"callback": CALLBACK, "contacts": [{"exclude_automations": True, "email": "ada@example.com"}]},
        (answer({"Success": 1, "queued_contacts": 1, "batchId": JOB, "message": "Contact import queued"}, 200),),
        ({"email": "ada@example.com"},),
        {"exclude_automations": True, "callback": CALLBACK},
    ),
    ("acquia_campaign_studio", "contacts", "create"): Submit(
        "POST", "/api/contacts/bulk/new", [{"email": "ada@example.com"}], ID, ({"email": "ada@example.com"},)
    ),
    ("acquia_campaign_studio", "contacts", "edit"): Submit(
        "PATCH",
        "/api/contacts/bulk/edit",
        [{"overwriteWithBlank": True, "id": 1, "firstname": ""}],
        ID,
        ({"id": 1, "firstname": ""},),
        {"overwriteWithBlank": True},
    ),
    ("acquia_campaign_studio", "contacts", "replace"): Submit(
        "PUT", "/api/contacts/bulk/edit", [{"id": 1, "firstname": "Ada"}], ID, ({"id": 1, "firstname": "Ada"},)
    ),
}


@dataclass(frozen=True)
class Case:
    vendor: Vendor
    kind: JobKind
    operation: Operation

    @property
    def key(self) -> Key:
        return self.vendor.conn_type, self.kind.name, self.operation.name

    @property
    def limits(self) -> Limits:
        return LIMITS[self.key]

    @property
    def submit(self) -> Submit:
        return SUBMITS[self.key]

    def __str__(self) -> str:
        return "-".join(self.key)


KINDS = [(vendor, kind) for vendor in VENDORS for kind in vendor.kinds]
CASES = [Case(vendor, kind, operation) for vendor, kind in KINDS for operation in kind.operations]
CASE_OF = {case.key: case for case in CASES}
# Files are uploaded from workers only, so only their driver can.
DRIVEN = [
    (case, driver) for case in CASES for driver in ("requests", "aiohttp") if driver == "requests" or not has_upload(case)
] if False else []
