# SPDX-License-Identifier: Apache-2.0
"""ActiveCampaign: the bulk import of contacts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.credentials import ACTIVECAMPAIGN_KEY
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, Family, Job, Row, Word, item_error
from airflow_provider_bulkjobs.simulator.limits import RateWindow, Reading
from airflow_provider_bulkjobs.simulator.settings import IMPORTS, PUBLISHED_LIMITS
from airflow_provider_bulkjobs.simulator.vendor import RefusedError, Route, Vendor

MAX_CONTACTS = 250
MAX_BYTES = 400_000
SUBMIT_PATH = "/api/3/import/bulk_import"


class ActiveCampaign(Vendor):
    """ActiveCampaign, API version 3."""

    name = "activecampaign"
    label = "ActiveCampaign"
    conn_type = "activecampaign"
    password = ACTIVECAMPAIGN_KEY
    credentials = f"Api-Token: {ACTIVECAMPAIGN_KEY}"
    advertised_limit = PUBLISHED_LIMITS["activecampaign"]
    families = {  # noqa: RUF012 - a constant of the class
        # The first state is the JSON value false, returned right after the submit.
        "contacts": Family((False, "waiting", "claimed", "active"), ("completed", "failed", "interrupted")),
    }

    def clear(self) -> None:
        """Delete all state, also the count of imports in the current minute."""
        super().clear()
        self.imports_meter = RateWindow()

    def routes(self) -> Iterable[Route]:
        """Return all routes."""
        yield "GET", "/api/3/users/me", self.me
        yield "POST", SUBMIT_PATH, self.bulk_import
        yield "GET", SUBMIT_PATH, self.totals
        yield "GET", "/api/3/import/info", self.info

    # Credentials, errors, limits.

    def reject_credentials(self, request: web.Request) -> web.Response | None:
        """Check the key in its own header."""
        return None if request.headers.get("Api-Token") == ACTIVECAMPAIGN_KEY else self.unauthorized()

    def unauthorized(self) -> web.Response:
        """Return a 403, which is ActiveCampaign's response to an invalid key."""
        return self.error(403, "No valid API token was given.")

    def error(self, status: int, message: str) -> web.Response:
        """Return an error message."""
        return web.json_response({"message": message}, status=status)

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return a 429 with Retry-After, which the other vendors do not send."""
        response = self.error(429, "Too many requests.")
        response.headers["Retry-After"] = str(reading.seconds_left(self.now()))
        return response

    def rate_headers(self, reading: Reading) -> Mapping[str, str]:
        """Return the limit and the remaining requests; there is no header for the reset."""
        return {"RateLimit-Limit": str(reading.limit.requests), "RateLimit-Remaining": str(reading.remaining)}

    def too_many_imports(self) -> web.Response:
        """Return a 400 for an exceeded import limit."""
        limit = self.settings.limits.get(IMPORTS, PUBLISHED_LIMITS[IMPORTS])
        reason = f"Up to {limit.requests} imports may be requested per minute."
        return self._not_queued("Rate limit exceeded.", [reason])

    async def me(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Return the user of the key."""
        user = {"username": "api", "firstName": "Api", "lastName": "Bot", "email": "api@example.com"}
        return web.json_response({"user": user | {"phone": "", "signature": None, "links": {}, "id": "1"}})

    # Imports.

    async def bulk_import(self, request: web.Request) -> web.Response:
        """Accept all contacts as a job, or none."""
        limit = self.settings.limits.get(IMPORTS)
        if limit and not self.imports_meter.count(limit, self.now(), enforced=True)[0]:
            return self.too_many_imports()
        if len(await request.read()) >= MAX_BYTES:
            reason = f"The payload must be smaller than {MAX_BYTES} bytes."
            raise RefusedError(self._invalid([reason]))
        body = await self.json_of(request)
        rows = [self._row(contact) for contact in self._contacts(body)]
        self.accept(rows)
        job = self.submit("contacts", "import", self.task("contacts", rows, "completed"))
        return web.json_response(
            {"Success": 1, "queued_contacts": len(rows), "batchId": job.id, "message": "Contact import queued"}
        )

    async def info(self, request: web.Request) -> web.Response:
        """Return the state of an import."""
        batch_id = request.query.get("batchId")
        if not batch_id:
            body = {"success": 0, "message": "'batchId' is a required field."}
            return web.json_response(body, status=400)
        if batch_id in self.expired:
            raise RefusedError(self.error(404, "No result was found for this batch."))
        job = self.find("contacts", batch_id)
        if job is None:  # an unknown id always looks like a job that was just submitted
            return web.json_response({"status": False, "success": [], "failure": []})
        return self.poll_response(job, lambda word: self._info_body(job, word))

    async def totals(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Return the numbers of waiting and completed batches and contacts per day."""
        days: dict[bool, dict[str, Counter[str]]] = {True: {}, False: {}}
        for job in self.jobs.values():
            day = datetime.fromtimestamp(job.created, UTC).date().isoformat()
            counts = days[self.is_finished(job, self.word(job))].setdefault(day, Counter())
            counts.update(batches=1, contacts=job.items)
        return web.json_response({"outstanding": _by_day(days[False]), "recentlyCompleted": _by_day(days[True])})

    def _contacts(self, body: Any) -> list[dict[str, Any]]:
        contacts = body.get("contacts") if isinstance(body, dict) else None
        if not isinstance(contacts, list) or not 1 <= len(contacts) <= MAX_CONTACTS:
            raise RefusedError(self._invalid([f"Field 'contacts' must hold 1 to {MAX_CONTACTS} contacts"]))
        reasons = [
            {"contact": index, "failureReason": "Field 'email' is required"}
            for index, contact in enumerate(contacts)
            if not (isinstance(contact, dict) and contact.get("email") and isinstance(contact["email"], str))
        ]
        if reasons:
            raise RefusedError(self._invalid(reasons))
        return contacts

    def _row(self, contact: Mapping[str, Any]) -> Row:
        email = contact["email"]
        if error := item_error({"email": email}):
            return Row(email, FAILED, error=error)
        outcome, contact_id = self.upsert_contact(email)
        return Row(email, outcome, contact_id)

    def _info_body(self, job: Job, word: Word) -> dict[str, Any]:
        """Return the ids of created contacts and the failed addresses; updates are not listed."""
        is_finished = self.is_finished(job, word)
        created = [str(row.contact_id) for row in job.rows if row.outcome == CREATED]
        if not is_finished:
            created = created[: len(created) // 2] if word == "active" else []
        failed = [row.key for row in job.rows if row.outcome == FAILED] if is_finished else []
        return {"status": word, "success": created, "failure": failed}

    def _invalid(self, reasons: list[Any]) -> web.Response:
        return self._not_queued("JSON payload did not pass validation.", reasons)

    def _not_queued(self, message: str, reasons: list[Any]) -> web.Response:
        return web.json_response({"success": 0, "message": message, "failureReasons": reasons}, status=400)


def _by_day(days: Mapping[str, Counter[str]]) -> list[dict[str, str]]:
    return [
        {"forDate": day, "batches": str(counts["batches"]), "contacts": str(counts["contacts"])}
        for day, counts in days.items()
    ]
