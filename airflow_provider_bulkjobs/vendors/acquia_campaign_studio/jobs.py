# SPDX-License-Identifier: Apache-2.0
"""Acquia Campaign Studio jobs: submit, status, results, cancel.

https://docs.acquia.com/campaign-studio/settings/api-credentials/contact-bulk-edit
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from functools import partial
from typing import Any

from airflow_provider_bulkjobs.protocol.flow import Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count
from airflow_provider_bulkjobs.vendors.spec.errors import Message, read_messages
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.operation import (
    FieldCheck,
    Fields,
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    every,
)
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.spec.value_formats import ValueFormats
from airflow_provider_bulkjobs.vendors.toolkit.paging import NextLink, Pages, list_pages
from airflow_provider_bulkjobs.vendors.toolkit.status import StatusEndpoint
from airflow_provider_bulkjobs.vendors.toolkit.submits import json_request, submit_request
from airflow_provider_bulkjobs.vendors.toolkit.validators import identifies_if_given, needs, of_names
from airflow_provider_bulkjobs.vendors.toolkit.values import are_filled, is_blank, safe_names

DOCS_URL = "https://docs.acquia.com/campaign-studio/settings/api-credentials/contact-bulk-edit"
MAX_CONTACTS = 10_000  # per job
ALIAS = re.compile(r"[a-z][a-z0-9_]*")
CAMEL_CASE = frozenset({"ipAddress", "lastActive", "overwriteWithBlank"})
NOT_CONTACT_FIELDS = CAMEL_CASE | {"id", "tags", "owner"}  # a contact with only these fields is blank
CONTACT_ALIASES = ("email", "firstname", "lastname", "company", "phone", "mobile")
PASTED_PATHS = ("/s/dashboard", "/s/login", "/s", "/api")
# Mautic has times in UTC, without a time zone.
UTC_TIMES = ValueFormats(moment=lambda value: value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds"))
MAX_PAGES = 10_000  # a job has up to 10,000 contacts, and a page has at least one

STATES = States(
    "Acquia Campaign Studio",
    DOCS_URL,
    "status",
    {
        "queued": JobState.PENDING,
        "in_progress": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,  # or partially failed, or failed: depends on the details
    },
)


def base_url(account: Account) -> str:
    """Return the root URL of the instance, without an API or UI path, which users may have pasted with it."""
    return account.host_without(*PASTED_PATHS) or ""


STATUS = StatusEndpoint("/api/contacts/job/{job_id}", STATES)


def details_of(account: Account, job_id: str) -> Pages:
    """Return the pages of a completed job's details: the only source of failures.

    The mark of the last page is undocumented: a missing next page and an empty page both end the list.
    """
    return list_pages(
        STATES.vendor,
        "job details",
        f"/api/contacts/job/{path_segment(job_id)}?details=1",
        items="details.contacts",
        following=NextLink("details.next-page", base_url(account)),
        max_pages=MAX_PAGES,
    )


def job_status(account: Account, job_id: str) -> Flow[BulkJob]:
    """Request a job and, once it is completed, count the outcomes in all pages of its details."""
    job = yield from STATUS(account, job_id)
    if not job.state.is_finished:
        return job

    outcomes = Counter[str]()
    pages = details_of(account, job_id)
    while pages.has_next:
        outcomes.update(map(outcome, (yield from pages.read_next())))
    if not pages.is_complete:
        return job.with_unknown_failures()

    return replace(
        job,
        total=outcomes.total(),
        succeeded=outcomes["created"] + outcomes["updated"],
        failed=outcomes["failed"],
        created=outcomes["created"],
        updated=outcomes["updated"],
    )


def outcome(contact: Mapping[str, Any]) -> str:
    """Return the outcome of one contact; every status code other than 2xx is a failure."""
    status = count(contact.get("statusCode"))
    if status == 201:
        return "created"
    return "updated" if status is not None and 200 <= status < 300 else "failed"


def job_results(account: Account, job_id: str) -> ResultsFlow:
    """Yield the outcome of each contact with the vendor's error message, page by page."""
    yield from STATUS.finished(account, job_id)
    yield from details_of(account, job_id).results(_result)


def _result(contact: Mapping[str, Any]) -> ItemResult:
    return ItemResult(outcome(contact), read_messages((Message("errors", "message"),), contact), contact)


def cancel_job(account: Account, job_id: str) -> Flow[None]:  # noqa: ARG001
    """Cancel a job that is queued or in progress; contacts that were already written remain."""
    yield Request("DELETE", f"/api/contacts/job/{path_segment(job_id)}")


def submit(method: str, path: str, context: SubmitContext) -> SubmitFlow:
    """Submit contacts; the body is a JSON list."""
    return (yield from submit_request(STATES.vendor, json_request(method, path, context), "id"))


def _check_aliases(record: Record) -> str | None:
    # Mautic ignores names that are no aliases, and creates a blank contact if no field is left.
    wrong = [name for name in record if not ALIAS.fullmatch(name) and name not in CAMEL_CASE]
    if not wrong:
        return None
    # Other names may be personal data, if a file has no header.
    known = [name for name in wrong if name.lower() in {*CONTACT_ALIASES, *NOT_CONTACT_FIELDS}]
    fields = f"{safe_names(known, 'and')}, which" if known else "a field whose name"
    return f"has {fields} is no alias of a contact field: aliases have lower-case letters, digits and underscores"


def _has_a_filled_field(fields: Fields) -> bool:
    return any(are_filled(values) for name, values in fields.items() if name not in NOT_CONTACT_FIELDS)


def _check_contact(record: Record) -> str | None:
    has_value = any(not is_blank(value) for name, value in record.items() if name not in NOT_CONTACT_FIELDS)
    return None if has_value else "has no value in any contact field, such as 'email' or 'lastname'"


_operation = partial(
    Operation,
    max_items=MAX_CONTACTS,
    formats=lambda _options: UTC_TIMES,
    options=(Option("overwriteWithBlank", (bool,), "True: empty values clear fields"),),
    per_record_options=("overwriteWithBlank",),
    blanks_option="overwriteWithBlank",
)
OPERATIONS = (
    # Not idempotent: updates a contact with the same address, but duplicates one without an address.
    _operation(
        "create",
        partial(submit, "POST", "/api/contacts/bulk/new"),
        check=every(
            of_names(_check_aliases), FieldCheck(_check_contact, _has_a_filled_field), identifies_if_given("email")
        ),
        header_names=CONTACT_ALIASES,
    ),
    _operation(
        "edit",
        partial(submit, "PATCH", "/api/contacts/bulk/edit"),
        check=every(needs("id"), of_names(_check_aliases)),
        header_names=("id",),
        idempotent=True,
    ),
    # Not idempotent: clears the fields that a record omits, and creates a contact if the id is unknown.
    _operation(
        "replace",
        partial(submit, "PUT", "/api/contacts/bulk/edit"),
        check=every(needs("id"), of_names(_check_aliases)),
        header_names=("id",),
    ),
)
