# SPDX-License-Identifier: Apache-2.0
"""The simulated GetResponse: imports of contacts into lists.

Requests and responses follow the published specification: https://apireference.getresponse.com
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import HeaderKey, OAuth2
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, UPDATED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

API = "https://api.getresponse.com/v3"
MAX_BYTES = 20_000_000
CLIENT = {"client_id": "getresponse-client", "client_secret": "getresponse-secret"}
CODES = {401: 1014, 403: 1023, 404: 1013, 409: 1008, 429: 1015, 500: 1}
IN_QUEUE = "alreadyInQueue"
REASONS = ("syntaxErrors", IN_QUEUE, "invalidDomains", "blacklist", "policyFailures", "mismatchedCriteria")


class SimulatedGetResponse(SimulatedVendor):
    """GetResponse, API version 3."""

    label = "GetResponse"
    conn_type = "getresponse"
    password = "getresponse-key"  # noqa: S105
    auth = (HeaderKey("X-Auth-Token", f"api-key {password}"), OAuth2("/v3/token", {"client_credentials": CLIENT}))
    kinds = {
        "contacts": JobStates(
            ("uploaded", "to_review", "approved"), "finished", others=("review", "rejected", "canceled")
        )
    }
    limits = (RateLimit(Limit(30_000, 600)), RateLimit(Limit(80, 1), "getresponse_second"))
    rate_headers = RateHeaders(
        "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "seconds", retry_after="Retry-After"
    )

    def error(self, status: int, message: str, context: Mapping[str, Any] | None = None) -> web.Response:
        """Return an error."""
        code = CODES.get(status, 1000)
        return web.json_response(
            {
                "httpStatus": status,
                "code": code,
                "codeDescription": HTTPStatus(status).phrase,
                "message": message,
                "moreInfo": f"https://apidocs.getresponse.com/en/v3/errors/{code}",
                "context": dict(context or {}),
                "uuid": self.new_job_id(""),
            },
            status=status,
        )

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return the response to a request above a rate limit."""
        seconds = f"{reading.seconds_left(self.now())} seconds"
        context = {"currentLimit": reading.limit.requests, "timeToReset": seconds}
        return self.error(429, "The limit of requests in this time window is reached", context)

    def rate_limit_headers(self, reading: Reading, *, is_rejected: bool) -> Mapping[str, str]:
        """Return the headers; the time to the reset has its unit."""
        headers = super().rate_limit_headers(reading, is_rejected=is_rejected)
        return {**headers, self.rate_headers.reset: f"{headers[self.rate_headers.reset]} seconds"}

    @own_fault("import_active")
    def import_active(self) -> web.Response:
        """Return the response to an import while another one into the list has not finished."""
        return self.error(409, "Property value is already taken")

    @route("GET", "/v3/accounts")
    def account(self, request: IncomingRequest) -> Any:
        """Return the account of the key."""
        return {"accountId": "VfEy1", "href": f"{API}/accounts"}

    @route("POST", "/v3/imports")
    def start_import(self, request: IncomingRequest) -> Any:
        """Start an import."""
        if len(request.body) > MAX_BYTES:
            raise self.refuse(413, "The request is larger than 20 MB")
        body = request.object
        columns, rows = body.get("fieldMapping"), body.get("contacts")
        if not isinstance(body.get("campaignId"), str) or not isinstance(columns, list) or "email" not in columns:
            raise self.refuse(400, "Validation error", {"fieldName": "campaignId or fieldMapping"})
        if not isinstance(rows, list) or not all(_is_row(row, len(columns)) for row in rows):
            raise self.refuse(400, "Validation error", {"fieldName": "contacts"})
        seen: set[str] = set()
        outcomes = [self._import(dict(zip(columns, row, strict=True)), seen) for row in rows]
        job = self.submit("contacts", outcomes, campaign=body["campaignId"])
        return web.json_response(self._body(job, self.word(job)), status=201)

    @route("GET", "/v3/imports/{id}")
    def status(self, request: IncomingRequest) -> Any:
        """Return an import."""
        job = self.job("contacts", request.params["id"])
        return self.poll(job, lambda word: self._body(job, word))

    def _import(self, contact: dict[str, str], seen: set[str]) -> Row:
        email = contact["email"].lower()
        if email in seen:
            return Row(email, FAILED, error=IN_QUEUE)
        seen.add(email)
        return self.contacts.upsert(contact)

    def _body(self, job: Job, word: Word) -> dict[str, Any]:
        """Return an import; contacts are loaded when it is finished, and checked before."""
        is_loaded = word == "finished"
        reasons = Counter(_reason(row) for row in job.rows if row.outcome == FAILED)
        counts = job.counts if is_loaded else {}
        campaign = job.extra.get("campaign", "z5c")
        return {
            "importId": job.id,
            "campaign": {"campaignId": campaign, "name": "newsletter", "href": f"{API}/campaigns/{campaign}"},
            "status": word,
            "statistics": {
                "uploaded": job.items,
                "invalid": 0 if word == "uploaded" else reasons.total(),
                "updated": counts.get(UPDATED, 0),
                "addedToList": counts.get(CREATED, 0),
            },
            "errorStatistics": {name: 0 if word == "uploaded" else reasons[name] for name in REASONS},
            "createdOn": _time(job.created),
            **({"finishedOn": _time(job.tasks[-1].finished)} if is_loaded else {}),
            "href": f"{API}/imports/{job.id}",
        }


def _is_row(row: Any, width: int) -> bool:
    return isinstance(row, list) and len(row) == width and all(isinstance(cell, str) for cell in row)


def _reason(row: Row) -> str:
    if row.error == IN_QUEUE:
        return IN_QUEUE
    return "invalidDomains" if "@" in row.key else "syntaxErrors"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
