# SPDX-License-Identifier: Apache-2.0
"""The simulated Acquia Campaign Studio: bulk contact jobs; failures are reported only in the job details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import Basic, OAuth2, basic_credentials
from airflow_provider_bulkjobs.simulator.contacts import NOT_FOUND
from airflow_provider_bulkjobs.simulator.credentials import (
    ACQUIA_CLIENT_ID,
    ACQUIA_CLIENT_SECRET,
    ACQUIA_PASSWORD,
    ACQUIA_USER,
)
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, UPDATED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

MAX_CONTACTS = 10_000
PAGE_SIZE = 100
STATUS_CODES = {CREATED: 201, UPDATED: 200, FAILED: 400}
JOB_PATH = "/api/contacts/job/{id}"
CLIENT = {"client_id": ACQUIA_CLIENT_ID, "client_secret": ACQUIA_CLIENT_SECRET}
TOKENS = OAuth2("/oauth/v2/token", {"client_credentials": CLIENT})
ROLE = {"id": 1, "name": "Administrator", "isAdmin": True}
USER = {"isPublished": True, "id": 1, "username": ACQUIA_USER, "firstName": "Api", "lastName": "Bot", "timezone": "UTC"}


class SimulatedAcquiaCampaignStudio(SimulatedVendor):
    """A Campaign Studio instance; one without a rate limit, unless the settings have one."""

    name = "acquia"
    label = "Acquia Campaign Studio"
    conn_type = "acquia_campaign_studio"
    login = ACQUIA_USER
    password = ACQUIA_PASSWORD
    auth = (Basic(ACQUIA_USER, ACQUIA_PASSWORD), TOKENS)
    kinds = {"contacts": JobStates(("queued", "in_progress"), "completed")}
    limits = (RateLimit(Limit(1000, 3600), is_published=False, is_advertised=False),)
    rate_headers = RateHeaders("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    headers = {"Mautic-Version": "5.2.1"}
    choices = {
        "acquia_api": ("on", "no_basic_auth", "off"),
        "acquia_error_shape": ("new", "old"),
    }

    def reject_credentials(self, request: IncomingRequest) -> web.Response | None:
        """Check that the API is enabled, and the password or the token."""
        api, basic = self.settings.choices["acquia_api"], basic_credentials(request)
        if api == "off":
            return self.error(403, "API disabled. You need to enable the API in the API settings.")
        if api == "no_basic_auth" and basic:
            return self.error(403, "Basic Auth disabled. You need to enable HTTP basic auth in the API settings.")
        if super().reject_credentials(request) is None:
            return None
        token = TOKENS.token_of(request)
        if token is None:
            is_basic = request.headers.get("Authorization", "").lower().startswith("basic ")
            return (
                self.error(401, "Invalid username or password.")
                if is_basic
                else self.oauth_error(401, "access_denied", "OAuth2 authentication required")
            )
        return self.unauthorized() if self.tokens.is_known(token) else self._bad_token("is invalid")

    def unauthorized(self) -> web.Response:
        """Return a 401 in the format of the OAuth2 layer."""
        return self._bad_token("has expired")

    def error(self, status: int, message: str) -> web.Response:
        """Return an error in the current or in the old format."""
        if self.settings.choices["acquia_error_shape"] == "old":
            return web.json_response({"error": {"code": status, "message": message}}, status=status)
        error = {"code": status, "message": message, "details": [], "type": None}
        return web.json_response({"errors": [error]}, status=status)

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return a 429."""
        return self.error(429, f"You exceeded the rate limit of {reading.limit.requests} API calls per hour.")

    def job_not_found(self, job_id: str) -> web.Response:
        """Return a 404."""
        return self.error(404, NOT_FOUND)

    @route("GET", "/api/users/self")
    def me(self, request: IncomingRequest) -> Any:
        """Return the current user."""
        return USER | {"email": "api@example.com", "role": ROLE}

    @route("POST", "/api/contacts/bulk/new")
    @route("PUT", "/api/contacts/bulk/edit")
    @route("PATCH", "/api/contacts/bulk/edit")
    def bulk(self, request: IncomingRequest) -> Any:
        """Accept contacts as a job; the method selects the operation."""
        contacts = request.json
        if not isinstance(contacts, list) or not all(isinstance(contact, dict) for contact in contacts):
            raise self.refuse(400, "The body must be an array of contacts.")
        if not 1 <= len(contacts) <= MAX_CONTACTS:
            raise self.refuse(400, f"The body must hold 1 to {MAX_CONTACTS} contacts.")
        job = self.submit("contacts", [self._row(request.method, contact) for contact in contacts])
        return web.json_response({"id": job.id}, status=202)

    # next-page is relative to the root of the instance. Clients that resolve it against the host, where a real instance
    # is located, send their requests to the second path.
    @route("GET", JOB_PATH)
    @route("GET", JOB_PATH, is_outside=True)
    def status(self, request: IncomingRequest) -> Any:
        """Return the state of a job and, if it is completed and details are requested, the outcome of each contact."""
        job = self.job("contacts", request.params["id"])
        page = int(request.query["page"]) if request.query.get("page", "").isdecimal() else 1
        if page > 1:  # the next page does not count as a poll
            return self._status(job, self.word(job), page)
        has_details = request.query.get("details") in ("1", "true")
        return self.poll(job, lambda word: self._status(job, word, 1 if has_details else 0))

    @route("DELETE", JOB_PATH)
    def delete_job(self, request: IncomingRequest) -> Any:
        """Cancel or delete a job; contacts that were already written remain."""
        del self.jobs[self.job("contacts", request.params["id"]).id]
        return {}

    def _row(self, method: str, contact: Mapping[str, Any]) -> Row:
        """Create, replace or edit a contact; PUT also creates one whose id is unknown, and PATCH does not."""
        if method == "POST":  # a contact without an address never matches an existing one
            return self.contacts.upsert(contact) if contact.get("email") else self.contacts.create(contact)
        if method == "PUT" and contact.get("id") and contact["id"] not in self.contacts:
            return self.contacts.create(contact, is_unique=False)
        return self.contacts.update(contact.get("id"), contact)

    def _status(self, job: Job, word: Word, page: int) -> dict[str, Any]:
        if not page or word != "completed":
            return {"status": word}
        rows = list(job.rows)
        details: dict[str, Any] = {}
        if page * PAGE_SIZE < len(rows):
            details["next-page"] = f"/api/contacts/job/{job.id}?details=1&page={page + 1}"
        details["contacts"] = [_outcome(row) for row in rows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]]
        return {"status": word, "details": details}

    def _bad_token(self, reason: str) -> web.Response:
        return self.oauth_error(401, "invalid_grant", f"The access token provided {reason}.")


def _outcome(row: Row) -> dict[str, Any]:
    number = row.contact_id if row.contact_id.isdecimal() else "0"
    outcome: dict[str, Any] = {"id": int(number), "statusCode": STATUS_CODES[row.outcome]}
    if row.error:
        field = "email" if "email" in row.error else "id"
        errors = {"code": 400, "message": f"{field}: {row.error}", "details": {field: [row.error]}, "type": None}
        outcome["errors"] = errors
    return outcome
