# SPDX-License-Identifier: Apache-2.0
"""Twilio SendGrid: contacts as JSON and as CSV, deletes; see sendgrid_exports and sendgrid_files for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.credentials import SENDGRID_KEY
from airflow_provider_bulkjobs.simulator.jobs import (
    CREATED,
    DELETED,
    FAILED,
    UPDATED,
    Family,
    Job,
    Row,
    Word,
    item_error,
)
from airflow_provider_bulkjobs.simulator.limits import Reading
from airflow_provider_bulkjobs.simulator.sendgrid_exports import Exports, iso_time
from airflow_provider_bulkjobs.simulator.sendgrid_files import UPLOAD_HEADERS, Files
from airflow_provider_bulkjobs.simulator.settings import Limit
from airflow_provider_bulkjobs.simulator.vendor import RefusedError, Route, Vendor

MAX_CONTACTS = 30_000
MAX_BYTES = 6 * 1024 * 1024
IDENTITIES = ("email", "phone_number_id", "external_id", "anonymous_id")
IMPORTS_PATH = "/v3/marketing/contacts/imports"
SCOPES = {
    "marketing": ["marketing.read", "marketing.update", "user.account.read", "user.username.read"],
    "mail": ["mail.send"],
}
RESERVED_FIELDS = {"_rf0_T": "first_name", "_rf1_T": "last_name", "_rf2_T": "email"}


class SendGrid(Vendor):
    """SendGrid Marketing Campaigns."""

    name = "sendgrid"
    label = "Twilio SendGrid"
    conn_type = "sendgrid"
    password = SENDGRID_KEY
    credentials = f"Authorization: Bearer {SENDGRID_KEY}"
    advertised_limit = Limit(600, 60)  # the real limits are not published
    families = {  # noqa: RUF012 - a constant of the class
        "contacts": Family(("pending",), ("completed", "errored", "failed")),
        "export": Family(("pending",), ("ready", "failure")),
    }
    open_paths = ("/sendgrid-uploads/", "/sendgrid-downloads/")

    def routes(self) -> Iterable[Route]:
        """Return all routes; those of the files are outside the vendor's root, as if on another host."""
        yield "GET", "/v3/scopes", self.scopes
        yield "GET", "/v3/user/username", self.user_name
        yield "GET", "/v3/marketing/field_definitions", self.field_definitions
        yield "PUT", "/v3/marketing/contacts", self.upsert
        yield "DELETE", "/v3/marketing/contacts", self.delete
        yield "PUT", IMPORTS_PATH, self.import_file
        yield "GET", f"{IMPORTS_PATH}/{{id}}", self.import_status
        yield from Exports(self).routes()
        yield from Files(self).routes()

    # Credentials, errors, limits.

    def reject_credentials(self, request: web.Request) -> web.Response | None:
        """Check the API key."""
        good = request.headers.get("Authorization") == f"Bearer {SENDGRID_KEY}"
        return None if good else self.unauthorized()

    def unauthorized(self) -> web.Response:
        """Return a 401."""
        return self.error(401, "authorization required")

    def error(self, status: int, message: str, field: str | None = None) -> web.Response:
        """Return a list of errors; ``field`` is omitted where the specification allows no null."""
        error = {"message": message} if field is None and status == 400 else {"field": field, "message": message}
        return web.json_response({"errors": [error]}, status=status)

    def too_many_requests(self, reading: Reading) -> web.Response:  # noqa: ARG002
        """Return a 429."""
        return self.error(429, "too many requests")

    def rate_headers(self, reading: Reading) -> Mapping[str, str]:
        """Return limit, remaining requests and reset; the documentation has both a time and a delay for the reset."""
        is_epoch = self.settings.sendgrid_reset == "epoch"
        return {
            "X-RateLimit-Limit": str(reading.limit.requests),
            "X-RateLimit-Remaining": str(reading.remaining),
            "X-RateLimit-Reset": str(int(reading.resets_at) if is_epoch else reading.seconds_left(self.now())),
        }

    async def scopes(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Return the scopes of the key."""
        return web.json_response({"scopes": SCOPES[self.settings.sendgrid_scopes]})

    async def user_name(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Return the user of the key."""
        return web.json_response({"username": "simulator", "user_id": 1})

    async def field_definitions(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Return the ids of the fields that CSV columns can be mapped to."""
        fields = [{"id": key, "name": name, "field_type": "Text"} for key, name in RESERVED_FIELDS.items()]
        return web.json_response({"custom_fields": [], "reserved_fields": fields, "_metadata": {}})

    # Imports.

    async def upsert(self, request: web.Request) -> web.Response:
        """Create or update contacts."""
        data = await request.read()
        if len(data) > MAX_BYTES:
            raise RefusedError(self.error(400, "request body must be at most 6MB", "contacts"))
        body = await self.object_of(request)
        contacts = body.get("contacts")
        if not isinstance(contacts, list) or not all(isinstance(contact, dict) for contact in contacts):
            raise RefusedError(self.error(400, "must be a list of contacts", "contacts"))
        if not 1 <= len(contacts) <= MAX_CONTACTS:
            raise RefusedError(self.error(400, f"must hold 1 to {MAX_CONTACTS} contacts", "contacts"))
        self._check_lists(body)
        rows = [self.row_of(contact) for contact in contacts]
        self.accept(rows)
        job = self.submit("contacts", "upsert", self.task("contacts", rows, self.end_of(rows)))
        return web.json_response({"job_id": job.id}, status=202)

    async def import_file(self, request: web.Request) -> web.Response:
        """Start a CSV import, which is pending until the file is uploaded to the URL in the response."""
        body = await self.object_of(request)
        if body.get("file_type") != "csv":
            raise RefusedError(self.error(400, "must be csv", "file_type"))
        fields = body.get("field_mappings")
        if not isinstance(fields, list) or not any(fields):
            raise RefusedError(self.error(400, "must hold at least one field id", "field_mappings"))
        self._check_lists(body)
        task = self.task("contacts", [], "failed", waits=True)
        job = self.submit("contacts", "upsert", task, fields=fields)
        return web.json_response(
            {
                "job_id": job.id,
                "upload_uri": f"{request.url.origin()}/sendgrid-uploads/{job.id}?X-Amz-Signature={job.signature}",
                "upload_headers": [{"header": name, "value": value} for name, value in UPLOAD_HEADERS.items()],
            }
        )

    async def delete(self, request: web.Request) -> web.Response:
        """Delete the given contacts, or all contacts."""
        ids = [key for key in request.query.get("ids", "").split(",") if key]
        if request.query.get("delete_all_contacts") == "true":
            rows = [Row(email, DELETED, number) for email, number in self.known.items()]
            self.known.clear()
        elif ids:
            errors = {key: item_error({"id": key}) for key in ids}
            rows = [Row(key, FAILED if errors[key] else DELETED, error=errors[key]) for key in ids]
        else:
            raise RefusedError(self.error(400, "ids or delete_all_contacts must be given", "ids"))
        self.accept(rows)
        job = self.submit("contacts", "delete", self.task("contacts", rows, self.end_of(rows)))
        return web.json_response({"job_id": job.id}, status=202)

    async def import_status(self, request: web.Request) -> web.Response:
        """Return the state of an upsert, a CSV import or a delete."""
        job = self.find("contacts", request.match_info["id"])
        if job is not None:
            return self.poll_response(job, lambda word: self._import_body(request, job, word))
        error: Any = {"field": None, "message": "import job not found"}
        # The specification has a single object only in this response.
        errors = [error] if self.settings.sendgrid_errors_shape == "list" else error
        return web.json_response({"errors": errors}, status=404)

    def row_of(self, contact: Mapping[str, Any]) -> Row:
        """Create or update a contact."""
        key = next((str(contact[name]) for name in IDENTITIES if contact.get(name)), "").strip().lower()
        error = item_error({"email": contact.get("email")}) or ("" if key else "No identifier was given.")
        if error:
            return Row(key or f"without identifier {self.new_id()}", FAILED, error=error)
        outcome, contact_id = self.upsert_contact(key)
        return Row(key, outcome, contact_id)

    def end_of(self, rows: list[Row]) -> str:
        """Return the final state of an import with these rows."""
        failed = sum(row.outcome == FAILED for row in rows)
        if failed == 0:
            return "completed"
        return "failed" if failed == len(rows) else "errored"

    async def object_of(self, request: web.Request) -> dict[str, Any]:
        """Return the JSON object of a request.

        :raises RefusedError: the body is not a JSON object.
        """
        body = await self.json_of(request)
        if not isinstance(body, dict):
            raise RefusedError(self.error(400, "The request body must be a JSON object."))
        return body

    def _check_lists(self, body: Mapping[str, Any]) -> None:
        lists = body.get("list_ids") or []
        if not isinstance(lists, list):
            raise RefusedError(self.error(400, "must be a list of ids", "list_ids"))
        if any(str(list_id).startswith("bad") for list_id in lists):
            raise RefusedError(self.error(404, "list id does not exist", "list_ids"))

    def _import_body(self, request: web.Request, job: Job, word: Word) -> dict[str, Any]:
        task = job.tasks[0]
        body: dict[str, Any] = {"id": job.id, "status": word, "job_type": job.action}
        results: dict[str, Any] = {} if task.began is None else {"requested_count": job.items}
        body |= {"results": results, "started_at": iso_time(job.created)}
        if not self.is_finished(job, word):
            return body
        counts = job.counts
        if word != "failed":
            outcomes = (DELETED,) if job.action == "delete" else (CREATED, UPDATED)
            results |= {f"{outcome}_count": counts[outcome] for outcome in outcomes}
        results["errored_count"] = counts[FAILED]
        if counts[FAILED]:
            path = f"/sendgrid-downloads/errors/{job.id}.csv?X-Amz-Signature={job.signature}"
            results["errors_url"] = f"{request.url.origin()}{path}"
        return body | {"finished_at": iso_time(task.finished)}
