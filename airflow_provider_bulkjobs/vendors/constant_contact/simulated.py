# SPDX-License-Identifier: Apache-2.0
"""The simulated Constant Contact: imports of contacts, and activities on ids of contacts.

Requests and responses follow the published specification: https://developer.constantcontact.com/api_reference/index.html
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import OAuth2
from airflow_provider_bulkjobs.simulator.contacts import INVALID_EMAIL
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, nested
from airflow_provider_bulkjobs.simulator.jobs import FAILED, UPDATED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

ACTIVITIES = "/v3/activities"
MAX_CONTACTS, MAX_BYTES, MAX_IDS, MAX_LISTS = 40_000, 4_000_000, 500, 50
STATES = JobStates(("initialized", "processing"), "completed", others=("cancelled", "failed", "timed_out"))
LISTED_ERRORS = {400: "contacts.api.validation.error", 404: "contacts.api.not_found"}
REFRESH_TOKEN = "constant-contact-refresh"  # noqa: S105
ROTATING = "rotating"


class SimulatedConstantContact(SimulatedVendor):
    """Constant Contact, API version 3."""

    label = "Constant Contact"
    conn_type = "constant_contact"
    login = "constant-contact-client"
    password = "constant-contact-secret"  # noqa: S105
    extra = {"refresh_token": REFRESH_TOKEN}
    auth = (
        OAuth2(
            "/oauth2/default/v1/token",
            {"refresh_token": {"client_id": login, "client_secret": password, "refresh_token": REFRESH_TOKEN}},
        ),
    )
    kinds = {"contacts": STATES, "activities": STATES}
    limits = (RateLimit(Limit(4, 1)), RateLimit(Limit(10_000, 24 * 3600), "constant_contact_daily"))
    choices = {"constant_contact_refresh_tokens": ("long_lived", ROTATING)}
    identities = {"contacts": ("email", "sms_number")}

    def error(self, status: int, message: str, key: str = "error") -> web.Response:
        """Return an error: a list of one, or an object."""
        error = {"error_key": LISTED_ERRORS.get(status, key), "error_message": message}
        return web.json_response([error] if status in LISTED_ERRORS else error, status=status)

    def unauthorized(self) -> web.Response:
        """Return the response to an unknown or expired token."""
        return self.error(401, "Unauthorized", "unauthorized")

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return the response to a request above the limit per second or per day."""
        if reading.name == "constant_contact_daily":
            return self.error(429, "Limit Exceeded", "quota_exceeded")
        return self.error(429, "Too Many Requests", "throttled")

    def token_body(self, token: str, seconds: float) -> dict[str, Any]:
        """Return an access token and the refresh token, or a new one."""
        is_rotating = self.settings.choices["constant_contact_refresh_tokens"] == ROTATING
        return {**super().token_body(token, seconds), "refresh_token": token[:20] if is_rotating else REFRESH_TOKEN}

    def job_not_found(self, job_id: str) -> web.Response:
        """Return the response to an unknown activity."""
        return self.error(404, "activity_id is in an invalid format.")

    def new_contact_id(self) -> str:
        """Return a UUID."""
        return str(uuid.uuid4())

    @own_fault("refresh_token_replaced", "/oauth2/")
    def replaced(self) -> web.Response:
        """Return the response to a rotating refresh token that another process has used."""
        return self.oauth_error(400, "invalid_grant", "The refresh token is invalid or expired.")

    @own_fault("activity_queue_full", f"{ACTIVITIES}/")
    def queue_full(self) -> web.Response:
        """Return the response to one activity too many; its body is not documented."""
        return self.error(429, "Too many activities")

    @route("GET", "/v3/account/user/privileges")
    def privileges(self, request: IncomingRequest) -> Any:
        """Return what the user may do."""
        return web.json_response([{"privilege_id": 41, "privilege_name": "contacts:write"}])

    @route("GET", "/v3/account/summary")
    def summary(self, request: IncomingRequest) -> Any:
        """Return the account."""
        return {"encoded_account_id": "p07e1l8cdif9dl", "organization_name": "Example", "country_code": "US"}

    @route("GET", ACTIVITIES)
    def activities(self, request: IncomingRequest) -> Any:
        """Return the first activities."""
        jobs = [*self.jobs.values()][: request.integer("limit", 50, minimum=1, maximum=500)]
        return {"activities": [self._activity(job, self.word(job)) for job in jobs], "_links": {}}

    @route("POST", f"{ACTIVITIES}/contacts_json_import")
    def start_import(self, request: IncomingRequest) -> Any:
        """Import contacts; what is above the limits is dropped without an error."""
        self._texts(request.object, "list_ids", MAX_LISTS)
        contacts = request.object.get("import_data")
        if not isinstance(contacts, list) or not contacts or not all(isinstance(each, dict) for each in contacts):
            raise self.refuse(400, "import_data does not have a valid value")
        kept = len(contacts) * MAX_BYTES // max(len(request.body), MAX_BYTES)
        return self._started("contacts", [self.contacts.upsert(each) for each in contacts[: min(kept, MAX_CONTACTS)]])

    @route("POST", f"{ACTIVITIES}/contact_delete")
    def delete(self, request: IncomingRequest) -> Any:
        """Delete contacts."""
        ids = self._texts(request.object, "contact_ids", MAX_IDS)
        return self._started("activities", [self.contacts.delete(each) for each in ids])

    @route("POST", f"{ACTIVITIES}/add_list_memberships")
    @route("POST", f"{ACTIVITIES}/remove_list_memberships")
    def change_memberships(self, request: IncomingRequest) -> Any:
        """Add contacts to lists, or remove them from lists; the lists themselves are not simulated."""
        self._texts(request.object, "list_ids", MAX_LISTS)
        ids = self._texts(request.object.get("source"), "contact_ids", MAX_IDS)
        return self._started("activities", [Row(each, UPDATED if each in self.contacts else FAILED) for each in ids])

    @route("GET", f"{ACTIVITIES}/{{id}}")
    def status(self, request: IncomingRequest) -> Any:
        """Return an activity."""
        job_id = request.params["id"]
        job = self.find("contacts", job_id) or self.job("activities", job_id)
        return self.poll(job, lambda word: self._activity(job, word))

    def _started(self, kind: str, rows: Sequence[Row]) -> web.Response:
        return web.json_response(self._activity(self.submit(kind, rows), STATES.steps[0]), status=201)

    def _texts(self, source: Any, name: str, maximum: int) -> list[str]:
        values = nested(source, name)
        if isinstance(values, list) and 0 < len(values) <= maximum and all(isinstance(each, str) for each in values):
            return values
        raise self.refuse(400, f"{name} does not have a valid value")

    def _activity(self, job: Job, word: Word) -> dict[str, Any]:
        task, is_over, has_begun = job.tasks[-1], STATES.is_final(word), word != STATES.steps[0]
        failed = [row for row in job.rows if row.outcome == FAILED] if word == STATES.success else []
        total = job.items if has_begun else 0
        status = {"items_total_count": total, "items_completed_count": total if is_over else total // 2}
        if job.kind == "contacts":
            correctable = sum(row.error == INVALID_EMAIL for row in failed)
            status |= {"person_count": total, "cannot_add_to_list_count": 0}
            status |= {"error_count": len(failed) - correctable, "correctable_count": correctable}
        else:
            status["items_completed_count"] -= len(failed)
        errors = [f"Row {number}: {row.error}" for number, row in enumerate(failed, 1) if row.error]
        times = {"created_at": job.created, "updated_at": self.now()}
        times |= {"started_at": task.started} if has_begun else {}
        times |= {"completed_at": task.finished} if is_over else {}
        return {
            "activity_id": job.id,
            "state": word,
            **{name: _time(moment) for name, moment in times.items()},
            "percent_done": 100 if is_over else 50 if has_begun else 0,
            "activity_errors": errors[:20] if word != "failed" else ["The file could not be read"],
            "status": status,
            "_links": {"self": {"href": f"{ACTIVITIES}/{job.id}"}},
        }


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
