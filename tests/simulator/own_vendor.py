# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF012 - a declaration; its class attributes are constants
"""A simulated vendor of another package: access tokens, a limit of its own for polls, files and a form."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import Basic, OAuth2
from airflow_provider_bulkjobs.simulator.files import csv_response
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, csv_lines
from airflow_provider_bulkjobs.simulator.jobs import FAILED, Job, JobStates
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

GRANTS: dict[str, dict[str, str | None]] = {
    "refresh_token": {"client_id": "app", "client_secret": "app-secret", "refresh_token": "refresh-1"},
    "urn:ietf:params:oauth:grant-type:jwt-bearer": {"assertion": None},
}


class SimulatedMailman(SimulatedVendor):
    """A vendor whose imports are a form with a CSV file."""

    label = "Mailman"
    conn_type = "mailman"
    password = "mailman-password"
    extra = {"region": "eu"}
    auth = (Basic(None, "mailman-password"), OAuth2("/token", GRANTS, scheme="Mailman-token", in_query=True))
    kinds = {"imports": JobStates(("queued", "started"), "done", partial="partial", failed="bad", canceled="stopped")}
    limits = (
        RateLimit(Limit(10, 60), "mailman_polls", "GET /imports/"),
        RateLimit(Limit(100, 60), is_published=False),
    )
    rate_headers = RateHeaders("x-limit", "x-left", "x-reset", reset_unit="seconds", retry_after="Retry-After")
    choices = {"mailman_mood": ("good", "bad")}

    def error(self, status: int, message: str) -> web.Response:
        """Return an error."""
        return web.json_response({"reason": message}, status=status)

    def token_body(self, token: str, seconds: float) -> dict[str, Any]:
        """Return the token and the host."""
        return super().token_body(token, seconds) | {"api_domain": "https://eu.example"}

    @own_fault("sulk", path="/imports")
    def sulk(self) -> web.Response:
        """Fail inside a 200."""
        return web.json_response({"success": False})

    @route("POST", "/imports")
    def start_import(self, request: IncomingRequest) -> Any:
        """Import the file in the form."""
        lines = csv_lines(request.parts["file"].data, ";")
        if not lines:
            raise self.refuse(422, "an empty file")
        header, *rows = lines
        contacts = [dict(zip(header, row, strict=True)) for row in rows]
        job = self.submit("imports", [self.contacts.upsert(contact) for contact in contacts])
        return web.json_response({"id": job.id}, status=202)

    @route("GET", "/imports/{id}")
    def status(self, request: IncomingRequest) -> Any:
        """Return the state and a URL of the failures."""
        job = self.job("imports", request.params["id"])
        url = self.download_url(job, "failures.csv", request)
        return self.poll(job, lambda word: {"state": word, "failures": url})

    @route("DELETE", "/imports/{id}")
    def stop(self, request: IncomingRequest) -> Any:
        """Cancel an import."""
        job = self.job("imports", request.params["id"])
        self.cancel(job)
        return {"state": self.word(job)}

    def download(self, job: Job, name: str) -> web.Response | None:
        """Return the failures."""
        if name != "failures.csv":
            return None
        return csv_response(["email"], ([row.key] for row in job.rows if row.outcome == FAILED))
