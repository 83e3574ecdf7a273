# SPDX-License-Identifier: Apache-2.0
"""The simulated Eloqua: definitions of imports, their data, and syncs with logs and rejects.

Requests and responses follow the published specification:
https://docs.oracle.com/en/cloud/saas/marketing/eloqua-rest-api/swagger.json
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import Basic, OAuth2
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, RefusedError, csv_lines
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, UPDATED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateLimit
from airflow_provider_bulkjobs.simulator.routes import route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

API = "/api/bulk/2.0"
IMPORT = f"{API}/contacts/imports/{{id}}"
SYNC = f"{API}/syncs/{{id}}"
MAX_PIECE = 32_000_000  # bytes
TOTAL, INVALID = "ELQ-00001", "ELQ-00002"
EMAIL = "{{Contact.Field(C_EmailAddress)}}"
TOKEN_PATH = "/auth/oauth2/token"  # noqa: S105
REFRESH_TOKEN = "eloqua-refresh"  # noqa: S105  (with "-1", "-2" … after each use)
GRANT = {"client_id": "eloqua-client", "client_secret": "eloqua-secret", "refresh_token": None, "redirect_uri": None}


class SimulatedEloqua(SimulatedVendor):
    """Eloqua. Each refresh token is accepted once; the first is ``eloqua-refresh``."""

    label = "Eloqua"
    conn_type = "eloqua"
    login, password = r"Acme\Ann.Api", "eloqua-password"
    auth = (Basic(login, password), OAuth2(TOKEN_PATH, {"refresh_token": GRANT}, error_status=401))
    kinds = {"contacts": JobStates(("pending", "active"), "success", partial="warning", others=("error", "errored"))}
    identities = {"contacts": ("key",)}
    limits = (RateLimit(Limit(1000, 60)),)  # its own; Eloqua publishes none

    def clear(self) -> None:
        """Delete all state."""
        super().clear()
        self.refresh_token = REFRESH_TOKEN
        self.definitions: dict[str, dict[str, Any]] = {}
        self.staged: dict[str, list[dict[str, str]]] = {}  # by definition

    def error(self, status: int, message: str, field: str = "request") -> web.Response:
        """Return an error."""
        return web.json_response({"failures": [{"field": field, "constraint": message}]}, status=status)

    def reject_credentials(self, request: IncomingRequest) -> web.Response | None:
        """Return the response to invalid credentials; that of the login host has status 200."""
        rejection = super().reject_credentials(request)
        is_login = request.path == f"/{self.name}/id"
        return web.json_response("Not authenticated.") if rejection is not None and is_login else rejection

    def token_fields(self, request: IncomingRequest) -> Mapping[str, Any]:
        """Return the next refresh token, in exchange for the present one."""
        if request.form["refresh_token"] != self.refresh_token:
            raise RefusedError(self.oauth_error(401, "invalid_grant", "The refresh token is invalid"))
        self.refresh_token = f"{REFRESH_TOKEN}-{self.new_id()}"
        return {"refresh_token": self.refresh_token}

    def new_job_id(self, kind: str) -> str:
        """Return the ids of a definition and of its sync."""
        return f"{self.new_id()}:{self.new_id()}"

    def find(self, kind: str, job_id: str) -> Job | None:
        """Return the job of a sync."""
        found = next((each for each in self.jobs if each.rpartition(":")[2] == job_id), "")
        return super().find(kind, found)

    @route("GET", "/id")
    def identity(self, request: IncomingRequest) -> Any:
        """Return the account with the address of its instance."""
        user = {"id": 7, "username": "Ann.Api", "displayName": "Ann Api", "firstName": "Ann", "lastName": "Api"}
        return {"site": {"id": 42, "name": "Acme"}, "user": user, "urls": {"base": request.root}}

    @route("GET", f"{API}/contacts/fields")
    def fields(self, request: IncomingRequest) -> Any:
        """Return the fields of contacts."""
        field = {"name": "Email Address", "internalName": "C_EmailAddress", "dataType": "emailAddress"}
        return self._page(request, [{**field, "statement": EMAIL, "uri": "/contacts/fields/1"}])

    @route("POST", f"{API}/contacts/imports")
    def define(self, request: IncomingRequest) -> Any:
        """Create a definition."""
        definition, number = request.object, str(self.new_id())
        fields = definition.get("fields") or {}
        if not 1 <= len(fields) <= 100:
            raise self.refuse(400, "Must have 1 to 100 fields", "fields")
        if definition.get("identifierFieldName") not in fields:
            raise self.refuse(400, "Must be one of the fields", "identifierFieldName")
        self.definitions[number], self.staged[number] = definition, []
        made = {"uri": f"/contacts/imports/{number}", "createdBy": "Ann.Api", "createdAt": _time(self.now())}
        return web.json_response({**definition, **made}, status=201)

    @route("DELETE", IMPORT)
    def delete(self, request: IncomingRequest) -> Any:
        """Delete a definition and its data."""
        number = self._defined(request.params["id"])
        del self.definitions[number], self.staged[number]
        return web.Response(status=204)

    @route("POST", f"{IMPORT}/data")
    def stage(self, request: IncomingRequest) -> Any:
        """Stage a piece of data."""
        number = self._defined(request.params["id"])
        if len(request.body) > MAX_PIECE:
            raise self.refuse(404, "Not found")
        [header, *lines] = csv_lines(request.body) or [[]]
        if request.headers.get("Content-Type") != "text/csv" or not set(header) <= set(
            self.definitions[number]["fields"]
        ):
            raise self.refuse(400, "Must be CSV with the fields of the import", "data")
        self.staged[number] += [dict(zip(header, line, strict=False)) for line in lines]
        return web.Response(status=204)

    @route("POST", f"{API}/syncs")
    def start_sync(self, request: IncomingRequest) -> Any:
        """Import the staged data of a definition; without data, the sync fails."""
        number = self._defined(str(request.object.get("syncedInstanceUri")).rpartition("/")[2])
        records, self.staged[number] = self.staged[number], []
        rows = [self._write(self.definitions[number], record) for record in records]
        job = self.submit("contacts", rows, end=None if rows else "error", records=records)
        del self.jobs[job.id]
        job.id = f"{number}:{self.new_id()}"
        self.jobs[job.id] = job
        return web.json_response(self._sync(job, "pending"), status=201)

    @route("GET", f"{API}/syncs")
    def syncs(self, request: IncomingRequest) -> Any:
        """Return the syncs, the newest first."""
        return self._page(request, [self._sync(job, self.word(job)) for job in reversed(self.jobs.values())])

    @route("GET", SYNC)
    def status(self, request: IncomingRequest) -> Any:
        """Return a sync."""
        job = self.job("contacts", request.params["id"])
        return self.poll(job, lambda word: self._sync(job, word))

    @route("GET", f"{SYNC}/logs")
    def logs(self, request: IncomingRequest) -> Any:
        """Return the counts of a sync."""
        job = self.job("contacts", request.params["id"])
        counts, info = job.counts, "information"
        entries = [(TOTAL, job.items, info), ("ELQ-00004", counts[CREATED], info), ("ELQ-00022", counts[UPDATED], info)]
        entries += [(INVALID, counts[FAILED], "warning")] if counts[FAILED] else []
        entries = entries if job.items else [("ELQ-00124", 0, "error")]
        common = {"syncUri": _uri(job), "createdAt": _time(job.created)}
        logs = [{**common, "statusCode": code, "count": number, "severity": level} for code, number, level in entries]
        return self._page(request, logs if self.is_finished(job) else [])

    @route("GET", f"{SYNC}/rejects")
    def rejects(self, request: IncomingRequest) -> Any:
        """Return the rejected records of a sync."""
        job = self.job("contacts", request.params["id"])
        records = job.extra.get("records") or [{"C_EmailAddress": row.key} for row in job.rows]
        found = [
            {"fieldValues": records[n], "message": row.error, "statusCode": INVALID, "recordIndex": n + 1}
            for n, row in self.failures(job, 0, job.items)[0]
        ]
        return self._page(request, found)

    def _defined(self, number: str) -> str:
        if number not in self.definitions:
            raise self.refuse(404, "The import does not exist", "id")
        return number

    def _write(self, definition: Mapping[str, Any], record: Mapping[str, str]) -> Row:
        email = next((record.get(name) for name, statement in definition["fields"].items() if statement == EMAIL), None)
        item = {**record, "email": email or None, "key": record.get(definition["identifierFieldName"])}
        return self.contacts.upsert(item)

    def _sync(self, job: Job, word: Word) -> dict[str, Any]:
        definition, task = job.id.partition(":")[0], job.tasks[-1]
        times = {"createdAt": _time(job.created)}
        times |= {"syncStartedAt": _time(task.started)} if word != "pending" else {}
        times |= {"syncEndedAt": _time(task.finished)} if self.kinds["contacts"].is_final(word) else {}
        uri = {"syncedInstanceUri": f"/contacts/imports/{definition}", "uri": _uri(job)}
        return {**uri, "status": word, "createdBy": "Ann.Api", **times}

    @staticmethod
    def _page(request: IncomingRequest, items: list[Any]) -> dict[str, Any]:
        limit, offset = request.integer("limit", 1000, minimum=1, maximum=1000), request.integer("offset", 0)
        page = items[offset : offset + limit]
        counted = {"totalResults": len(items), "limit": limit, "offset": offset, "count": len(page)}
        return {"items": page, **counted, "hasMore": offset + limit < len(items)}


def _uri(job: Job) -> str:
    return f"/syncs/{job.id.rpartition(':')[2]}"


def _time(seconds: float) -> str:
    """Return a time with the seven digits of Eloqua."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
