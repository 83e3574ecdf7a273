# SPDX-License-Identifier: Apache-2.0
"""Acquia Campaign Studio: bulk contact jobs; failures are reported only in the job details."""

from __future__ import annotations

import base64
import math
import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.credentials import (
    ACQUIA_CLIENT_ID,
    ACQUIA_CLIENT_SECRET,
    ACQUIA_PASSWORD,
    ACQUIA_USER,
)
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, UPDATED, Family, Job, Row, Word, item_error
from airflow_provider_bulkjobs.simulator.limits import Reading
from airflow_provider_bulkjobs.simulator.settings import Limit
from airflow_provider_bulkjobs.simulator.vendor import RefusedError, Route, Vendor

MAX_CONTACTS = 10_000
PAGE_SIZE = 100
STATUS_CODES = {CREATED: 201, UPDATED: 200, FAILED: 400}
BASIC = base64.b64encode(f"{ACQUIA_USER}:{ACQUIA_PASSWORD}".encode()).decode()


class Acquia(Vendor):
    """A Campaign Studio instance."""

    name = "acquia"
    label = "Acquia Campaign Studio"
    conn_type = "acquia_campaign_studio"
    login = ACQUIA_USER
    password = ACQUIA_PASSWORD
    credentials = (
        f"user {ACQUIA_USER}, password {ACQUIA_PASSWORD}; or OAuth2 client {ACQUIA_CLIENT_ID}, "
        f"secret {ACQUIA_CLIENT_SECRET}, token from /acquia/oauth/v2/token"
    )
    advertised_limit = Limit(1000, 3600)  # sent in headers only when enforced
    families = {  # noqa: RUF012 - a constant of the class
        "contacts": Family(("queued", "in_progress"), ("completed",)),
    }
    open_paths = ("/acquia/oauth/v2/token",)

    def routes(self) -> Iterable[Route]:
        """Return all routes."""
        yield "POST", "/oauth/v2/token", self.token
        yield "GET", "/api/users/self", self.me
        yield "POST", "/api/contacts/bulk/new", partial(self.submit_bulk, "new")
        yield "PUT", "/api/contacts/bulk/edit", partial(self.submit_bulk, "edit")
        yield "PATCH", "/api/contacts/bulk/edit", partial(self.submit_bulk, "edit")
        yield "GET", "/api/contacts/job/{id}", self.job_status
        yield "DELETE", "/api/contacts/job/{id}", self.delete_job
        # next-page is relative to the root of the instance. Clients that resolve it against the host, where a
        # real instance is located, send their requests here.
        yield "GET", "//api/contacts/job/{id}", self.job_status

    # Credentials, errors, limits.

    def reject_credentials(self, request: web.Request) -> web.Response | None:
        """Check that the API is enabled, and the password or the token."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if self.settings.acquia_api == "off":
            return self.error(403, "API disabled. You need to enable the API in the API settings.")
        if self.settings.acquia_api == "no_basic_auth" and scheme.lower() == "basic":
            return self.error(403, "Basic Auth disabled. You need to enable HTTP basic auth in the API settings.")
        match scheme.lower():
            case "basic":
                return None if value == BASIC else self.error(401, "Invalid username or password.")
            case "bearer":
                expires = self.tokens.get(value)
                if expires is None:
                    return _oauth_error(401, "invalid_grant", "The access token provided is invalid.")
                return None if self.now() < expires else self.unauthorized()
        return _oauth_error(401, "access_denied", "OAuth2 authentication required")

    def unauthorized(self) -> web.Response:
        """Return a 401 in the format of the OAuth2 layer."""
        return _oauth_error(401, "invalid_grant", "The access token provided has expired.")

    def error(self, status: int, message: str) -> web.Response:
        """Return an error in the current or in the old format."""
        if self.settings.acquia_error_shape == "old":
            return web.json_response({"error": {"code": status, "message": message}}, status=status)
        error = {"code": status, "message": message, "details": [], "type": None}
        return web.json_response({"errors": [error]}, status=status)

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return a 429."""
        limit = reading.limit.requests
        return self.error(429, f"You exceeded the rate limit of {limit} API calls per hour.")

    def rate_headers(self, reading: Reading) -> Mapping[str, str]:
        """Return the rate limit headers; an instance without a limit sends none."""
        if not reading.enforced:
            return {}
        return {
            "X-RateLimit-Limit": str(reading.limit.requests),
            "X-RateLimit-Remaining": str(reading.remaining),
            "X-RateLimit-Reset": str(int(reading.resets_at)),
        }

    def own_headers(self) -> Mapping[str, str]:
        """Return the header with the software version."""
        return {"Mautic-Version": "5.2.1"}

    async def token(self, request: web.Request) -> web.Response:
        """Issue a token; the client credentials must be in the form body, because a query could be logged."""
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            return _oauth_error(400, "unsupported_grant_type", "Use the grant type client_credentials.")
        if (form.get("client_id"), form.get("client_secret")) != (ACQUIA_CLIENT_ID, ACQUIA_CLIENT_SECRET):
            return _oauth_error(400, "invalid_client", "The client credentials are invalid")
        token = secrets.token_urlsafe(32)
        seconds = self.settings.token_seconds
        self.tokens[token] = self.now() + seconds
        self.tokens_issued += 1
        body = {"access_token": token, "expires_in": math.ceil(seconds), "token_type": "bearer", "scope": ""}
        return web.json_response(body)

    async def me(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Return the current user."""
        role = {"id": 1, "name": "Administrator", "isAdmin": True}
        user = {"isPublished": True, "id": 1, "username": ACQUIA_USER, "firstName": "Api", "lastName": "Bot"}
        return web.json_response(user | {"email": "api@example.com", "role": role, "timezone": "UTC"})

    # Jobs.

    async def submit_bulk(self, action: str, request: web.Request) -> web.Response:
        """Accept contacts as a job."""
        contacts = await self.json_of(request)
        if not isinstance(contacts, list) or not all(isinstance(contact, dict) for contact in contacts):
            raise RefusedError(self.error(400, "The body must be an array of contacts."))
        if not 1 <= len(contacts) <= MAX_CONTACTS:
            raise RefusedError(self.error(400, f"The body must hold 1 to {MAX_CONTACTS} contacts."))
        row_of = self._new_row if action == "new" else self._edited_row
        rows = [row_of(contact) for contact in contacts]
        self.accept(rows)
        job = self.submit("contacts", action, self.task("contacts", rows, "completed"))
        return web.json_response({"id": job.id}, status=202)

    async def job_status(self, request: web.Request) -> web.Response:
        """Return the state of a job and, if it is completed and details are requested, the outcome of each contact."""
        job = self._job(request)
        wants_details = request.query.get("details") in ("1", "true")
        try:
            page = int(request.query.get("page", "1"))
        except ValueError:
            page = 1
        if page > 1:  # the next page does not count as a poll
            return web.json_response(self._status_body(job, self.word(job), page))
        return self.poll_response(job, lambda word: self._status_body(job, word, 1 if wants_details else 0))

    async def delete_job(self, request: web.Request) -> web.Response:
        """Cancel or delete a job; contacts that were already written remain."""
        del self.jobs[self._job(request).id]
        return web.json_response({})

    def _job(self, request: web.Request) -> Job:
        job = self.find("contacts", request.match_info["id"])
        if job is None:
            raise RefusedError(self.error(404, "Item was not found."))
        return job

    def _new_row(self, contact: Mapping[str, Any]) -> Row:
        email = str(contact.get("email") or "")
        if error := item_error({"email": email or None}):
            return Row(email, FAILED, self.new_id(), error)
        if email:
            outcome, contact_id = self.upsert_contact(email)
            return Row(email, outcome, contact_id)
        contact_id = self.new_id()  # a contact without an address never matches an existing one
        return Row(f"without address {contact_id}", CREATED, contact_id)

    def _edited_row(self, contact: Mapping[str, Any]) -> Row:
        key = str(contact.get("id") or "")
        error = item_error(contact) or ("" if key else "The ID is missing.")
        number = int(key) if key.isdecimal() else 0
        return Row(key or f"without id {self.new_id()}", FAILED if error else UPDATED, number, error)

    def _status_body(self, job: Job, word: Word, page: int) -> dict[str, Any]:
        if not page or word != "completed":
            return {"status": word}
        rows = list(job.rows)
        details: dict[str, Any] = {}
        if page * PAGE_SIZE < len(rows):
            details["next-page"] = f"/api/contacts/job/{job.id}?details=1&page={page + 1}"
        details["contacts"] = [_outcome(row) for row in rows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]]
        return {"status": word, "details": details}


def _outcome(row: Row) -> dict[str, Any]:
    outcome: dict[str, Any] = {"id": row.contact_id, "statusCode": STATUS_CODES[row.outcome]}
    if row.error:
        field = "email" if "email" in row.error else "id"
        details = {field: [row.error]}
        outcome["errors"] = {"code": 400, "message": f"{field}: {row.error}", "details": details, "type": None}
    return outcome


def _oauth_error(status: int, code: str, description: str) -> web.Response:
    return web.json_response({"error": code, "error_description": description}, status=status)
