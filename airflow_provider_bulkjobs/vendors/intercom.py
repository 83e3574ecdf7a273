# SPDX-License-Identifier: Apache-2.0
"""Intercom: bulk contacts, bulk companies, the generic job, and message data exports.

https://developers.intercom.com/docs/references/preview/rest-api/api.intercom.io/contacts
https://developers.intercom.com/docs/references/2.15/rest-api/api.intercom.io/jobs/jobsstatus
https://developers.intercom.com/docs/references/2.15/rest-api/api.intercom.io/data-export
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

HOSTS = {
    "us": "https://api.intercom.io",
    "eu": "https://api.eu.intercom.io",
    "au": "https://api.au.intercom.io",
}
DOCS_URL = "https://developers.intercom.com/docs/references/rest-api/api.intercom.io"

BULK_STATES = States(
    "Intercom",
    DOCS_URL,
    "state",
    {
        "pending": JobState.PENDING,
        "running": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        # Also when every item failed: there is no word for that.
        "completed_with_errors": JobState.PARTIALLY_FAILED,
    },
)
JOB_STATES = States(
    "Intercom",
    DOCS_URL,
    "status",
    {
        "pending": JobState.PENDING,
        "success": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
    },
)
EXPORT_STATES = States(
    "Intercom",
    DOCS_URL,
    "status",
    {
        "pending": JobState.PENDING,
        "in_progress": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        "complete": JobState.SUCCEEDED,  # the spelling of the download page
        "no_data": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "canceled": JobState.CANCELED,
    },
)


def read_bulk_job(answer: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a bulk job: its tasks count the items, nothing counts the failures."""
    tasks = [mapping(task) for task in listed(answer.get("tasks"))]
    items = [count(task.get("item_count")) for task in tasks]
    started = [time for task in tasks if (time := utc_time(task.get("started_at")))]
    state, word = BULK_STATES.read(answer)
    return BulkJob(
        job_id,
        state,
        word,
        total=None if None in items or not items else sum(item for item in items if item),
        created_at=utc_time(answer.get("created_at")),
        started_at=min(started, default=None),
        finished_at=utc_time(answer.get("completed_at")),
    )


def read_job(answer: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a generic job, which is about one resource and tells nothing but its state."""
    return BulkJob(job_id, *JOB_STATES.read(answer))


def read_export(answer: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read a message data export; "no data" is a success with nothing in it."""
    state, word = EXPORT_STATES.read(answer)
    return BulkJob(job_id, state, word, total=0 if word == "no_data" else None)


def _version(account: Account, default: str) -> dict[str, str]:
    return {"Intercom-Version": account["api_version"] or default}


def contacts_status(account: Account, job_id: str) -> Conversation[BulkJob]:
    """Ask for a bulk contacts job; creates, updates and deletes answer alike."""
    answer = yield Request("GET", f"/contacts/bulk/{path_segment(job_id)}", _version(account, "Preview"))
    return read_bulk_job(answer.json, job_id)


def companies_status(account: Account, job_id: str) -> Conversation[BulkJob]:
    """Ask for a bulk companies job."""
    answer = yield Request("GET", f"/companies/bulk/{path_segment(job_id)}", _version(account, "Preview"))
    return read_bulk_job(answer.json, job_id)


def job_status(account: Account, job_id: str) -> Conversation[BulkJob]:
    """Ask for a generic job, such as a ticket that was enqueued."""
    answer = yield Request("GET", f"/jobs/status/{path_segment(job_id)}", _version(account, "2.15"))
    return read_job(answer.json, job_id)


def export_status(account: Account, job_id: str) -> Conversation[BulkJob]:
    """Ask for a message data export."""
    answer = yield Request("GET", f"/export/content/data/{path_segment(job_id)}", _version(account, "2.15"))
    return read_export(answer.json, job_id)


def cancel_export(account: Account, job_id: str) -> Conversation[None]:
    """Stop a message data export; the path is not below the one that tells its status."""
    yield Request("POST", f"/export/cancel/{path_segment(job_id)}", _version(account, "2.15"))


class Intercom(Vendor):
    """Intercom, in its three regions."""

    conn_type = "intercom"
    label = "Intercom"
    docs_url = DOCS_URL
    requests_per_second = 16.0  # 1,000 a minute, the lowest limit published; the headers say 167 in 10 seconds
    fields = (
        Field(
            "password",
            "Access token",
            "In Intercom's Developer Hub: your app > Configure > Authentication.",
            placeholder="dG9rOmFi…",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Only to override the region's own host.",
            placeholder="https://api.intercom.io",
        ),
        Field(
            "region",
            "Region",
            "Where the workspace's data is hosted: Settings > Workspace > General.",
            choices=("us", "eu", "au"),
            default="us",
        ),
        Field(
            "api_version",
            "API version",
            "The Intercom-Version to ask for. Empty: Preview for bulk contacts and companies, 2.15 for the rest.",
            placeholder="Preview",
        ),
    )
    kinds = (
        JobKind("contacts", "contact import", contacts_status),
        JobKind("companies", "company import", companies_status),
        JobKind("job", "job", job_status),
        JobKind("export", "data export", export_status, cancel_export),
    )

    def base_url(self, account: Account) -> str:
        """Return the region's host, never the ``url`` in an answer, which may name another region."""
        return account.host or HOSTS[account["region"]]

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the access token as a bearer token."""
        return {"Authorization": f"Bearer {account['password']}"}

    def check(self, account: Account) -> Conversation[str]:
        """Ask who the token belongs to; the answer also tells the workspace's region."""
        answer = yield Request("GET", "/me", _version(account, "2.15"))
        app = mapping(answer.json.get("app"))
        region = str(app.get("region") or "").lower()
        if region in HOSTS and region != account["region"] and not account.host:
            return (
                f"Connected to Intercom workspace {app.get('name')!r}, but it is hosted in region {region!r} "
                f"and the connection says {account['region']!r}: change the field 'region'."
            )
        return f"Connected to Intercom workspace {app.get('name')!r}."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return code and message of each error of an ``error.list``."""
        errors = [mapping(error) for error in listed(body.get("errors"))]
        words = [": ".join(str(e[key]) for key in ("code", "message") if e.get(key)) for e in errors]
        return "; ".join(word for word in words if word) or None
