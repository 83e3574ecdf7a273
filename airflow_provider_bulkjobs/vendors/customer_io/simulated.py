# SPDX-License-Identifier: Apache-2.0
"""The simulated Customer.io: imports of CSV files, and their reports.

Requests and responses follow the published specification: https://docs.customer.io/integrations/api/app/. It downloads
nothing: a file has to be in its own storage (PUT ``/customer_io-files/<name>``), where ``contacts.csv`` always is.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import bearer
from airflow_provider_bulkjobs.simulator.files import csv_response
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, csv_lines, nested
from airflow_provider_bulkjobs.simulator.jobs import FAILED, Job, JobStates, Row, Word, scripted_rows
from airflow_provider_bulkjobs.simulator.limits import Limit, RateLimit
from airflow_provider_bulkjobs.simulator.routes import route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

STEPS = ("preprocessing", "preprocessed", "validating", "validated", "importing")
IDENTIFIERS = {"people": ("id", "email"), "event": ("id", "email"), "relationship": ("id", "email", "cio_id")}
FILES = "/customer_io-files/"


class SimulatedCustomerIo(SimulatedVendor):
    """Customer.io, App API version 1."""

    label = "Customer.io"
    conn_type = "customer_io"
    password = "customer-io-app-key"  # noqa: S105
    auth = (bearer(password),)
    kinds = {"import": JobStates(STEPS, "imported", canceled="canceled", others=("failed",))}
    identities = {"people": ("id", "email")}
    limits = (RateLimit(Limit(10, 1), is_published=False),)

    def clear(self) -> None:
        """Delete all state but the file that is always there: 1,000 people, 30 of them with an invalid address."""
        super().clear()
        lines = ["email", *(row.key for row in scripted_rows(1000, 30))]
        self.files = {"contacts.csv": "\r\n".join(lines).encode()}

    def error(self, status: int, message: str, pointer: str = "") -> web.Response:
        """Return an error, in one of two formats."""
        if status in {403, 413}:
            return web.json_response({"meta": {"error": message}}, status=status)
        source = {"source": {"pointer": f"/data/attributes/{pointer}"}} if pointer else {}
        return web.json_response({"errors": [{"detail": message, "status": str(status), **source}]}, status=status)

    def new_job_id(self, kind: str) -> str:
        """Return a number."""
        return str(self.new_id())

    @route("GET", "/v1/workspaces")
    def workspaces(self, request: IncomingRequest) -> Any:
        """Return the workspace of the key."""
        counts = dict.fromkeys(("messages_sent", "billable_messages_sent", "object_types", "objects"), 0)
        return {"workspaces": [{"id": 13, "name": "Example", "people": len(self.contacts), **counts}]}

    @route("PUT", f"{FILES}{{name}}", is_open=True, is_outside=True)
    def put_file(self, request: IncomingRequest) -> Any:
        """Store a file."""
        self.files[request.params["name"]] = request.body
        return web.Response()

    @route("POST", "/v1/imports")
    def start_import(self, request: IncomingRequest) -> Any:
        """Start an import; whether there is such a file is found out later."""
        asked = nested(request.json, "import") or {}
        kind = nested(asked, "type")
        if kind != "object" and kind not in IDENTIFIERS:
            raise self.refuse(422, "type is invalid", "type")
        for name in ("name", "data_file_url", "object_type_id" if kind == "object" else "identifier"):
            if not isinstance(asked.get(name), str):
                raise self.refuse(422, f"{name} is required", name)
        if kind != "object" and asked["identifier"] not in IDENTIFIERS[kind]:
            raise self.refuse(422, "identifier is invalid", "identifier")
        data = self.files.get(urlsplit(asked["data_file_url"]).path.removeprefix(FILES))
        header, *lines = csv_lines(data or b"") or [[]]
        error = "" if data is not None else "The file could not be downloaded."
        if kind != "object" and not error and asked["identifier"] not in header:
            error = "The file has no column with the identifier."
        rows = [] if error else [self._row(kind, dict(zip(header, line, strict=False))) for line in lines]
        values = {name: asked[name] for name in asked if name != "data_file_url"}
        job = self.submit("import", rows, action=kind, end="failed" if error else None, request=values, error=error)
        return {"import": self._body(job, self.word(job), request)}

    @route("GET", "/v1/imports/{id}")
    def status(self, request: IncomingRequest) -> Any:
        """Return an import."""
        job = self.job("import", request.params["id"])
        return self.poll(job, lambda word: {"import": self._body(job, word, request)})

    @route("GET", "/v1/exports/{id}/download")
    def report(self, request: IncomingRequest) -> Any:
        """Return the signed URL of a report, whose id is that of the import."""
        return {"url": self.download_url(self.job("import", request.params["id"]), "errors.csv", request)}

    def download(self, job: Job, name: str) -> web.Response | None:
        """Return the rows that have failed. The columns are undocumented."""
        failed = [(row.key, row.error) for row in job.rows if row.outcome == FAILED]
        return csv_response(("identifier", "error"), failed) if name == "errors.csv" else None

    def _row(self, kind: str, item: dict[str, str]) -> Row:
        """Import a row; only people are stored."""
        person = {name: value for name, value in item.items() if value}
        return self.contacts.upsert(person) if kind == "people" else Row(next(iter(item.values()), ""), "created")

    def _body(self, job: Job, word: Word, request: IncomingRequest) -> dict[str, Any]:
        failed, values = job.counts[FAILED], job.extra.get("request", {"type": "people"})
        body = {"id": int(job.id), **values, "state": word}
        body |= {"created_at": int(job.created), "updated_at": int(self.now())}
        body["rows_to_import"] = job.items if word not in STEPS[:3] else 0
        body["rows_imported"] = job.items - failed if word == "imported" else 0
        body |= {"error": job.extra.get("error") or "The file is invalid."} if word == "failed" else {}
        if failed and word == "imported":
            url = f"{request.root}/v1/exports/{job.id}/download"
            body |= {"error_export_id": int(job.id), "error_download_url": url}
        return body
