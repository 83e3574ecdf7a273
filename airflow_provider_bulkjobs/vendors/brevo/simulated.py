# SPDX-License-Identifier: Apache-2.0
"""The simulated Brevo: imports of contacts and their processes.

Requests and responses follow the published specification: https://developers.brevo.com/reference
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import HeaderKey, OAuth2
from airflow_provider_bulkjobs.simulator.files import csv_response
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest
from airflow_provider_bulkjobs.simulator.jobs import FAILED, Job, JobStates
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

MAX_BYTES = 10_000_000
CODES = {400: "invalid_parameter", 401: "unauthorized", 403: "permission_denied", 404: "document_not_found"}
REPORTS = ("invalid_emails", "duplicate_contact_id", "duplicate_ext_id", "duplicate_email_id", "duplicate_phone_id")
NUMBERS = ("duplicate_whatsapp_id", "duplicate_landline_number_id")
CLIENT = {"client_id": "brevo-client", "client_secret": "brevo-secret"}


class SimulatedBrevo(SimulatedVendor):
    """Brevo, API version 3."""

    label = "Brevo"
    conn_type = "brevo"
    password = "xkeysib-brevo"  # noqa: S105
    extra = {"requests_per_second": 0}  # otherwise each wait would take a minute
    auth = (HeaderKey("api-key", password), OAuth2("/realms/partner/oauth/token", {"client_credentials": CLIENT}))
    kinds = {"contacts": JobStates(("queued", "in_process", "processing"), "completed", others=("failed", "cancelled"))}
    limits = (RateLimit(Limit(100, 3600), route="GET "), RateLimit(Limit(10, 1), "brevo_contacts", "POST /v3/contacts"))
    rate_headers = RateHeaders(
        "x-sib-ratelimit-limit", "x-sib-ratelimit-remaining", "x-sib-ratelimit-reset", reset_unit="seconds"
    )

    def error(self, status: int, message: str) -> web.Response:
        """Return an error; Brevo leaves out the code of some."""
        code = {"code": CODES[status]} if status in CODES else {}
        return web.json_response({**code, "message": message}, status=status)

    def unauthorized(self) -> web.Response:
        """Return the response to an unknown key."""
        return self.error(401, "Key not found")

    def job_not_found(self, job_id: str) -> web.Response:
        """Return the response to an unknown process."""
        return self.error(404, "Process ID not found")

    def new_job_id(self, kind: str) -> str:
        """Return a number."""
        return str(self.new_id())

    @own_fault("ip_not_allowed")
    def address_not_allowed(self) -> web.Response:
        """Return the response to a valid key from an IP address that is not approved."""
        return self.error(401, "The IP address is not authorized.")

    @route("GET", "/v3/account")
    def account(self, request: IncomingRequest) -> Any:
        """Return the account of the key."""
        person = {"email": "ops@example.com", "firstName": "Ann", "lastName": "Lee", "plan": [], "relay": {}}
        company = {"organization_id": "6400a1b2c3d4e5f601234567", "user_id": 98765, "companyName": "Example GmbH"}
        return {**company, **person, "enterprise": False}

    @route("POST", "/v3/contacts/import")
    def start_import(self, request: IncomingRequest) -> Any:
        """Start an import."""
        contacts = request.object.get("jsonBody")
        if not isinstance(contacts, list) or not all(isinstance(each, dict) for each in contacts):
            raise self.refuse(400, "fileUrl, fileBody or jsonBody is missing")
        if len(request.body) > MAX_BYTES:
            raise self.refuse(400, "jsonBody is larger than 10 MB")
        lists = request.object.get("listIds", [])
        if not isinstance(lists, list) or not all(isinstance(each, int) for each in lists):
            raise self.refuse(400, "listIds should be an array of integers")
        job = self.submit("contacts", [self.contacts.upsert(contact) for contact in contacts])
        return web.json_response({"processId": int(job.id)}, status=202)

    @route("GET", "/v3/processes")
    def processes(self, request: IncomingRequest) -> Any:
        """Return a page of the processes without their reports, the newest first."""
        start, limit = int(request.query.get("offset", 0)), min(int(request.query.get("limit", 10)), 50)
        newest = [job for job in reversed(self.jobs.values()) if job.id not in self.expired]
        return {"count": len(newest), "processes": [self._poll(job) for job in newest[start : start + limit]]}

    @route("GET", "/v3/processes/{id}")
    def process(self, request: IncomingRequest) -> Any:
        """Return a process, once it is completed with the addresses of its reports."""
        job = self.job("contacts", request.params["id"])
        process = self._poll(job)
        if process["status"] != "completed":
            return process
        url = self.download_url(job, REPORTS[0], request) if job.counts[FAILED] else None
        return {**process, "info": {"import": {**dict.fromkeys((*REPORTS, *NUMBERS)), REPORTS[0]: url}}}

    def download(self, job: Job, name: str) -> web.Response | None:
        """Return a report."""
        rows = [[row.key] for row in job.rows if row.outcome == FAILED]
        return csv_response(("EMAIL",), rows) if name == REPORTS[0] else None

    def _poll(self, job: Job) -> Any:
        return self.poll(job, lambda word: {"id": int(job.id), "name": "IMPORTUSER", "status": word})
