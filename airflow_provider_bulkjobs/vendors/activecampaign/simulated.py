# SPDX-License-Identifier: Apache-2.0
"""The simulated ActiveCampaign: the bulk import of contacts of API v3."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import HeaderKey
from airflow_provider_bulkjobs.simulator.credentials import ACTIVECAMPAIGN_KEY
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, RefusedError
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, Job, JobStates, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

FIELDS = (
    ("1", "Plan", "PLAN"),
    ("2", "Favorite color", "FAVORITE_COLOR"),
    ("3", "Size", "SIZE"),
    ("4", "Size", "SIZE_2"),
)
MAX_CONTACTS = 250
MAX_BYTES = 400_000
SUBMIT_PATH = "/api/3/import/bulk_import"
IMPORTS = RateLimit(Limit(100, 60), "activecampaign_imports", f"POST {SUBMIT_PATH}")
USER = {"username": "api", "firstName": "Api", "lastName": "Bot", "email": "api@example.com", "links": {}, "id": "1"}


class SimulatedActiveCampaign(SimulatedVendor):
    """ActiveCampaign, API version 3."""

    label = "ActiveCampaign"
    conn_type = "activecampaign"
    password = ACTIVECAMPAIGN_KEY
    auth = (HeaderKey("Api-Token", ACTIVECAMPAIGN_KEY),)
    # The first state is the JSON value false, returned right after the submit.
    kinds = {
        "contacts": JobStates((False, "waiting", "claimed", "active"), "completed", others=("failed", "interrupted"))
    }
    limits = (RateLimit(Limit(5, 1)), IMPORTS)
    rate_headers = RateHeaders("RateLimit-Limit", "RateLimit-Remaining", retry_after="Retry-After")

    def error(self, status: int, message: str) -> web.Response:
        """Return an error message."""
        return web.json_response({"message": message}, status=status)

    def unauthorized(self) -> web.Response:
        """Return a 403, which is ActiveCampaign's response to an invalid key."""
        return self.error(403, "No valid API token was given.")

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return a 429, or a 400 if the limit of imports is exceeded."""
        if reading.name != IMPORTS.name:
            return super().too_many_requests(reading)
        reason = f"Up to {reading.limit.requests} imports may be requested per minute."
        return self._not_queued("Rate limit exceeded.", reason)

    @own_fault("import_limit", SUBMIT_PATH)
    def too_many_imports(self) -> web.Response:
        """Return the 400 for an exceeded limit of imports."""
        return self.too_many_requests(Reading(IMPORTS.limit, 0, self.now(), is_enforced=True, name=IMPORTS.name))

    @route("GET", "/api/3/users/me")
    def me(self, request: IncomingRequest) -> Any:
        """Return the user of the key."""
        return {"user": USER}

    @route("GET", "/api/3/fields")
    def fields(self, request: IncomingRequest) -> Any:
        """Return the custom fields, on pages."""
        limit, offset = request.integer("limit", 20, minimum=1, maximum=100), request.integer("offset", 0)
        fields = [{"id": key, "title": title, "perstag": tag, "type": "text"} for key, title, tag in FIELDS]
        return {"fields": fields[offset : offset + limit], "meta": {"total": str(len(fields))}}

    @route("POST", SUBMIT_PATH)
    def bulk_import(self, request: IncomingRequest) -> Any:
        """Accept all contacts as a job, or none."""
        if len(request.body) >= MAX_BYTES:
            raise self._invalid(f"The payload must be smaller than {MAX_BYTES} bytes.")
        body = request.json
        contacts = body.get("contacts") if isinstance(body, dict) else None
        if not isinstance(contacts, list) or not 1 <= len(contacts) <= MAX_CONTACTS:
            raise self._invalid(f"Field 'contacts' must hold 1 to {MAX_CONTACTS} contacts")
        problems = ((index, _problem(contact)) for index, contact in enumerate(contacts))
        if reasons := [{"contact": index, "failureReason": problem} for index, problem in problems if problem]:
            raise self._invalid(*reasons)
        job = self.submit("contacts", [self.contacts.upsert(contact) for contact in contacts])
        return {"Success": 1, "queued_contacts": job.items, "batchId": job.id, "message": "Contact import queued"}

    @route("GET", "/api/3/import/info")
    def info(self, request: IncomingRequest) -> Any:
        """Return the state of an import."""
        batch_id = request.query.get("batchId")
        if not batch_id:
            return web.json_response({"success": 0, "message": "'batchId' is a required field."}, status=400)
        if batch_id in self.expired:
            raise self.refuse(404, "No result was found for this batch.")
        job = self.find("contacts", batch_id)
        if job is None:  # an unknown id always looks like a job that was just submitted
            return {"status": False, "success": [], "failure": []}
        return self.poll(job, lambda word: self._info(job, word))

    @route("GET", SUBMIT_PATH)
    def totals(self, request: IncomingRequest) -> Any:
        """Return the numbers of waiting and completed batches and contacts per day."""
        days: dict[bool, dict[str, Counter[str]]] = {True: {}, False: {}}
        for job in self.jobs.values():
            day = datetime.fromtimestamp(job.created, UTC).date().isoformat()
            days[self.is_finished(job)].setdefault(day, Counter()).update(batches=1, contacts=job.items)
        names = {False: "outstanding", True: "recentlyCompleted"}
        return {
            names[done]: [
                {"forDate": day} | {name: str(count) for name, count in counts.items()}
                for day, counts in by_day.items()
            ]
            for done, by_day in days.items()
        }

    def _info(self, job: Job, word: Word) -> dict[str, Any]:
        """Return the ids of created contacts and the failed addresses; updates are not listed."""
        is_finished = self.kinds[job.kind].is_final(word)
        created = [row.contact_id for row in job.rows if row.outcome == CREATED]
        if not is_finished:
            created = created[: len(created) // 2] if word == "active" else []
        failed = [row.key for row in job.rows if row.outcome == FAILED] if is_finished else []
        return {"status": word, "success": created, "failure": failed}

    def _invalid(self, *reasons: Any) -> RefusedError:
        return RefusedError(self._not_queued("JSON payload did not pass validation.", *reasons))

    def _not_queued(self, message: str, *reasons: Any) -> web.Response:
        return web.json_response({"success": 0, "message": message, "failureReasons": list(reasons)}, status=400)


def _problem(contact: Any) -> str | None:
    email = contact.get("email") if isinstance(contact, dict) else None
    if not email or not isinstance(email, str):
        return "Field 'email' is required"
    return "Field 'email' incorrect format" if " " in email else None
