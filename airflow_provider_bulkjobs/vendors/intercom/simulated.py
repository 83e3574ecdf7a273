# SPDX-License-Identifier: Apache-2.0
"""The simulated Intercom: bulk contacts and companies, generic jobs, message data exports."""

from __future__ import annotations

import gzip
import secrets
import string
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import bearer
from airflow_provider_bulkjobs.simulator.contacts import NO_IDENTITY, is_bad_address
from airflow_provider_bulkjobs.simulator.credentials import INTERCOM_TOKEN
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, Job, JobStates, Row, Task, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

MAX_ITEMS = 100
SECONDS_TO_DOWNLOAD = 2 * 24 * 3600
BULK = JobStates(("pending", "running"), "completed", partial="completed_with_errors")
NUMBERED = [*(f"1.{minor}" for minor in range(5)), *(f"2.{minor}" for minor in range(18))]
# The versions by the first part of the path; any other endpoint has all of them. Without the header, the version of the
# app is used: 1.0, unless it has been changed.
BULK_VERSIONS = {"2.17", "Preview"}
VERSIONS = {"contacts": BULK_VERSIONS, "companies": BULK_VERSIONS, "me": {"", *NUMBERED, "Preview"}}
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
APP = {
    "type": "app",
    "id_code": "simulator",
    "name": "Simulator",
    "created_at": 1734537243,
    "secure": False,
    "identity_verification": False,
    "timezone": "UTC",
}
ADMIN = {"type": "admin", "id": "1", "email": "ops@example.com", "name": "Ops Bot", "email_verified": True}


class SimulatedIntercom(SimulatedVendor):
    """An Intercom workspace, in the US region by default."""

    label = "Intercom"
    conn_type = "intercom"
    password = INTERCOM_TOKEN
    auth = (bearer(INTERCOM_TOKEN),)
    kinds = {
        "contacts": BULK,
        "companies": BULK,
        "job": JobStates(("pending",), "success", failed="failed"),
        "export": JobStates(("pending", "in_progress"), "completed", canceled="canceled", others=("no_data", "failed")),
    }
    identities = {"contacts": ("external_id", "email"), "companies": ("company_id",)}
    limits = (RateLimit(Limit(1667, 10)),)  # 10,000 per minute, counted in windows of 10 seconds
    rate_headers = RateHeaders("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    choices = {
        "intercom_region": ("US", "EU", "AU"),
        # The latest specification of Intercom misspells the key.
        "intercom_export_key": ("job_identifier", "job_identfier"),
    }

    def reject_credentials(self, request: IncomingRequest) -> web.Response | None:
        """Check the access token, and then the version of the API."""
        if rejection := super().reject_credentials(request):
            return rejection
        first = request.path.removeprefix(f"/{self.name}/").partition("/")[0]
        if request.headers.get("Intercom-Version", "") in VERSIONS.get(first, {*NUMBERED, "Preview"}):
            return None
        return self.error(400, "The requested version could not be found", "intercom_version_invalid")

    def unauthorized(self) -> web.Response:
        """Return a 401, which has no rate limit headers."""
        return self.error(401, "Access Token Invalid")

    def error(self, status: int, message: str, code: str = "") -> web.Response:
        """Return an error in Intercom's format."""
        error = {"code": code or CODES.get(status, "server_error"), "message": message}
        body = {"type": "error.list", "request_id": str(uuid.uuid4()), "errors": [error]}
        return web.json_response(body, status=status)

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return a 429; the wait is only in the headers."""
        return self.error(429, "Exceeded rate limit")

    def job_not_found(self, job_id: str) -> web.Response:
        """Return a 404 with the code ``job_not_found``."""
        return self.error(404, "Job Not Found", "job_not_found")

    def new_job_id(self, kind: str) -> str:
        """Return an id in the format of the job kind."""
        if kind == "job":
            return str(self.new_id())
        if kind == "export":
            return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(15))
        return f"job_v2_{self.new_id()}"

    def natural_word(self, job: Job) -> Word:
        """Return the state of a job, derived from its tasks."""
        words = [task.word(self.now()) for task in job.tasks]
        if all(word == words[0] for word in words):
            return words[0]
        return BULK.partial if all(map(BULK.is_final, words)) else "running"

    @route("GET", "/me")
    def me(self, request: IncomingRequest) -> Any:
        """Return the user of the token, and the region of the workspace."""
        return ADMIN | {"app": APP | {"region": self.settings.choices["intercom_region"]}, "has_inbox_seat": False}

    # Bulk contacts and companies.

    @route("POST", "/{noun:contacts|companies}/bulk")
    @route("PUT", "/{noun:contacts|companies}/bulk")
    @route("POST", "/{noun:contacts|companies}/bulk/delete")
    def bulk(self, request: IncomingRequest) -> Any:
        """Create a bulk job, or append a task to an open one. Nothing is written if the request is rejected."""
        noun, body = request.params["noun"], request.json
        verb = "delete" if request.path.endswith("/delete") else request.method
        items = self._items(verb, noun, body if isinstance(body, dict) else {})
        job = self._open_job(noun, body["job"]) if body.get("job") else None
        rows = [self._row(verb, noun, item) for item in items]
        if job:
            self.append(job, rows)
        else:
            job = self.submit(noun, rows)
        return web.json_response(self._bulk_body(request, job, self.word(job)), status=202)

    @route("GET", "/{noun:contacts|companies}/bulk/{id}")
    def bulk_status(self, request: IncomingRequest) -> Any:
        """Return the state of a bulk job; Intercom does not report which items failed."""
        job = self.job(request.params["noun"], request.params["id"])
        return self.poll(job, lambda word: self._bulk_body(request, job, word))

    def _items(self, verb: str, noun: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        items, single = body.get(noun), "contact" if noun == "contacts" else "company"
        if items is None:
            code, message = "field_not_found", f"{noun} field must be supplied"
        elif not isinstance(items, list):
            code, message = "type_mismatch", f"{noun} must be an array"
        elif len(items) > MAX_ITEMS:
            code, message = "parameter_invalid", f"maximum number of {noun} per request is {MAX_ITEMS}"
        elif not all(isinstance(item, dict) for item in items):
            code, message = "type_mismatch", f"each {single} must be an object"
        elif verb != "POST" and not all(item.get("id") for item in items):
            code, message = "field_not_found", f"each {single} must have an id"
        else:
            return items
        raise self.refuse(422, message, code)

    def _open_job(self, noun: str, reference: Any) -> Job:
        job_id = str(reference.get("id")) if isinstance(reference, dict) else str(reference)
        job = self.find(noun, job_id)
        if job is None:
            raise self.refuse(404, f"job {job_id} not found", "job_not_found")
        if job.script or self.is_finished(job):
            raise self.refuse(403, f"job {job_id} is closed for new task updates")
        return job

    def _row(self, verb: str, noun: str, item: Mapping[str, Any]) -> Row:
        store = self.stores[noun]
        if verb == "delete":
            return store.delete(item["id"])
        if verb == "PUT":
            return store.update(item["id"], item)
        if noun == "companies":
            return store.upsert(item)
        if not item.get("email") and not item.get("external_id"):
            return Row(f"without identifier {self.new_id()}", FAILED, error=NO_IDENTITY)
        return store.create(item, is_unique=item.get("role") != "lead")  # a create never updates a contact

    def _bulk_body(self, request: IncomingRequest, job: Job, word: Word) -> dict[str, Any]:
        tasks = [_task_body(task, word if job.script else task.word(self.now())) for task in job.tasks]
        times = [task[key] for task in tasks for key in ("created_at", "started_at", "completed_at") if task[key]]
        return {
            "id": job.id,
            "type": f"{job.kind}.bulk.job",
            "state": word,
            "created_at": int(job.created),
            "updated_at": max(times),
            "completed_at": max(times) if BULK.is_final(word) else None,
            "tasks": tasks,
            "url": f"{request.root}/{job.kind}/bulk/{job.id}",
        }

    # Generic jobs.

    @route("POST", "/tickets/enqueue")
    def enqueue_ticket(self, request: IncomingRequest) -> Any:
        """Create a ticket in the background: one job per ticket, which fails for contacts that do not exist."""
        body = request.json
        contacts = body.get("contacts") if isinstance(body, dict) else None
        if not isinstance(contacts, list) or not contacts or not body.get("ticket_type_id"):
            raise self.refuse(400, "Missing required ticket attributes")
        number = str(self.new_id())
        row = Row(f"ticket {number}", CREATED if all(map(self._is_known, contacts)) else FAILED, number)
        job = self.submit("job", [row])
        return self._job_body(request, job, self.word(job))

    @route("GET", "/jobs/status/{id}")
    def job_status(self, request: IncomingRequest) -> Any:
        """Return the state of a generic job."""
        job = self.job("job", request.params["id"])
        return self.poll(job, lambda word: self._job_body(request, job, word))

    def _is_known(self, contact: Any) -> bool:
        """Return whether a ticket can have this contact; one with an address is created when it does not exist."""
        if not isinstance(contact, dict):
            return False
        if contact.get("id"):
            return contact["id"] in self.contacts
        return self.contacts.find(contact) is not None or not is_bad_address(contact.get("email"))

    def _job_body(self, request: IncomingRequest, job: Job, word: Word) -> dict[str, Any]:
        ticket = next(job.rows).contact_id if word == "success" and job.items else None
        return {
            "type": "job",
            "id": job.id,
            "status": word,
            "url": f"{request.root}/jobs/status/{job.id}",
            "resource_type": "ticket",
            "resource_id": ticket,
            "resource_url": f"{request.root}/tickets/{ticket}" if ticket else None,
        }

    # Exports.

    @route("POST", "/export/content/data")
    def export(self, request: IncomingRequest) -> Any:
        """Start an export; a workspace runs one at a time."""
        body = request.json
        span = body if isinstance(body, dict) else {}
        after, before = span.get("created_at_after"), span.get("created_at_before")
        if not isinstance(after, int) or not isinstance(before, int):
            raise self.refuse(400, "created_at_after and created_at_before must be integers")
        if any(job.kind == "export" and not job.script and not self.is_finished(job) for job in self.jobs.values()):
            # Not a rate limit, in spite of its status.
            raise self.refuse(429, "You have 1 pending message data export job")
        job = self.submit("export", [], end="completed" if after < before else "no_data")
        return self._export_body(request, job, self.word(job))

    @route("GET", "/export/content/data/{id}")
    def export_status(self, request: IncomingRequest) -> Any:
        """Return the state of an export."""
        job = self.job("export", request.params["id"])
        return self.poll(job, lambda word: self._export_body(request, job, word))

    @route("POST", "/export/cancel/{id}")
    def cancel_export(self, request: IncomingRequest) -> Any:
        """Cancel an export, unless it is finished."""
        job = self.job("export", request.params["id"])
        self.cancel(job)
        return self._export_body(request, job, self.word(job))

    @route("GET", "/download/content/data/{id}")
    def download_export(self, request: IncomingRequest) -> Any:
        """Return the file: gzipped CSV."""
        job = self.job("export", request.params["id"])
        accepted = {part.partition(";")[0].strip() for part in request.headers.get("Accept", "").split(",")}
        if not accepted & {"application/octet-stream", "application/*", "*/*"}:
            raise self.refuse(406, "Accept must be application/octet-stream")
        if self.word(job) != "completed":
            raise self.refuse(404, "The export is not completed")
        data = gzip.compress(b"id,message,created_at\n1,Welcome,1713360000\n", mtime=0)
        return web.Response(body=data, content_type="application/octet-stream")

    def _export_body(self, request: IncomingRequest, job: Job, word: Word) -> dict[str, Any]:
        is_available = word == "completed"
        return {
            self.settings.choices["intercom_export_key"]: job.id,
            "status": word,
            "download_url": f"{request.root}/download/content/data/{job.id}" if is_available else "",
            "download_expires_at": str(int(job.tasks[0].finished) + SECONDS_TO_DOWNLOAD) if is_available else "",
        }


def _task_body(task: Task, word: Word) -> dict[str, Any]:
    return {
        "id": task.id,
        "item_count": len(task.rows),
        "state": word,
        "created_at": int(task.created),
        "started_at": None if word == "pending" else int(task.started),
        "completed_at": int(task.finished) if BULK.is_final(word) else None,
    }
