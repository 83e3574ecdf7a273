# SPDX-License-Identifier: Apache-2.0
"""SendGrid's exports of contacts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.jobs import UPDATED, Job, Row, Word
from airflow_provider_bulkjobs.simulator.vendor import RefusedError, Route

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.simulator.sendgrid import SendGrid

EXPORTS_PATH = "/v3/marketing/contacts/exports"
SECONDS_TO_DOWNLOAD = 3 * 24 * 3600


class Exports:
    """Endpoints of exports; every export contains all contacts."""

    def __init__(self, vendor: SendGrid) -> None:
        self.vendor = vendor

    def routes(self) -> Iterable[Route]:
        """Return the method, path and handler of each route."""
        yield "POST", EXPORTS_PATH, self.start
        yield "GET", EXPORTS_PATH, self.list_all
        yield "GET", f"{EXPORTS_PATH}/{{id}}", self.status

    async def start(self, request: web.Request) -> web.Response:
        """Start an export of all contacts."""
        body = await self.vendor.object_of(request) if await request.read() else {}
        file_type = body.get("file_type") or "csv"
        if file_type not in ("csv", "json"):
            raise RefusedError(self.vendor.error(400, "must be csv or json", "file_type"))
        rows = [Row(email, UPDATED, number) for email, number in self.vendor.known.items()]
        job = self.vendor.submit("export", "export", self.vendor.task("export", rows, "ready"), file_type=file_type)
        self_link = f"{self.vendor.root(request)}{EXPORTS_PATH}/{job.id}"
        return web.json_response({"id": job.id, "_metadata": {"self": self_link}}, status=202)

    async def list_all(self, request: web.Request) -> web.Response:
        """List the exports; this does not count as a poll."""
        jobs = [job for job in self.vendor.jobs.values() if job.kind == "export"]
        result = [self._body(request, job, self.vendor.word(job)) | {"export_type": "contacts_export"} for job in jobs]
        return web.json_response(
            {"result": result, "_metadata": {"self": f"{self.vendor.root(request)}{EXPORTS_PATH}"}}
        )

    async def status(self, request: web.Request) -> web.Response:
        """Return the state of an export."""
        job = self.vendor.find("export", request.match_info["id"])
        if job is None:
            raise RefusedError(self.vendor.error(404, "export not found"))
        return self.vendor.poll_response(job, lambda word: self._body(request, job, word))

    def _body(self, request: web.Request, job: Job, word: Word) -> dict[str, Any]:
        is_finished = self.vendor.is_finished(job, word)
        finished = job.tasks[0].finished
        body: dict[str, Any] = {
            "id": job.id,
            "status": word,
            "created_at": iso_time(job.created),
            "updated_at": iso_time(finished if is_finished else job.created),
            "expires_at": iso_time(job.created + SECONDS_TO_DOWNLOAD),
        }
        if word == "ready":
            name = f"{job.id}.{job.extra.get('file_type', 'csv')}"
            url = f"{request.url.origin()}/sendgrid-downloads/exports/{name}?X-Amz-Signature={job.signature}"
            body |= {"completed_at": iso_time(finished), "urls": [url], "contact_count": job.items}
        elif word == "failure":
            body["message"] = "the export could not be produced"
        return body


def iso_time(seconds: float) -> str:
    """Return a time in SendGrid's format."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
