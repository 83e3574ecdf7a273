# SPDX-License-Identifier: Apache-2.0
"""The simulated Omnisend: batches of contacts.

Requests and responses follow the published specification: https://api-docs.omnisend.com/reference/post_batches
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import HeaderKey
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, RefusedError, nested
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

MAX_ITEMS, MAX_PAGE = 100, 250
KINDS = {400: "validation-failed", 404: "not-found", 429: "rate-limit-exceeded"}
ENDPOINTS = ("products", "contacts", "events")


class SimulatedOmnisend(SimulatedVendor):
    """Omnisend, version 2026-03-15."""

    label = "Omnisend"
    conn_type = "omnisend"
    password = "5f92cbf1-omnisend"  # noqa: S105
    extra = {"requests_per_second": 0}  # otherwise the waits would share a list for ten seconds
    auth = (
        HeaderKey("Authorization", f"Omnisend-API-Key {password}"),
        HeaderKey("Authorization", f"Bearer {password}"),
    )
    kinds = {"contacts": JobStates(("pending", "inProgress"), "finished", others=("stopped",))}
    limits = (RateLimit(Limit(400, 60)),)
    identities = {"contacts": ("email", "phone")}

    def error(self, status: int, message: str, **more: Any) -> web.Response:
        """Return a problem."""
        kind = f"https://problems.omnisend.com/{KINDS.get(status, 'problem')}"
        problem = {"type": kind, "title": HTTPStatus(status).phrase, "status": status, "detail": message}
        return web.json_response({**problem, "instance": f"urn:omnisend:request:{uuid.uuid4()}", **more}, status=status)

    def unauthorized(self) -> web.Response:
        """Return the response to an invalid key."""
        return self.error(401, "The API key is not valid.")

    def reject_credentials(self, request: IncomingRequest) -> web.Response | None:
        """Return a 401, or a 400 without the version, which every request needs."""
        rejection = super().reject_credentials(request)
        if rejection is not None or "Omnisend-Version" in request.headers:
            return rejection
        return self._invalid("Omnisend-Version", "header is required")

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return the response to a request above the rate limit; only its body has the wait."""
        return self.error(429, "Too many requests.", retryAfter=reading.seconds_left(self.now()))

    def job_not_found(self, job_id: str) -> web.Response:
        """Return the response to an unknown batch."""
        return self.error(404, "Batch not found.")

    def new_job_id(self, kind: str) -> str:
        """Return 24 hexadecimal digits."""
        return f"66f2cbf10cf2174{self.new_id():09x}"

    @own_fault("version_retired")
    def version_retired(self) -> web.Response:
        """Return the response to a version that is no longer supported."""
        return self.error(410, "Use a supported Omnisend-Version.")

    @route("GET", "/api/brands/current")
    def brand(self, request: IncomingRequest) -> Any:
        """Return the brand of the key."""
        shop = {"brandID": "5f92cbf10cf217478ba93000", "name": "Example Shop", "website": "https://shop.example.com"}
        return {**shop, "platform": "api", "currency": "EUR", "timezone": "Europe/Vilnius", "connected": True}

    @route("POST", "/api/batches")
    def start_batch(self, request: IncomingRequest) -> Any:
        """Start a batch of contacts."""
        body = request.object
        items = body.get("items")
        if body.get("endpoint") != "contacts" or body.get("method") != "POST":
            raise RefusedError(self._invalid("endpoint", "the simulator has batches of contacts with POST only"))
        if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
            raise RefusedError(self._invalid("items", f"must have 1 to {MAX_ITEMS} items"))
        job = self.submit("contacts", [self._import(item) for item in items], items=items)
        return web.json_response({"batchID": job.id, "totalCount": job.items}, status=201)

    @route("GET", "/api/batches")
    def batches(self, request: IncomingRequest) -> Any:
        """Return a page of the batches, or of those in one state."""
        if request.query.get("endpoint") not in ENDPOINTS:
            raise RefusedError(self._invalid("endpoint", f"must be one of {', '.join(ENDPOINTS)}"))
        wanted, offset = request.query.get("status"), request.integer("offset", 0)
        limit = request.integer("limit", 100, minimum=1, maximum=MAX_PAGE)
        jobs = self.jobs.values() if request.query["endpoint"] == "contacts" else ()
        found = [job for job in jobs if job.id not in self.expired and wanted in (None, self.word(job))]
        page = [self._poll(job) for job in found[offset : offset + limit]]
        return {"batches": page, "paging": {"offset": offset, "limit": limit}}

    @route("GET", "/api/batches/{id}")
    def batch(self, request: IncomingRequest) -> Any:
        """Return a batch."""
        return self._poll(self.job("contacts", request.params["id"]))

    @route("GET", "/api/batches/{id}/items")
    def batch_items(self, request: IncomingRequest) -> Any:
        """Return a batch with the results of its items."""
        job = self.job("contacts", request.params["id"])
        batch = self._batch(job, self.word(job))
        rows = list(job.rows)[: batch["finishedCount"]]
        contacts = job.extra.get("items") or [{"identifiers": [{"type": "email", "id": row.key}]} for row in rows]
        items = [_item(number, row, contacts[number]) for number, row in enumerate(rows)]
        failed = [item for item in items if item["responseCode"] >= 400]
        return {**batch, "errors": failed, "responses": [item for item in items if item not in failed]}

    def _import(self, item: Any) -> Row:
        """Create or update the contact of an item; its addresses are also fields of the contact."""
        contact = dict(item) if isinstance(item, dict) else {}
        for each in contact.get("identifiers") or []:
            contact[str(nested(each, "type"))] = nested(each, "id")
        return self.contacts.upsert(contact)

    def _invalid(self, field: str, message: str) -> web.Response:
        errors = [{"field": field, "code": "invalid", "message": message}]
        return self.error(400, "One or more fields are invalid.", errors=errors)

    def _poll(self, job: Job) -> Any:
        return self.poll(job, lambda word: self._batch(job, word))

    def _batch(self, job: Job, word: Word) -> dict[str, Any]:
        executed = {"pending": 0, "finished": job.items}.get(str(word), job.items // 2)
        rows = list(job.rows)[:executed]
        times = {"startedAt": job.tasks[-1].started} if word != "pending" else {}
        times |= {"endedAt": job.tasks[-1].finished} if self.kinds[job.kind].is_final(word) else {}
        return {
            "batchID": job.id,
            "method": "POST",
            "endpoint": "contacts",
            "status": word,
            "createdAt": _time(job.created),
            **{name: _time(seconds) for name, seconds in times.items()},
            "totalCount": job.items,
            "finishedCount": executed,
            "errorsCount": sum(row.outcome == FAILED for row in rows),
        }


def _item(number: int, row: Row, contact: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of an item, with the error in the format of an older version, the only documented one."""
    if row.outcome == FAILED:
        response: Any = {"error": "1 error(s) found. Check 'fields' array for details.", "fields": {"0": [row.error]}}
    else:
        response = {"email": row.key, "contactID": row.contact_id}
    code = {FAILED: 400, CREATED: 201}.get(row.outcome, 200)
    item_id = f"66f2cbf10cf2175{number:09x}"
    return {"itemID": item_id, "status": "finished", "responseCode": code, "request": contact, "response": response}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
