# SPDX-License-Identifier: Apache-2.0
"""Intercom: bulk contacts and companies, generic jobs, message data exports."""

from __future__ import annotations

import gzip
import secrets
import string
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.credentials import INTERCOM_TOKEN
from airflow_provider_bulkjobs.simulator.intercom_bulk import BULK, BulkCalls
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, Family, Job, Row, Word, item_error
from airflow_provider_bulkjobs.simulator.limits import Reading
from airflow_provider_bulkjobs.simulator.settings import PUBLISHED_LIMITS
from airflow_provider_bulkjobs.simulator.vendor import RefusedError, Route, Vendor

SECONDS_TO_DOWNLOAD = 2 * 24 * 3600
CODES = {
    400: "parameter_invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    406: "not_acceptable",
    408: "request_timeout",
    422: "parameter_invalid",
    429: "rate_limit_exceeded",
    503: "service_unavailable",
}


class Intercom(Vendor):
    """An Intercom workspace, in the US region by default."""

    name = "intercom"
    label = "Intercom"
    conn_type = "intercom"
    password = INTERCOM_TOKEN
    credentials = f"Authorization: Bearer {INTERCOM_TOKEN}"
    advertised_limit = PUBLISHED_LIMITS["intercom"]
    families = {  # noqa: RUF012 - a constant of the class
        "contacts": BULK,
        "companies": BULK,
        "job": Family(("pending",), ("success", "failed")),
        "export": Family(("pending", "in_progress"), ("completed", "no_data", "failed", "canceled")),
    }

    def routes(self) -> Iterable[Route]:
        """Return all routes."""
        yield "GET", "/me", self.me
        for noun in ("contacts", "companies"):
            yield from BulkCalls(self, noun).routes()
        yield "POST", "/tickets/enqueue", self.enqueue_ticket
        yield "GET", "/jobs/status/{id}", self.job_status
        yield "POST", "/export/content/data", self.export
        yield "GET", "/export/content/data/{id}", self.export_status
        yield "POST", "/export/cancel/{id}", self.cancel_export
        yield "GET", "/download/content/data/{id}", self.download_export

    # Credentials, errors, limits.

    def reject_credentials(self, request: web.Request) -> web.Response | None:
        """Check the access token."""
        good = request.headers.get("Authorization") == f"Bearer {INTERCOM_TOKEN}"
        return None if good else self.unauthorized()

    def unauthorized(self) -> web.Response:
        """Return a 401, which has no rate limit headers."""
        return self.error(401, "Access Token Invalid")

    def error(self, status: int, message: str, code: str = "") -> web.Response:
        """Return an error in Intercom's format."""
        error = {"code": code or CODES.get(status, "server_error"), "message": message}
        body = {"type": "error.list", "request_id": str(uuid.uuid4()), "errors": [error]}
        return web.json_response(body, status=status)

    def too_many_requests(self, reading: Reading) -> web.Response:  # noqa: ARG002
        """Return a 429; the wait is only in the headers."""
        return self.error(429, "Exceeded rate limit")

    def rate_headers(self, reading: Reading) -> Mapping[str, str]:
        """Return the limit, the remaining requests and the end of the window in epoch seconds."""
        return {
            "X-RateLimit-Limit": str(reading.limit.requests),
            "X-RateLimit-Remaining": str(reading.remaining),
            "X-RateLimit-Reset": str(int(reading.resets_at)),
        }

    async def me(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Return the user of the token, and the region of the workspace."""
        app = {
            "type": "app",
            "id_code": "simulator",
            "name": "Simulator",
            "created_at": 1734537243,
            "secure": False,
            "identity_verification": False,
            "timezone": "UTC",
            "region": self.settings.intercom_region,
        }
        admin = {"type": "admin", "id": "1", "email": "ops@example.com", "name": "Ops Bot", "email_verified": True}
        return web.json_response(admin | {"app": app, "has_inbox_seat": False})

    # Jobs.

    def natural_word(self, job: Job) -> Word:
        """Return the state of a bulk job, derived from its tasks."""
        words = [task.word(self.now()) for task in job.tasks]
        if job.canceled:
            return "canceled"
        if len(words) == 1 or all(word == words[0] for word in words):
            return words[0]
        return BULK.ends[1] if all(word in BULK.ends for word in words) else "running"

    def scripted_id(self, kind: str) -> str:
        """Return an id in the format of the job kind."""
        if kind == "job":
            return str(self.new_id())
        if kind == "export":
            return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(15))
        return f"job_v2_{self.new_id()}"

    # Generic jobs.

    async def enqueue_ticket(self, request: web.Request) -> web.Response:
        """Create a ticket in the background: one job per ticket."""
        body = await self.json_of(request)
        contacts = body.get("contacts") if isinstance(body, dict) else None
        if not isinstance(contacts, list) or not contacts or not body.get("ticket_type_id"):
            raise RefusedError(self.error(400, "Missing required ticket attributes"))
        error = next(filter(None, (item_error(contact) for contact in contacts if isinstance(contact, dict))), "")
        row = Row(f"ticket {self.new_id()}", FAILED if error else CREATED, self.new_id(), error)
        self.accept([row])
        end = "failed" if error else "success"
        job = self.submit("job", "ticket", self.task("job", [row], end), self.scripted_id("job"))
        return web.json_response(self._job_body(request, job, self.word(job)))

    async def job_status(self, request: web.Request) -> web.Response:
        """Return the state of a generic job."""
        job = self.job_of("job", request)
        return self.poll_response(job, lambda word: self._job_body(request, job, word))

    def _job_body(self, request: web.Request, job: Job, word: Word) -> dict[str, Any]:
        ticket = str(next(job.rows).contact_id) if word == "success" and job.items else None
        return {
            "type": "job",
            "id": job.id,
            "status": word,
            "url": f"{self.root(request)}/jobs/status/{job.id}",
            "resource_type": "ticket",
            "resource_id": ticket,
            "resource_url": f"{self.root(request)}/tickets/{ticket}" if ticket else None,
        }

    # Exports.

    async def export(self, request: web.Request) -> web.Response:
        """Start an export; a workspace runs one at a time."""
        body = await self.json_of(request)
        span = body if isinstance(body, dict) else {}
        after, before = span.get("created_at_after"), span.get("created_at_before")
        if not isinstance(after, int) or not isinstance(before, int):
            raise RefusedError(self.error(400, "created_at_after and created_at_before must be integers"))
        if any(self._is_active(job) for job in self.jobs.values()):
            # Not a rate limit, in spite of its status.
            raise RefusedError(self.error(429, "You have 1 pending message data export job"))
        task = self.task("export", [], "completed" if after < before else "no_data")
        job = self.submit("export", "export", task, self.scripted_id("export"))
        return web.json_response(self._export_body(request, job, self.word(job)))

    async def export_status(self, request: web.Request) -> web.Response:
        """Return the state of an export."""
        job = self.job_of("export", request)
        return self.poll_response(job, lambda word: self._export_body(request, job, word))

    async def cancel_export(self, request: web.Request) -> web.Response:
        """Cancel an export, unless it is finished."""
        job = self.job_of("export", request)
        if not self.is_finished(job, self.word(job)):
            job.canceled, job.script = True, ()
        return web.json_response(self._export_body(request, job, self.word(job)))

    async def download_export(self, request: web.Request) -> web.Response:
        """Return the file: gzipped CSV."""
        job = self.job_of("export", request)
        if "application/octet-stream" not in request.headers.get("Accept", ""):
            raise RefusedError(self.error(406, "Accept must be application/octet-stream"))
        if self.word(job) != "completed":
            raise RefusedError(self.error(404, "The export is not completed"))
        data = gzip.compress(b"id,message,created_at\n1,Welcome,1713360000\n", mtime=0)
        return web.Response(body=data, content_type="application/octet-stream")

    def _is_active(self, job: Job) -> bool:
        return job.kind == "export" and not job.script and not self.is_finished(job, self.word(job))

    def _export_body(self, request: web.Request, job: Job, word: Word) -> dict[str, Any]:
        is_available = word == "completed"
        return {
            self.settings.intercom_export_key: job.id,
            "status": word,
            "download_url": f"{self.root(request)}/download/content/data/{job.id}" if is_available else "",
            "download_expires_at": str(int(job.tasks[0].finished) + SECONDS_TO_DOWNLOAD) if is_available else "",
        }

    def job_of(self, kind: str, request: web.Request) -> Job:
        """Return the job in the path.

        :raises RefusedError: there is no such job of that kind.
        """
        job = self.find(kind, request.match_info["id"])
        if job is None:
            raise RefusedError(self.error(404, "Job Not Found", "job_not_found"))
        return job
