# SPDX-License-Identifier: Apache-2.0
"""The simulated Twilio SendGrid: contacts as JSON and as CSV files, deletes, exports."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import bearer
from airflow_provider_bulkjobs.simulator.credentials import SENDGRID_KEY
from airflow_provider_bulkjobs.simulator.files import csv_response, storage_error
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, csv_lines
from airflow_provider_bulkjobs.simulator.jobs import (
    CREATED,
    DELETED,
    EXPORTED,
    FAILED,
    UPDATED,
    Job,
    JobStates,
    Row,
    Word,
)
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

MAX_CONTACTS = 30_000
MAX_BYTES = 6 * 1024 * 1024
SECONDS_TO_DOWNLOAD = 3 * 24 * 3600
CONTACTS_PATH = "/v3/marketing/contacts"
IMPORTS_PATH = f"{CONTACTS_PATH}/imports"
EXPORTS_PATH = f"{CONTACTS_PATH}/exports"
UPLOAD_HEADERS = {"x-amz-server-side-encryption": "aws:kms"}
SCOPES = {
    "marketing": ["marketing.read", "marketing.update", "user.account.read", "user.username.read"],
    "mail": ["mail.send"],
}
FIELDS = {"_rf0_T": "first_name", "_rf1_T": "last_name", "_rf2_T": "email"}
CUSTOM_FIELDS = {"w1": "plan", "w33": "points", "e2": "favorite_color"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class SimulatedSendGrid(SimulatedVendor):
    """SendGrid Marketing Campaigns.

    Longer than other vendors: it has two steps to import a file, deletes, exports, and files at signed URLs.
    """

    label = "Twilio SendGrid"
    conn_type = "sendgrid"
    password = SENDGRID_KEY
    auth = (bearer(SENDGRID_KEY),)
    kinds = {
        "contacts": JobStates(("pending",), "completed", partial="errored", failed="failed"),
        "export": JobStates(("pending",), "ready", others=("failure",)),
    }
    identities = {"contacts": ("email", "phone_number_id", "external_id", "anonymous_id")}
    limits = (RateLimit(Limit(600, 60), is_published=False),)
    rate_headers = RateHeaders("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    choices = {
        "sendgrid_reset": ("epoch", "delta"),
        "sendgrid_errors_shape": ("list", "object"),
        "sendgrid_scopes": ("marketing", "mail"),
    }

    def unauthorized(self) -> web.Response:
        """Return a 401."""
        return self.error(401, "authorization required")

    def error(self, status: int, message: str, field: str | None = None) -> web.Response:
        """Return a list of errors; ``field`` is omitted where the specification allows no null."""
        error = {"message": message} if field is None and status == 400 else {"field": field, "message": message}
        return web.json_response({"errors": [error]}, status=status)

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return a 429."""
        return self.error(429, "too many requests")

    def rate_limit_headers(self, reading: Reading, *, is_rejected: bool) -> Mapping[str, str]:
        """Return the headers; the documentation has both a time and a delay for the reset."""
        is_epoch = self.settings.choices["sendgrid_reset"] == "epoch"
        headers = self.rate_headers if is_epoch else replace(self.rate_headers, reset_unit="seconds")
        return headers.of(reading, self.now(), is_rejected=is_rejected)

    def new_contact_id(self) -> str:
        """Return a UUID."""
        return str(uuid.uuid4())

    @route("GET", "/v3/scopes")
    def scopes(self, request: IncomingRequest) -> Any:
        """Return the scopes of the key."""
        return {"scopes": SCOPES[self.settings.choices["sendgrid_scopes"]]}

    @route("GET", "/v3/user/username")
    def user_name(self, request: IncomingRequest) -> Any:
        """Return the user of the key."""
        return {"username": "simulator", "user_id": 1}

    @route("GET", "/v3/marketing/field_definitions")
    def field_definitions(self, request: IncomingRequest) -> Any:
        """Return the ids of the fields that CSV columns can be mapped to."""
        custom, reserved = (
            [{"id": key, "name": name, "field_type": "Text"} for key, name in fields.items()]
            for fields in (CUSTOM_FIELDS, FIELDS)
        )
        return {"custom_fields": custom, "reserved_fields": reserved, "_metadata": {}}

    # Imports and deletes.

    @route("PUT", CONTACTS_PATH)
    def upsert(self, request: IncomingRequest) -> Any:
        """Create or update contacts."""
        if len(request.body) > MAX_BYTES:
            raise self.refuse(400, "request body must be at most 6MB", "contacts")
        body = request.object
        contacts = body.get("contacts")
        if not isinstance(contacts, list) or not all(isinstance(contact, dict) for contact in contacts):
            raise self.refuse(400, "must be a list of contacts", "contacts")
        if not 1 <= len(contacts) <= MAX_CONTACTS:
            raise self.refuse(400, f"must hold 1 to {MAX_CONTACTS} contacts", "contacts")
        for fields in (contact.get("custom_fields") or {} for contact in contacts):
            if not isinstance(fields, dict) or not fields.keys() <= CUSTOM_FIELDS.keys():
                raise self.refuse(400, "must be an object with the ids of existing custom fields", "custom_fields")
        self._check_lists(body)
        rows = [self.contacts.upsert(contact) for contact in contacts]
        job = self.submit("contacts", rows, action="upsert", contacts=contacts)
        return web.json_response({"job_id": job.id}, status=202)

    @route("DELETE", CONTACTS_PATH)
    def delete(self, request: IncomingRequest) -> Any:
        """Delete the given contacts, or all contacts."""
        ids = [key for key in request.query.get("ids", "").split(",") if key]
        if request.query.get("delete_all_contacts") == "true":
            ids = [contact["id"] for contact in self.contacts]
        elif not ids:
            raise self.refuse(400, "ids or delete_all_contacts must be given", "ids")
        job = self.submit("contacts", [self.contacts.delete(key) for key in ids], action="delete")
        return web.json_response({"job_id": job.id}, status=202)

    @route("PUT", IMPORTS_PATH)
    def import_file(self, request: IncomingRequest) -> Any:
        """Start a CSV import, which is pending until the file is uploaded to the URL in the response."""
        body = request.object
        if body.get("file_type") != "csv":
            raise self.refuse(400, "must be csv", "file_type")
        mappings = body.get("field_mappings")
        if not isinstance(mappings, list) or not any(mappings):
            raise self.refuse(400, "must hold at least one field id", "field_mappings")
        if any(field is not None and field not in (*FIELDS, *CUSTOM_FIELDS) for field in mappings):
            raise self.refuse(400, "must hold the ids of existing fields, or null", "field_mappings")
        self._check_lists(body)
        job = self.open_job("contacts", action="upsert", mappings=mappings)
        return {
            "job_id": job.id,
            "upload_uri": self.upload_url(job, "contacts.csv", request),
            "upload_headers": [{"header": name, "value": value} for name, value in UPLOAD_HEADERS.items()],
        }

    def upload(self, job: Job, name: str, request: IncomingRequest) -> web.Response | None:
        """Accept the file of an import, and start its job; a retried upload changes nothing."""
        amazon = {name.lower(): value for name, value in request.headers.items() if name.lower().startswith("x-amz-")}
        if amazon != UPLOAD_HEADERS or request.method != "PUT":
            raise storage_error(403, "SignatureDoesNotMatch", f"The signed request is a PUT with {UPLOAD_HEADERS}.")
        if "mappings" not in job.extra:
            return None
        if job.tasks[0].began is None:
            is_form = request.headers.get("Content-Type", "").startswith("multipart/")
            contacts = [] if is_form else self._contacts(request.body, job.extra["mappings"])
            job.extra = {**job.extra, "contacts": contacts}
            rows = [self.contacts.upsert(contact) for contact in contacts]
            self.start(job, rows, None if rows else "failed")
        return web.Response()

    @route("GET", f"{IMPORTS_PATH}/{{id}}")
    def import_status(self, request: IncomingRequest) -> Any:
        """Return the state of an upsert, a CSV import or a delete."""
        job = self.find("contacts", request.params["id"])
        if job is not None:
            return self.poll(job, lambda word: self._import_body(request, job, word))
        message = "import job not found"
        if self.settings.choices["sendgrid_errors_shape"] == "list":
            raise self.refuse(404, message)
        # The specification has a single object only here, and only with this status.
        return web.json_response({"errors": {"field": "id", "message": message}}, status=400)

    def _contacts(self, data: bytes, mappings: list[str | None]) -> list[dict[str, str]]:
        """Return the contacts in a file: none if it is invalid, or if its columns do not match the mapping."""
        lines = csv_lines(data) or []
        if lines and not any("@" in cell for cell in lines[0]):
            lines = lines[1:]  # the header
        if any(len(line) != len(mappings) for line in lines):
            return []
        names = [FIELDS.get(str(field), field) for field in mappings]
        return [{name: cell for name, cell in zip(names, line, strict=True) if name} for line in lines]

    def _check_lists(self, body: Mapping[str, Any]) -> None:
        """Reject lists that do not exist: every list has a UUID, and every UUID a list."""
        lists = body.get("list_ids") or []
        if not isinstance(lists, list):
            raise self.refuse(400, "must be a list of ids", "list_ids")
        if not all(UUID.fullmatch(str(list_id)) for list_id in lists):
            raise self.refuse(404, "list id does not exist", "list_ids")

    def _import_body(self, request: IncomingRequest, job: Job, word: Word) -> dict[str, Any]:
        task, counts = job.tasks[0], job.counts
        results: dict[str, Any] = {} if task.began is None else {"requested_count": job.items}
        body = {"id": job.id, "status": word, "job_type": job.action, "results": results}
        body["started_at"] = _iso_time(job.created)
        if not self.kinds[job.kind].is_final(word):
            return body
        if word != "failed":
            outcomes = (DELETED,) if job.action == "delete" else (CREATED, UPDATED)
            results |= {f"{outcome}_count": counts[outcome] for outcome in outcomes}
        results["errored_count"] = counts[FAILED]
        if counts[FAILED]:
            results["errors_url"] = self.download_url(job, "errors.csv", request)
        return body | {"finished_at": _iso_time(task.finished)}

    # Exports, and the files.

    @route("POST", EXPORTS_PATH)
    def export(self, request: IncomingRequest) -> Any:
        """Start an export of all contacts."""
        file_type = (request.object if request.body else {}).get("file_type") or "csv"
        if file_type not in ("csv", "json"):
            raise self.refuse(400, "must be csv or json", "file_type")
        rows = [Row(contact.get("email") or "", EXPORTED, contact["id"]) for contact in self.contacts]
        job = self.submit("export", rows, file_type=file_type)
        return web.json_response(
            {"id": job.id, "_metadata": {"self": f"{request.root}{EXPORTS_PATH}/{job.id}"}}, status=202
        )

    @route("GET", EXPORTS_PATH)
    def exports(self, request: IncomingRequest) -> Any:
        """List the exports; this does not count as a poll."""
        jobs = [job for job in self.jobs.values() if job.kind == "export"]
        result = [self._export_body(request, job, self.word(job)) | {"export_type": "contacts_export"} for job in jobs]
        return {"result": result, "_metadata": {"self": f"{request.root}{EXPORTS_PATH}"}}

    @route("GET", f"{EXPORTS_PATH}/{{id}}")
    def export_status(self, request: IncomingRequest) -> Any:
        """Return the state of an export."""
        job = self.job("export", request.params["id"])
        return self.poll(job, lambda word: self._export_body(request, job, word))

    def job_not_found(self, job_id: str) -> web.Response:
        """Return a 404."""
        return self.error(404, "export not found")

    def download(self, job: Job, name: str) -> web.Response | None:
        """Return the failed contacts of an import, or the contacts of an export."""
        if name != ("errors.csv" if job.kind == "contacts" else self._export_file(job)) or not self.is_finished(job):
            return None
        if name.endswith(".json"):
            text = "".join(json.dumps({"id": row.contact_id, "email": row.key}) + "\n" for row in job.rows)
            return web.Response(text=text, content_type="application/json")
        if job.kind == "export":
            return csv_response(("EMAIL", "CONTACT_ID"), ((row.key, row.contact_id) for row in job.rows))
        return self._errors_file(job)

    def _errors_file(self, job: Job) -> web.Response:
        """Return the failed contacts with their errors. The format is undocumented."""
        contacts = job.extra.get("contacts") or [{"email": row.key} for row in job.rows]
        failed = [(contacts[number], row) for number, row in enumerate(job.rows) if row.outcome == FAILED]
        names = list(dict.fromkeys(name for contact, _ in failed for name in contact))
        rows = ([contact.get(name) for name in names] + [row.error] for contact, row in failed)
        return csv_response((*names, "error"), rows)

    def _export_file(self, job: Job) -> str:
        return f"contacts.{job.extra.get('file_type', 'csv')}"

    def _export_body(self, request: IncomingRequest, job: Job, word: Word) -> dict[str, Any]:
        finished = job.tasks[0].finished
        body: dict[str, Any] = {
            "id": job.id,
            "status": word,
            "created_at": _iso_time(job.created),
            "updated_at": _iso_time(finished if self.kinds[job.kind].is_final(word) else job.created),
            "expires_at": _iso_time(job.created + SECONDS_TO_DOWNLOAD),
        }
        if word == "ready":
            urls = [self.download_url(job, self._export_file(job), request)]
            body |= {"completed_at": _iso_time(finished), "urls": urls, "contact_count": job.items}
        elif word == "failure":
            body["message"] = "the export could not be produced"
        return body


def _iso_time(seconds: float) -> str:
    """Return a time in SendGrid's format."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
