# SPDX-License-Identifier: Apache-2.0
"""The simulated Acme Mail."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import HeaderKey
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest
from airflow_provider_bulkjobs.simulator.jobs import FAILED, Job, JobStates, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit
from airflow_provider_bulkjobs.simulator.routes import route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor


class SimulatedAcmeMail(SimulatedVendor):
    """Acme Mail, API version 1."""

    label, conn_type, password = "Acme Mail", "acme_mail", "acme-key"
    auth = (HeaderKey("X-Api-Key", "acme-key"),)
    kinds = {"imports": JobStates(("queued", "running"), "done", failed="failed", canceled="stopped")}
    limits = (RateLimit(Limit(10, 1)),)
    rate_headers = RateHeaders("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

    def error(self, status: int, message: str) -> web.Response:
        """Return an error."""
        return web.json_response({"message": message}, status=status)

    @route("GET", "/v1/account")
    def account(self, request: IncomingRequest) -> Any:
        """Return the account of the key."""
        return {"account": {"acme_id": "7", "name": "Example Ltd"}}

    @route("POST", "/v1/imports")
    def start_import(self, request: IncomingRequest) -> Any:
        """Accept a batch of contacts."""
        contacts = request.object.get("contacts")
        if not isinstance(contacts, list) or not 1 <= len(contacts) <= 500:
            raise self.refuse(422, "contacts must hold 1 to 500 contacts")
        job = self.submit("imports", [self.contacts.upsert(contact) for contact in contacts])
        return web.json_response({"id": job.id}, status=202)

    @route("GET", "/v1/imports/{id}")
    def status(self, request: IncomingRequest) -> Any:
        """Return the state of an import."""
        job = self.job("imports", request.params["id"])
        return self.poll(job, lambda word: self._body(job, word))

    @route("DELETE", "/v1/imports/{id}")
    def stop(self, request: IncomingRequest) -> Any:
        """Stop an import."""
        job = self.job("imports", request.params["id"])
        if self.is_finished(job):
            raise self.refuse(409, "the import has finished")
        self.cancel(job)
        return {"state": self.word(job)}

    def _body(self, job: Job, word: Word) -> dict[str, Any]:
        body: dict[str, Any] = {"state": word, "total": job.items}
        if self.kinds[job.kind].is_final(word):
            errors = [{"email": row.key, "reason": row.error} for row in job.rows if row.outcome == FAILED]
            body |= {"failed": len(errors), "errors": errors}
        return body
