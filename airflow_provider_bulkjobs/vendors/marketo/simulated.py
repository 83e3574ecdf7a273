# SPDX-License-Identifier: Apache-2.0
"""The simulated Marketo: imports of leads, program members and custom objects, and the files of their failed rows.

Requests and responses follow the published specification: https://developer.adobe.com/marketo-apis/api/mapi/
"""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import OAuth2
from airflow_provider_bulkjobs.simulator.contacts import NO_IDENTITY, is_bad_address
from airflow_provider_bulkjobs.simulator.files import csv_response
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, RefusedError, csv_lines
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, UPDATED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateLimit
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

MAX_BYTES = 10_000_000
RUNNING, QUEUED = 2, 10  # imports; the second includes the first
CODES = {400: "1003", 401: "601", 403: "603", 404: "610", 429: "606"}
LEADS, MEMBERS, OBJECTS = "leads", "program_members", "custom_objects"
LEADS_PATH, MEMBERS_PATH = "/bulk/v1/leads/batch/{id}", "/bulk/v1/program/members/import/{id}"
OBJECTS_PATH = "/bulk/v1/customobjects/{name}/import"
NUMBERS = {"leadScore": "Lead Score"}  # fields that take only numbers, with their names for people
REASONS = {"failures": "Import Failure Reason", "warnings": "Import Warning Reason"}


class SimulatedMarketo(SimulatedVendor):
    """One subscription of Marketo. Custom objects are identified by the field ``vin``."""

    label = "Marketo"
    conn_type = "marketo"
    login, password = "marketo-client", "marketo-secret"
    client = {"client_id": login, "client_secret": password}
    auth = (OAuth2("/identity/oauth/token", {"client_credentials": client}, in_query=True, error_status=401),)
    kinds = dict.fromkeys((LEADS, MEMBERS, OBJECTS), JobStates(("Queued", "Importing"), "Complete", others=("Failed",)))
    limits = (RateLimit(Limit(100, 20)),)
    identities = {LEADS: ("email",), OBJECTS: ("vin",)}

    def clear(self) -> None:
        """Delete all state."""
        super().clear()
        self._token_until = ("", 0.0)

    def error(self, status: int, message: str, code: str = "") -> web.Response:
        """Return an error, which has status 200 unless a file is too large or the vendor is down."""
        if code or status in CODES:
            return web.json_response(_body(success=False, errors=[{"code": code or CODES[status], "message": message}]))
        return web.Response(status=status, text=message)

    def unauthorized(self) -> web.Response:
        """Return the response to an unknown token."""
        return self.error(401, "Access token invalid")

    @own_fault("access_denied")
    def access_denied(self) -> web.Response:
        """Return the response to a role without access."""
        return self.error(403, "Access denied")

    @own_fault("queue_full", path="format=")
    def queue_full(self) -> web.Response:
        """Return the response to one import too many."""
        return self.error(400, "Too many imports", "1016")

    def new_job_id(self, kind: str) -> str:
        """Return a number."""
        return str(self.new_id())

    def token_body(self, token: str, seconds: float) -> dict[str, Any]:
        """Return a token: the same one until it expires, with the rest of its lifetime."""
        if not self.tokens.is_valid(self._token_until[0], self.now()):
            self._token_until = (token, self.now() + seconds)
        token, until = self._token_until
        scope = {"expires_in": int(until - self.now()), "scope": "api-user@example.com"}
        return super().token_body(token, seconds) | scope

    @route("GET", "/rest/v1/stats/usage.json")
    def usage(self, request: IncomingRequest) -> Any:
        """Return the calls of today."""
        users = [{"userId": "api-user@example.com", "count": 1120}]
        return _body(success=True, result=[{"date": "2026-03-14", "total": 1120, "users": users}])

    @route("POST", "/bulk/v1/leads.json")
    @route("POST", "/bulk/v1/program/{program}/members/import.json")
    @route("POST", f"{OBJECTS_PATH}.json")
    def start_import(self, request: IncomingRequest) -> Any:
        """Start an import, after the two that run and those that are queued."""
        kind = MEMBERS if "program" in request.params else OBJECTS if "name" in request.params else LEADS
        for name in ("format", *(["programMemberStatus"] if kind == MEMBERS else [])):
            if not request.query.get(name):
                raise self.refuse(400, f"Missing value for the required parameter '{name}'", "1002")
        data = request.parts["file"].data if "file" in request.parts else b""
        if len(data) >= MAX_BYTES:
            raise self.refuse(413, "Request Entity Too Large")
        [header, *lines] = csv_lines(data) or [[]]
        if not lines:
            raise self.refuse(400, "Empty File")
        ends = sorted(job.tasks[-1].finished for job in self.jobs.values() if not self.is_finished(job))
        if len(ends) >= QUEUED:
            raise RefusedError(self.queue_full())
        lookup = request.query.get("lookupField", "email")
        records = [{name: cell for name, cell in zip(header, line, strict=False) if cell} for line in lines]
        rows = [self._import(kind, record, lookup) for record in records]
        job = self.submit(kind, rows, header=header, lines=lines, name=request.params.get("name"))
        if len(ends) >= RUNNING:
            job.tasks[-1].began = ends[-RUNNING]
        return _body(success=True, result=[_result(job, self.word(job), is_new=True)])

    @route("GET", f"{LEADS_PATH}.json")
    @route("GET", f"{MEMBERS_PATH}/status.json")
    @route("GET", f"{OBJECTS_PATH}/{{id}}/status.json")
    def status(self, request: IncomingRequest) -> Any:
        """Return the status of an import."""
        job = self._job(request)
        return self.poll(job, lambda word: _body(success=True, result=[_result(job, word)]))

    @route("GET", f"{LEADS_PATH}/{{file}}.json")
    @route("GET", f"{MEMBERS_PATH}/{{file}}.json")
    @route("GET", f"{OBJECTS_PATH}/{{id}}/{{file}}.json")
    def file(self, request: IncomingRequest) -> Any:
        """Return the failed rows or the warnings of an import; there is no file without rows."""
        job, file = self._job(request), request.params["file"]
        rows = [(number, row) for number, row in enumerate(job.rows) if row.error and _file_of(row) == file]
        if not rows or not self.is_finished(job):
            return web.Response(status=404)
        lines = [[*(job.extra["lines"][number] if job.extra else [row.key]), row.error] for number, row in rows]
        return csv_response((*job.extra.get("header", ["email"]), REASONS[file]), lines)

    def _job(self, request: IncomingRequest) -> Job:
        kind = OBJECTS if "name" in request.params else LEADS if "/leads/" in request.path else MEMBERS
        job = self.job(kind, request.params["id"])
        if job.extra.get("name", request.params.get("name")) != request.params.get("name"):
            raise RefusedError(self.job_not_found(job.id))
        return job

    def _import(self, kind: str, record: dict[str, str], lookup: str) -> Row:
        """Import a row; an invalid address is only a warning."""
        store, key = self.stores[OBJECTS if kind == OBJECTS else LEADS], record.get(lookup, "")
        for name, label in NUMBERS.items():
            if not record.get(name, "0").isdecimal():
                return Row(key, FAILED, error=f"Invalid data type in field {label}")
        if kind == LEADS and lookup == "id":
            return store.update(key, record)
        if record.get("email") and is_bad_address(record["email"]):
            known = store.find(record)
            return Row(key, UPDATED if known else CREATED, known or store.add(record), "Invalid email address")
        row = store.upsert(record)
        return row._replace(error="missing.dedupe.fields") if row.error == NO_IDENTITY else row


def _body(*, success: bool, **content: Any) -> dict[str, Any]:
    return {"requestId": f"{uuid.uuid4().hex[:4]}#{uuid.uuid4().hex[:11]}", "success": success, **content}


def _file_of(row: Row) -> str:
    return "failures" if row.outcome == FAILED else "warnings"


def _result(job: Job, word: Word, *, is_new: bool = False) -> dict[str, Any]:
    """Return the status of an import; there are counts once it has left the queue."""
    is_object = job.kind == OBJECTS
    result: dict[str, Any] = {"batchId": int(job.id), "status": word}
    result |= {"objectApiName": job.extra.get("name") or "vehicle_c"} if is_object else {"importId": job.id}
    if is_new or word == "Queued":
        return result
    failed, warnings = job.counts[FAILED], sum(_file_of(row) == "warnings" and bool(row.error) for row in job.rows)
    processed, failed, warnings = (job.items - failed, failed, warnings) if word == "Complete" else (0, 0, 0)
    result |= {"numOfObjectsProcessed" if is_object else "numOfLeadsProcessed": processed, "numOfRowsFailed": failed}
    result |= {"numOfRowsWithWarning": warnings} | ({"operation": "import"} if is_object else {})
    if word == "Importing":
        return result
    ending = f"completed with errors, {processed} records imported, {failed} failed" if failed else "succeeded"
    return result | {"message": "Import failed: unknown field in header" if word == "Failed" else f"Import {ending}"}
