# SPDX-License-Identifier: Apache-2.0
"""The simulated Salesforce: ingest jobs of Bulk API 2.0, which run once they have their upload and are closed.

Requests and responses follow https://developer.salesforce.com/docs/platform/api-asynch/guide/create-job.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import OAuth2
from airflow_provider_bulkjobs.simulator.files import csv_response
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, csv_lines
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

API = "/services/data/v66.0"
JOB = f"{API}/jobs/ingest/{{id}}"
TOKEN_PATH = "/services/oauth2/token"  # noqa: S105
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CODES = {401: "INVALID_SESSION_ID", 403: "API_DISABLED_FOR_ORG", 404: "NOT_FOUND", 503: "SERVER_UNAVAILABLE"}
DONE = "JobComplete"
ADDED = {
    "successfulResults": ("sf__Id", "sf__Created"),
    "failedResults": ("sf__Id", "sf__Error"),
    "unprocessedrecords": (),
}
UNPROCESSED = "unprocessed"  # a record that is in neither of the other files


class SimulatedSalesforceBulk(SimulatedVendor):
    """Salesforce. The setting ``salesforce_bulk_unprocessed`` leaves out the last record of each job."""

    label = "Salesforce Bulk"
    conn_type = "salesforce_bulk"
    login, password = "salesforce-key", "salesforce-secret"
    auth = (
        OAuth2(
            TOKEN_PATH,
            {"client_credentials": {"client_id": login, "client_secret": password}, JWT_GRANT: {"assertion": None}},
        ),
    )
    kinds = {"ingest": JobStates(("UploadComplete", "InProgress"), DONE, canceled="Aborted", others=("Failed",))}
    identities = {"records": ("key",)}
    limits = (RateLimit(Limit(100_000, 86_400)),)
    choices = {"salesforce_bulk_unprocessed": ("none", "last")}

    def error(self, status: int, message: str, code: str = "") -> web.Response:
        """Return an error, which is in a list."""
        return web.json_response(
            [{"errorCode": code or CODES.get(status, "INVALIDJOB"), "message": message}], status=status
        )

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return the response above the limit: a 403, as for a missing permission, with another code."""
        return self.error(403, "TotalRequests Limit exceeded.", "REQUEST_LIMIT_EXCEEDED")

    def rate_limit_headers(self, reading: Reading, *, is_rejected: bool) -> Mapping[str, str]:
        """Return the header with the requests of the day."""
        used = reading.limit.requests - reading.remaining
        return {"Sforce-Limit-Info": f"api-usage={used}/{reading.limit.requests}"}

    def token_body(self, token: str, seconds: float) -> dict[str, Any]:
        """Return the response of the token endpoint, which does not say how long the token is valid."""
        return {"access_token": token, "token_type": "Bearer", "scope": "api"}

    def token_fields(self, request: IncomingRequest) -> Mapping[str, Any]:
        """Return the address of the org."""
        return {"instance_url": request.root}

    def new_job_id(self, kind: str) -> str:
        """Return an id of 18 characters."""
        return f"7505e{self.new_id():010}AAV"

    def new_contact_id(self) -> str:
        """Return an id of 18 characters."""
        return f"0035e{self.new_id():010}AAA"

    def natural_word(self, job: Job) -> Word:
        """Return the state of a job, which waits until it is closed."""
        return "Open" if job.tasks[0].began is None else super().natural_word(job)

    @route("GET", f"{API}/limits")
    def org_limits(self, request: IncomingRequest) -> Any:
        """Return the limits of the org."""
        return {"DailyApiRequests": {"Max": 100_000, "Remaining": 99_000}}

    @route("GET", f"{API}/jobs/ingest")
    def jobs_of_org(self, request: IncomingRequest) -> Any:
        """Return all jobs."""
        return {"done": True, "records": [self._info(job, self.word(job)) for job in self.jobs.values()]}

    @route("POST", f"{API}/jobs/ingest")
    def create(self, request: IncomingRequest) -> Any:
        """Create a job, which waits for its upload."""
        job = request.object
        operation = str(job.get("operation"))
        if operation not in {"insert", "update", "upsert", "delete", "hardDelete"} or not job.get("object"):
            raise self.refuse(400, "The job needs an operation and an object", "ClientInputError")
        if operation == "upsert" and not job.get("externalIdFieldName"):
            raise self.refuse(400, "externalIdFieldName is missing")
        opened = self.open_job("ingest", action=operation, request=job)
        return self._info(opened, "Open")

    @route("PUT", f"{JOB}/batches")
    def upload_batch(self, request: IncomingRequest) -> Any:
        """Take the only upload of a job."""
        job = self.job("ingest", request.params["id"])
        if self.word(job) != "Open" or "data" in job.extra:
            raise self.refuse(400, f"Found multiple contents for job: <{job.id}>, please 'PUT' once on a given Job.")
        job.extra = {**job.extra, "data": request.body}
        return web.Response(status=201)

    @route("PATCH", JOB)
    def change_state(self, request: IncomingRequest) -> Any:
        """Close or abort a job."""
        job, state = self.job("ingest", request.params["id"]), request.object.get("state")
        if self.is_finished(job) or (state == "UploadComplete" and self.word(job) != "Open"):
            raise self.refuse(400, "Aborting already Completed Job not allowed", "INVALIDJOBSTATE")
        if state == "Aborted":
            self.cancel(job)
        elif state == "UploadComplete" and "data" in job.extra:
            self._close(job)
        else:
            raise self.refuse(400, "The state is unknown, or nothing was uploaded", "INVALIDJOBSTATE")
        return self._info(job, self.word(job))

    @route("GET", JOB)
    def status(self, request: IncomingRequest) -> Any:
        """Return a job."""
        job = self.job("ingest", request.params["id"])
        return self.poll(job, lambda word: self._info(job, word))

    @route("GET", f"{JOB}/successfulResults/")
    @route("GET", f"{JOB}/failedResults/")
    @route("GET", f"{JOB}/unprocessedrecords/")
    def results(self, request: IncomingRequest) -> Any:
        """Return one of the files: the records with that outcome, and what Salesforce adds to them."""
        job = self.job("ingest", request.params["id"])
        wanted = request.path.rstrip("/").rpartition("/")[2]
        header, *lines = job.extra.get("lines") or [["Email"], *([row.key] for row in job.rows)]
        found = []
        for row, line in zip(job.rows, lines, strict=True):
            outcome = row.outcome if self.word(job) == DONE else UNPROCESSED
            name = {FAILED: "failedResults", UNPROCESSED: "unprocessedrecords"}.get(outcome, "successfulResults")
            if name == wanted:
                found.append([*self._added(name, row), *line])
        return csv_response([*ADDED[wanted], *header], found)

    def _close(self, job: Job) -> None:
        """Start a job: one whose lines end otherwise than it says fails."""
        data = job.extra["data"]
        lines = csv_lines(data)
        if not lines or data.endswith(b"\r\n") != (job.extra["request"].get("lineEnding") == "CRLF"):
            job.extra = {**job.extra, "error": "InvalidBatch : LineEnding is invalid on user data"}
            self.start(job, (), "Failed")
            return
        header, *cells = lines
        rows = [self._write(job, dict(zip(header, line, strict=False))) for line in cells]
        if self.settings.choices["salesforce_bulk_unprocessed"] == "last":
            rows[-1] = Row(rows[-1].key, UNPROCESSED)
        job.extra = {**job.extra, "lines": lines}
        self.start(job, rows)

    def _write(self, job: Job, record: Mapping[str, str]) -> Row:
        email = {"email": record["Email"]} if record.get("Email") else {}
        item = {**record, **email, "key": record.get(job.extra["request"].get("externalIdFieldName", ""))}
        match job.action:
            case "insert":
                return self.contacts.create(item, is_unique=False)
            case "upsert":
                return self.contacts.upsert(item)
            case "update":
                return self.contacts.update(record.get("Id"), item)
        return self.contacts.delete(record.get("Id"))

    @staticmethod
    def _added(name: str, row: Row) -> list[str]:
        if name == "failedResults":
            return [row.contact_id, f"INVALID_RECORD:{row.error}:--"]
        return [row.contact_id, str(row.outcome == CREATED).lower()] if name == "successfulResults" else []

    def _info(self, job: Job, word: Word) -> dict[str, Any]:
        request = {"object": "Contact", "operation": "upsert", **job.extra.get("request", {})}
        counts, is_done = job.counts, word == DONE
        time = datetime.fromtimestamp(job.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        return {
            "id": job.id,
            **request,
            "createdDate": time,
            "systemModstamp": time,
            "state": word,
            "apiVersion": 66.0,
            "jobType": "V2Ingest",
            "columnDelimiter": "COMMA",
            "numberRecordsProcessed": job.items - counts[UNPROCESSED] if is_done else 0,
            "numberRecordsFailed": counts[FAILED] if is_done else 0,
            **({"errorMessage": job.extra["error"]} if "error" in job.extra and word == "Failed" else {}),
        }
