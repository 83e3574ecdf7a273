# SPDX-License-Identifier: Apache-2.0
"""The file storage of SendGrid: signed URLs, which reject requests with an API key."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from aiohttp import web

from airflow_provider_bulkjobs.simulator.jobs import FAILED, Job, Row
from airflow_provider_bulkjobs.simulator.vendor import RefusedError, Route

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.simulator.sendgrid import SendGrid

UPLOAD_HEADERS = {"x-amz-server-side-encryption": "aws:kms"}
EMAIL_FIELD = "_rf2_T"


class Files:
    """Uploads of CSV files, and downloads of error files and exports."""

    def __init__(self, vendor: SendGrid) -> None:
        self.vendor = vendor

    def routes(self) -> Iterable[Route]:
        """Return the method, absolute path and handler of each route."""
        yield "PUT", "//sendgrid-uploads/{id}", self.upload
        for kind in ("errors", "exports"):
            yield "GET", f"//sendgrid-downloads/{kind}/{{id}}.{{type:csv|json}}", partial(self.download, kind)

    async def upload(self, request: web.Request) -> web.Response:
        """Accept the file of an import, and start its job."""
        job = self._signed_job(request)
        amazon = {name.lower(): value for name, value in request.headers.items()}
        amazon = {name: value for name, value in amazon.items() if name.startswith("x-amz-")}
        if amazon != UPLOAD_HEADERS:
            expected = ", ".join(f"{name}: {value}" for name, value in UPLOAD_HEADERS.items())
            raise storage_error(403, "SignatureDoesNotMatch", f"The signed headers are exactly: {expected}")
        data = await request.read()
        task = job.tasks[0]
        if task.began is None:  # a retried upload changes nothing
            task.rows = self._rows(data, job.extra["fields"])
            task.end = self.vendor.end_of(list(task.rows)) if task.rows else "failed"
            task.began = self.vendor.now()
            self.vendor.accept(task.rows)
        return web.Response()

    async def download(self, kind: str, request: web.Request) -> web.Response:
        """Return a file, once its job is finished."""
        job = self._signed_job(request)
        word = self.vendor.word(job)
        if (job.kind == "export") != (kind == "exports") or not self.vendor.is_finished(job, word):
            raise storage_error(404, "NoSuchKey", "The specified key does not exist.")
        if request.match_info["type"] == "json":
            text = "".join(json.dumps({"id": str(row.contact_id), "email": row.key}) + "\n" for row in job.rows)
            return web.Response(text=text, content_type="application/json")
        if kind == "exports":
            return csv_response(("EMAIL", "CONTACT_ID"), ((row.key, str(row.contact_id)) for row in job.rows))
        failures = ((row.key, row.error) for row in job.rows if row.outcome == FAILED)
        return csv_response(("email", "error"), failures)

    def _signed_job(self, request: web.Request) -> Job:
        if "Authorization" in request.headers:
            message = "Only one auth mechanism allowed: the signature in the query or the Authorization header."
            raise storage_error(400, "InvalidArgument", message)
        job = self.vendor.jobs.get(request.match_info["id"])
        if job is None or request.query.get("X-Amz-Signature") != job.signature:
            raise storage_error(403, "SignatureDoesNotMatch", "The signature does not match the URL.")
        return job

    def _rows(self, data: bytes, fields: Sequence[str | None]) -> list[Row]:
        """Parse the file; return no rows if it is invalid, or if its columns do not match the mapping."""
        try:
            text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
            lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
        except (OSError, EOFError, UnicodeDecodeError, csv.Error):
            return []
        if lines and not any("@" in cell for cell in lines[0]):
            lines = lines[1:]  # the header
        if any(len(line) != len(fields) for line in lines):
            return []
        names = ["email" if field == EMAIL_FIELD else field for field in fields]
        contacts = ({name: cell for name, cell in zip(names, line, strict=True) if name} for line in lines)
        return [self.vendor.row_of(contact) for contact in contacts]


def csv_response(header: Sequence[str], lines: Iterable[Sequence[str]]) -> web.Response:
    """Return a response with a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *lines])
    return web.Response(text=text.getvalue(), content_type="text/csv")


def storage_error(status: int, code: str, message: str) -> RefusedError:
    """Return an error in the format of the storage."""
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    return RefusedError(web.Response(status=status, text=text, content_type="application/xml"))
