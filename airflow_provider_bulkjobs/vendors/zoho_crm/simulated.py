# SPDX-License-Identifier: Apache-2.0
"""The simulated Zoho CRM: uploads of zipped CSV files, bulk write jobs, and their zipped results.

Requests and responses follow the published specification: https://github.com/zoho/crm-oas
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import OAuth2
from airflow_provider_bulkjobs.simulator.contacts import EXISTS, NO_IDENTITY, NOT_FOUND
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, RefusedError, csv_lines
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, UPDATED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

ZGID = "60001234567"
MAX_BYTES, MAX_RECORDS, MAX_COLUMNS = 25_000_000, 25_000, 200
RETURNED = 3  # columns
CREDITS, JOB_CREDITS = 50_000, 500  # in 24 hours
CODES = {401: "INVALID_TOKEN", 403: "NO_PERMISSION", 404: "INVALID_URL_PATTERN", 429: "TOO_MANY_REQUESTS"}
ERRORS = {NO_IDENTITY: "MANDATORY_NOT_FOUND", NOT_FOUND: "RESOURCE_NOT_FOUND", EXISTS: "DUPLICATE_DATA"}
WORDS = {CREATED: "ADDED", UPDATED: "UPDATED", FAILED: "SKIPPED"}
CLIENT = {"client_id": "zoho-client", "client_secret": "zoho-secret"}
USER = {"id": "4876876000000214001", "name": "Ada Ops"}
REFRESH_TOKEN = "1000.zoho-refresh"  # noqa: S105


class SimulatedZohoCRM(SimulatedVendor):
    """Zoho CRM, API version 8."""

    label = "Zoho CRM"
    conn_type = "zoho_crm"
    login, password = CLIENT["client_id"], CLIENT["client_secret"]
    extra = {"refresh_token": REFRESH_TOKEN}
    auth = (
        OAuth2(
            "/oauth/v2/token",
            {"refresh_token": {**CLIENT, "refresh_token": REFRESH_TOKEN}},
            scheme="Zoho-oauthtoken",
            error_status=200,
        ),
    )
    kinds = {"bulk_write": JobStates(("ADDED", "IN PROGRESS"), "COMPLETED", others=("FAILED", "SKIPPED"))}
    identities = {"records": ("key",)}
    limits = (
        RateLimit(Limit(CREDITS, 86_400)),
        RateLimit(Limit(CREDITS // JOB_CREDITS, 86_400), "zoho_crm_jobs", "POST /crm/bulk/v8/write"),
    )

    def clear(self) -> None:
        """Delete all state."""
        super().clear()
        self._files: dict[str, list[list[str]]] = {}

    def error(
        self, status: int, message: str, code: str = "", details: Mapping[str, Any] | None = None
    ) -> web.Response:
        """Return an error."""
        body = {"code": code or CODES.get(status, "INTERNAL_ERROR"), "details": details or {}, "message": message}
        return web.json_response({**body, "status": "error"}, status=status)

    def unauthorized(self) -> web.Response:
        """Return the response to an unknown token."""
        return self.error(401, "invalid oauth token")

    def oauth_error(self, status: int, code: str, description: str) -> web.Response:
        """Return an error of the token endpoint: status 200, and only a code."""
        return web.json_response({"error": "invalid_code" if code == "invalid_grant" else code}, status=status)

    def job_not_found(self, job_id: str) -> web.Response:
        """Return the response to an unknown job, which is no 404."""
        return self.error(400, "The requested resource doesn't exist.", "RESOURCE_NOT_FOUND")

    def rate_limit_headers(self, reading: Reading, *, is_rejected: bool) -> Mapping[str, str]:
        """Return the credits that are left, once half of them are used."""
        is_half_used = reading.remaining * 2 <= reading.limit.requests
        return {"X-API-CREDITS-REMAINING": str(reading.remaining)} if is_half_used else {}

    def token_body(self, token: str, seconds: float) -> dict[str, Any]:
        """Return a token."""
        return {"access_token": token, "expires_in": int(seconds), "token_type": "Bearer"}

    def token_fields(self, request: IncomingRequest) -> Mapping[str, Any]:
        """Return the address of the API."""
        return {"api_domain": request.root}

    def new_job_id(self, kind: str) -> str:
        """Return a number of 19 digits."""
        return self.new_contact_id()

    def new_contact_id(self) -> str:
        """Return a number of 19 digits."""
        return f"4876876{self.new_id():012}"

    @own_fault("scope_mismatch")
    def scope_mismatch(self) -> web.Response:
        """Return the response to a token without the scope."""
        return self.error(401, "invalid oauth scope to access this URL", "OAUTH_SCOPE_MISMATCH")

    @route("GET", "/crm/v8/org")
    def organization(self, request: IncomingRequest) -> Any:
        """Return the organization."""
        return {"org": [{"id": "4876876000000000001", "zgid": ZGID, "company_name": "Example Ltd"}]}

    @route("POST", "/crm/v8/upload")
    def take_upload(self, request: IncomingRequest) -> Any:
        """Take a file; failures have status 200."""
        if (request.headers.get("feature"), request.headers.get("X-CRM-ORG")) != ("bulk-write", ZGID):
            text = "check if headers [feature, X-CRM-ORG] are present and valid"
            return {"ERROR_CODE": 400, "ERROR_MESSAGE": "Bad Request", "x-error": text}
        data = request.parts["file"].data if "file" in request.parts else b""
        if len(data) > MAX_BYTES:
            raise self.refuse(200, "File size too large to process", "FILE_TOO_LARGE")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                [name] = archive.namelist()
                lines = csv_lines(archive.read(name))
        except (zipfile.BadZipFile, ValueError):
            raise self.refuse(200, "invalid file format. only zip format is supported", "INVALID_FILE_FORMAT") from None
        if not lines or len(lines) > MAX_RECORDS + 1 or len(lines[0]) > MAX_COLUMNS:
            raise self.refuse(200, "File not supported for bulk write", "FILE_NOT_SUPPORTED")
        file_id = self.new_contact_id()
        self._files[file_id] = lines
        return _success("FILE_UPLOAD_SUCCESS", "file uploaded.", file_id=file_id, created_time=_time(self.now()))

    @route("POST", "/crm/bulk/v8/write")
    def create(self, request: IncomingRequest) -> Any:
        """Create a job of an uploaded file: each request creates another one."""
        body = request.object
        operation, [resource, *_] = str(body.get("operation", "")), body.get("resource") or [{}]
        if not operation:
            raise self._missing("operation", "$.operation")
        if operation != "insert" and not resource.get("find_by"):
            raise self._missing("find_by", "$.resource[0].find_by")
        if (lines := self._files.get(str(resource.get("file_id")))) is None:
            raise self.refuse(400, "improper file id", "INVALID_FILE_ID")
        columns = {each["index"]: each["api_name"] for each in resource.get("field_mappings", ()) if "index" in each}
        if max(columns, default=MAX_COLUMNS) >= len(lines[0]):
            raise self.refuse(400, "the index is that of no column", "COLUMN_INDEX_NOT_FOUND")
        cells = [[line[index] for index in columns] for line in lines[1:]]
        records = [dict(zip(columns.values(), row, strict=True)) for row in cells]
        if body.get("ignore_empty"):
            records = [{name: cell for name, cell in record.items() if cell} for record in records]
        rows = [self._write(operation, resource.get("find_by", "Email"), record) for record in records]
        table = [row[:RETURNED] for row in (list(columns.values()), *cells)]
        job = self.submit("bulk_write", rows, action=operation, table=table, resource=resource)
        return web.json_response(_success("SUCCESS", "success", id=job.id, created_by=USER), status=201)

    @route("GET", "/crm/bulk/v8/write/{id}")
    def status(self, request: IncomingRequest) -> Any:
        """Return a job; one that fails is completed, and its file is not."""
        job = self.job("bulk_write", request.params["id"])
        return self.poll(job, lambda word: self._details(job, word, request))

    @route("GET", f"/v2/crm/{ZGID}/bulk-write/{{id}}/{{file}}")
    def result(self, request: IncomingRequest) -> Any:
        """Return the result, which has only the first columns of the upload."""
        job = self.job("bulk_write", request.params["id"])
        header, *cells = job.extra.get("table") or [["Email"], *([row.key] for row in job.rows)]
        lines = [
            [*line, WORDS[row.outcome], row.contact_id, row.error] for line, row in zip(cells, job.rows, strict=True)
        ]
        text, archive = io.StringIO(newline=""), io.BytesIO()
        csv.writer(text).writerows([[*header, "STATUS", "RECORD_ID", "ERRORS"], *lines])
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("Contacts-records.csv", text.getvalue())
        return web.Response(body=archive.getvalue(), content_type="application/octet-stream")

    def _missing(self, name: str, path: str) -> RefusedError:
        details = {"api_name": name, "json_path": path}
        return self.refuse(400, f"required key {name} is not found in request body.", "MANDATORY_NOT_FOUND", details)

    def _write(self, operation: str, find_by: str, record: Mapping[str, str]) -> Row:
        item = {**record, "key": record.get(find_by), **({"email": record["Email"]} if record.get("Email") else {})}
        if operation == "insert":
            row = self.contacts.create(item, is_unique=False)
        elif operation == "upsert":
            row = self.contacts.upsert(item)
        else:
            row = self.contacts.update(record.get("id") if find_by == "id" else self.contacts.find(item), item)
        field = find_by if row.error in ERRORS else "Email"
        return row._replace(error=f"{ERRORS.get(row.error, 'INVALID_DATA')}-{field}") if row.error else row

    def _details(self, job: Job, word: Word, request: IncomingRequest) -> dict[str, Any]:
        is_done, counts = word not in ("ADDED", "IN PROGRESS"), job.counts if word == "COMPLETED" else Counter[str]()
        resource = {"type": "data", "module": {"api_name": "Contacts"}, **job.extra.get("resource", {}), "status": word}
        if is_done:
            resource["code"] = "INVALID_FILE_FORMAT" if word == "FAILED" else word
        numbers = {f"{name.lower()}_count": counts[outcome] for outcome, name in WORDS.items()}
        resource["file"] = {"status": word, "name": "records.csv", **numbers, "total_count": counts.total()}
        details: dict[str, Any] = {"status": "COMPLETED" if is_done else word, "id": job.id, "operation": job.action}
        details |= {"character_encoding": "UTF-8", "resource": [resource]}
        if word == "COMPLETED":
            url = f"{request.root}/v2/crm/{ZGID}/bulk-write/{job.id}/{job.id}.zip"
            details["result"] = {"download_url": url}
        return {**details, "created_by": USER, "created_time": _time(job.created)}


def _success(code: str, message: str, **details: Any) -> dict[str, Any]:
    return {"status": "success", "code": code, "message": message, "details": details}


def _time(seconds: float) -> str:
    """Return a time in the time zone of the user."""
    return datetime.fromtimestamp(int(seconds), timezone(timedelta(hours=5, minutes=30))).isoformat()
