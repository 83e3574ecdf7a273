# SPDX-License-Identifier: Apache-2.0
"""Klaviyo: bulk import jobs for profiles.

https://developers.klaviyo.com/en/reference/bulk_import_profiles
https://developers.klaviyo.com/en/reference/get_bulk_import_profiles_job
https://developers.klaviyo.com/en/reference/get_errors_for_bulk_import_profiles_job
https://developers.klaviyo.com/en/reference/get_account
https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote

from airflow_provider_bulkjobs.exceptions import InvalidItem, TransientError
from airflow_provider_bulkjobs.protocol.flow import Flow, Request, path_segment
from airflow_provider_bulkjobs.protocol.job import BulkJob, JobState, count, utc_time
from airflow_provider_bulkjobs.vendors.spec.fields import Account, Field
from airflow_provider_bulkjobs.vendors.spec.item_result import ItemResult, ResultsFlow
from airflow_provider_bulkjobs.vendors.spec.operation import (
    Operation,
    Option,
    Record,
    SubmitContext,
    SubmitFlow,
    encode_json,
    every,
)
from airflow_provider_bulkjobs.vendors.spec.states import States
from airflow_provider_bulkjobs.vendors.spec.vendor import JobKind, Vendor
from airflow_provider_bulkjobs.vendors.spec.vendor_docs import VendorDocs
from airflow_provider_bulkjobs.vendors.toolkit.connection_test import require_vendor_response
from airflow_provider_bulkjobs.vendors.toolkit.paging import Pages
from airflow_provider_bulkjobs.vendors.toolkit.status import (
    as_dict,
    as_list,
    check_counts,
    request_details,
    require_finished,
)
from airflow_provider_bulkjobs.vendors.toolkit.submits import accepted_job_id
from airflow_provider_bulkjobs.vendors.toolkit.validators import needs_any, only_fields

DOCS_URL = "https://developers.klaviyo.com/en/reference/get_bulk_import_profiles_job"
JOBS_PATH = "/api/profile-bulk-import-jobs"
REVISION = "2026-07-15"
MEDIA_TYPE = "application/vnd.api+json"
POINTER = re.compile(r"/data/attributes/profiles/data/(\d{1,9})(?:/attributes)?(?:/(.*))?$")
MAX_ERRORS = 100  # per page
MAX_PAGES = 10_000  # a job has up to 10,000 profiles, and a page has at least one error

STATES = States(
    "Klaviyo",
    DOCS_URL,
    "status",
    {
        "queued": JobState.PENDING,
        "processing": JobState.RUNNING,
        "complete": JobState.SUCCEEDED,  # or partially failed: depends on the counts, or on the errors
        "cancelled": JobState.CANCELED,
    },
)
IDENTITIES = ("id", "email", "phone_number", "external_id", "_kx")
ATTRIBUTES = ("first_name", "last_name", "organization", "locale", "title", "image", "location", "properties")


def _attributes(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return as_dict(as_dict(body.get("data")).get("attributes"))


def read_import(body: Mapping[str, Any], job_id: str) -> BulkJob:
    """Read the state and the counts of an import; created and updated profiles are not counted separately."""
    attributes = _attributes(body)
    state, word = STATES.read(attributes)
    # An odd "failed_count" is a missing one: the errors are asked for instead.
    check_counts("Klaviyo", state, attributes.get("total_count"), attributes.get("completed_count"))
    return BulkJob(
        job_id,
        state,
        word,
        total=count(attributes.get("total_count")),
        succeeded=count(attributes.get("completed_count")) if state.is_finished else None,
        failed=count(attributes.get("failed_count")),
        created_at=utc_time(attributes.get("created_at")),
        started_at=utc_time(attributes.get("started_at")),
        finished_at=utc_time(attributes.get("completed_at")),
    )


def import_status(account: Account, job_id: str) -> Flow[BulkJob]:  # noqa: ARG001
    """Request an import and, if it has no count of failures, the first page of its errors."""
    job = read_import((yield Request("GET", _path(job_id))).json, job_id)
    if job.state is not JobState.SUCCEEDED or job.failed is not None:
        return job
    errors, cursor = yield from _read_errors(job_id)
    if errors or cursor is not None:
        return replace(job, state=JobState.PARTIALLY_FAILED, succeeded=None)
    if job.total is None:
        raise TransientError("Klaviyo returned 'complete' without a 'total_count', which every import has")
    return replace(job, failed=0)


def import_results(account: Account, job_id: str) -> ResultsFlow:  # noqa: ARG001
    """Yield the failed profiles with their errors, page by page; Klaviyo does not list the others."""
    attributes = _attributes((yield Request("GET", _path(job_id))).json)
    require_finished(STATES, attributes)
    pages = Pages("Klaviyo: the list of import errors", partial(_read_errors, job_id), max_pages=MAX_PAGES)
    listed_errors = 0
    while pages.has_next:
        errors = yield from pages.read_next()
        listed_errors += len(errors)
        yield [_failure(as_dict(as_dict(error).get("attributes"))) for error in errors]
    pages.require_complete()
    if not listed_errors and (failed := count(attributes.get("failed_count"))):
        raise TransientError(f"Klaviyo counts {failed} failed profiles, but returned no errors for them")


def _path(job_id: str) -> str:
    return f"{JOBS_PATH}/{path_segment(job_id)}"


def _read_errors(job_id: str, cursor: str = "") -> Flow[tuple[list[Any], str | None]]:
    """Request a page of errors; return them, and the cursor of the next page."""
    more = f"&page%5Bcursor%5D={quote(cursor, safe='')}" if cursor else ""
    page = yield from request_details(STATES.vendor, f"{_path(job_id)}/import-errors?page%5Bsize%5D={MAX_ERRORS}{more}")
    if not isinstance(page.get("data"), list):
        raise TransientError("Klaviyo response has no list of import errors")
    return page["data"], _next_cursor(page)


def _failure(error: Mapping[str, Any]) -> ItemResult:
    source = as_dict(error.get("source")).get("pointer")
    messages = [str(error[key]) for key in ("title", "detail") if error.get(key)]
    return ItemResult(
        "failed", ": ".join(messages) or None, as_dict(error.get("original_payload")) or {"source": source}
    )


def _invalid_profile(error: Mapping[str, Any]) -> InvalidItem | None:
    found = POINTER.match(str(as_dict(error.get("source")).get("pointer")))
    if not found:
        return None
    message = error.get("detail") or error.get("title")
    return InvalidItem(int(found[1]), (found[2] or "").replace("/", ".") or None, str(message) if message else None)


def _next_cursor(page: Mapping[str, Any]) -> str | None:
    """Return the cursor of the next page; the link itself is not followed, as it may lead to another host."""
    links = page.get("links")
    link = links.get("next") if isinstance(links, dict) else links
    if link is None:
        return None
    cursors = parse_qs(link.partition("?")[2]).get("page[cursor]") if isinstance(link, str) else None
    if not cursors:
        raise TransientError("Klaviyo response has a link to the next page of errors without a cursor")
    return cursors[0]


def submit_import(context: SubmitContext) -> SubmitFlow:
    """Submit profiles, and add them to the lists in the options."""
    lists = [{"type": "list", "id": str(one)} for one in as_list(context.options.get("lists"))]
    relationships = b',"relationships":%b' % encode_json({"lists": {"data": lists}}) if lists else b""
    body = b'{"data":{"type":"profile-bulk-import-job","attributes":{"profiles":{"data":[%b]}}%b}}'
    body = body % (context.payload.data, relationships)
    response = yield Request("POST", JOBS_PATH, {"Content-Type": MEDIA_TYPE}, body=body)
    return accepted_job_id("Klaviyo", as_dict(response.json.get("data")), "id")


def _encode_profile(record: Record) -> bytes:
    attributes = {name: value for name, value in record.items() if name != "id"}
    own_id = {"id": record["id"]} if record.get("id") else {}
    return encode_json({"type": "profile", **own_id, "attributes": attributes})


IMPORT = Operation(
    "import",
    submit_import,
    max_items=10_000,
    max_bytes=5_000_000,
    max_item_bytes=100_000,
    # No "meta": a retry would append its values a second time.
    check=every(
        needs_any(*IDENTITIES), only_fields((*IDENTITIES, *ATTRIBUTES), "put custom fields into field 'properties'")
    ),
    header_names=IDENTITIES,
    options=(Option("lists", (list,), "ids of the lists to add the profiles to"),),
    encode=_encode_profile,
    idempotent=True,
)


class Klaviyo(Vendor):
    """Klaviyo."""

    conn_type = "klaviyo"
    label = "Klaviyo"
    docs_url = DOCS_URL
    requests_per_second = 2.5  # 150 per minute; and at most 10 in any second
    fields = (
        Field(
            "password",
            "Private API key",
            "In Klaviyo: Settings > API keys. Required scopes: accounts:read, profiles:read, "
            "profiles:write, lists:read, lists:write.",
            placeholder="pk_xxxx",
            where="Settings > API keys",
            required=True,
        ),
        Field(
            "host",
            "API host",
            "Leave empty to use Klaviyo's own host.",
            placeholder="https://a.klaviyo.com",
            where="default: Klaviyo's host",
        ),
        Field(
            "revision",
            "API revision",
            "API revision (date) sent in the `revision` header.",
            placeholder=REVISION,
            default=REVISION,
        ),
    )
    kinds = (
        JobKind(
            "profiles", "profile import", import_status, operations=(IMPORT,), results=import_results, states=STATES
        ),
    )
    notes = VendorDocs(
        permissions="The key needs the scopes profiles:read and profiles:write, lists:read and lists:write, and "
        "accounts:read for the connection test.",
        limits=(
            "150 requests per minute and 10 per second, shared by all private keys of an account.",
            "The endpoint of the connection test: 15 requests per minute and 1 per second.",
        ),
        not_reported=(
            "Which profiles were created and which were updated.",
            "The outcome of profiles that are missing from both counts, completed and failed: they count as failed.",
            "The job retention period: undocumented (jobs have an `expires_at` field).",
        ),
    )

    def base_url(self, account: Account) -> str:
        """Return the API host."""
        return account.host_without("/api") or "https://a.klaviyo.com"

    def headers(self, account: Account, token: str | None) -> Mapping[str, str]:  # noqa: ARG002
        """Return the key with Klaviyo's authorization scheme, and the revision, which every request needs."""
        return {
            "Authorization": f"Klaviyo-API-Key {account['password']}",
            "revision": account["revision"],
            "Accept": MEDIA_TYPE,
        }

    def check(self, account: Account) -> Flow[str]:
        """Request the account of the key."""
        response = yield Request("GET", "/api/accounts")
        found = [as_dict(one) for one in as_list(response.json.get("data"))]
        accounts = [str(one["id"]) for one in found if one.get("type") == "account" and one.get("id")]
        require_vendor_response(self, account, accounts)
        return f"Connected to Klaviyo as account {', '.join(accounts)}."

    def error_text(self, body: Mapping[str, Any]) -> str | None:
        """Return the detail or the title of each error."""
        errors = map(as_dict, as_list(body.get("errors")))
        messages = [error.get("detail") or error.get("title") for error in errors]
        return "; ".join(str(message) for message in messages if message) or None

    def invalid_items(self, body: Mapping[str, Any]) -> list[InvalidItem]:
        """Return the profiles that the error pointers refer to."""
        return [item for error in map(as_dict, as_list(body.get("errors"))) if (item := _invalid_profile(error))]
