# SPDX-License-Identifier: Apache-2.0
"""Twilio SendGrid Marketing Campaigns: contact imports (upsert, CSV and delete alike) and exports.

https://www.twilio.com/docs/sendgrid/api-reference/contacts/import-contacts-status
https://www.twilio.com/docs/sendgrid/api-reference/contacts/export-contacts-status
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bulkjobs.job import BulkJob, JobState, count, utc_time
from airflow_provider_bulkjobs.vendors.account import Account, Field
from airflow_provider_bulkjobs.vendors.base import (
    Conversation,
    JobKind,
    Request,
    States,
    Vendor,
    listed,
    mapping,
    path_segment,
)

HOSTS = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
DOCS_URL = "https://www.twilio.com/docs/sendgrid/api-reference/contacts"

IMPORT_STATES = States(
    "Twilio SendGrid",
    DOCS_URL,
    "status",
    {
        "pending": JobState.PENDING,  # the whole run: there is no word for "running"
        "completed": JobState.SUCCEEDED,
        "errored": JobState.PARTIALLY_FAILED,
        "failed": JobState.FAILED,
    },
)
EXPORT_STATES = States(
    "Twilio SendGrid",
    DOCS_URL,
    "status",
    {
        "pending": JobState.PENDING,
        "ready": JobState.SUCCEEDED,
        "failure": JobState.FAILED,
    },
)


def read_import(answer: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read an import: counts are there or not, depending on the type of job."""
    state, word = IMPORT_STATES.read(answer)
    results = mapping(answer.get("results"))
    failed = count(results.get("errored_count"))
    if state is JobState.SUCCEEDED and failed:
        state = JobState.PARTIALLY_FAILED  # a count beats a word
    elif state in {JobState.PARTIALLY_FAILED, JobState.FAILED} and failed == 0:
        failed = None  # "errored" or "failed" with nothing counted: how many items failed is not known
    total = count(results.get("requested_count"))
    counted = state.is_finished and total is not None and failed is not None
    return BulkJob(
        job_id,
        state,
        word,
        total=total,
        failed=failed,
        succeeded=max((total or 0) - (failed or 0), 0) if counted else None,
        created=count(results.get("created_count")),
        updated=count(results.get("updated_count")),
        deleted=count(results.get("deleted_count")),
        started_at=utc_time(answer.get("started_at")),
        finished_at=utc_time(answer.get("finished_at")),
    )


def read_export(answer: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read an export; its file addresses are signed, so they stay out of the job."""
    return BulkJob(
        job_id,
        *EXPORT_STATES.read(answer),
        total=count(answer.get("contact_count")),
        created_at=utc_time(answer.get("created_at")),
        finished_at=utc_time(answer.get("completed_at")),
    )


def import_status(account: Account, job_id: str) -> Conversation[BulkJob]:  # noqa: ARG001
    """Ask for an import; an upsert, a CSV file and a delete answer at the same place."""
    answer = yield Request("GET", f"/v3/marketing/contacts/imports/{path_segment(job_id)}")
    return read_import(answer.json, job_id)


def export_status(account: Account, job_id: str) -> Conversation[BulkJob]:  # noqa: ARG001
    """Ask for an export."""
    answer = yield Request("GET", f"/v3/marketing/contacts/exports/{path_segment(job_id)}")
    return read_export(answer.json, job_id)


class SendGrid(Vendor):
    """Twilio SendGrid, global or in the EU."""

    conn_type = "sendgrid"
    label = "Twilio SendGrid"
    docs_url = DOCS_URL
    requests_per_second = 0.0  # limits differ by endpoint and are told in headers only
    fields = (
        Field(
            "password",
            "API key",
            "In SendGrid: Settings > API Keys. It needs access to Marketing.",
            placeholder="SG.xxxx.yyyy",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Only to override the region's own host.",
            placeholder="https://api.sendgrid.com",
        ),
        Field(
            "region",
            "Region",
            "eu only for subusers pinned to the EU.",
            choices=("global", "eu"),
            default="global",
        ),
        Field(
            "on_behalf_of",
            "On behalf of",
            "The user name of the subuser to act for, when the key belongs to the parent account.",
            placeholder="subuser",
        ),
    )
    kinds = (
        JobKind("contacts", "contact import", import_status),
        JobKind("export", "contact export", export_status),
    )

    def base_url(self, account: Account) -> str:
        """Return the region's host."""
        return account.host or HOSTS[account["region"]]

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the API key as a bearer token, and the subuser if there is one."""
        subuser = account["on_behalf_of"]
        return {"Authorization": f"Bearer {account['password']}"} | ({"on-behalf-of": subuser} if subuser else {})

    def check(self, account: Account) -> Conversation[str]:
        """Ask for the key's scopes."""
        answer = yield Request("GET", "/v3/scopes")
        scopes = [str(scope) for scope in listed(answer.json.get("scopes"))]
        where = f"region {account['region']!r}" if not account.host else "the host of the connection"
        told = f"Connected to SendGrid ({where}); the key has {len(scopes)} scopes."
        has_marketing = any("marketing" in scope for scope in scopes)
        return told if has_marketing else f"{told} None of them is for Marketing: imports may be refused."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return field and message of each error; ``errors`` is a list, or one object on the import status."""
        errors = [mapping(error) for error in listed(body.get("errors"))]
        words = [": ".join(str(e[key]) for key in ("field", "message") if e.get(key)) for e in errors]
        return "; ".join(word for word in words if word) or None
