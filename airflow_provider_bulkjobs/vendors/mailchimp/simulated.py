# SPDX-License-Identifier: Apache-2.0
"""The simulated Mailchimp: batches of operations on the contacts of one audience.

Requests and responses follow the published specification: https://mailchimp.com/developer/marketing/api/
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import uuid
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import Basic
from airflow_provider_bulkjobs.simulator.contacts import NOT_FOUND
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest
from airflow_provider_bulkjobs.simulator.jobs import DELETED, FAILED, UPDATED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateLimit
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

AUDIENCE = "57afe96172"
MAX_OPERATIONS = 1000
OPERATION = re.compile(rf"(PUT|DELETE|POST) /lists/{AUDIENCE}/members/([0-9a-f]{{32}})(/tags)?")
TITLES = {400: "Invalid Resource", 401: "API Key Invalid", 404: "Resource Not Found", 429: "Too Many Requests"}


class SimulatedMailchimp(SimulatedVendor):
    """Mailchimp Marketing, version 3.0."""

    label = "Mailchimp"
    conn_type = "mailchimp"
    password = "f0e1d2c3b4a5968778695a4b3c2d1e0f-us19"  # noqa: S105
    auth = (Basic(None, password),)
    kinds = {"contacts": JobStates(("pending", "preprocessing", "started", "finalizing"), "finished")}
    limits = (RateLimit(Limit(10, 1), is_published=False),)  # Mailchimp limits simultaneous requests instead
    identities = {"contacts": ("email_address",)}

    def error(self, status: int, message: str) -> web.Response:
        """Return a problem document."""
        problem = _problem(status, message)
        return web.json_response(problem, status=status, content_type="application/problem+json")

    def unauthorized(self) -> web.Response:
        """Return the response to an invalid key, or to one of another data center."""
        return self.error(401, "Your API key may be invalid, or you've attempted to access the wrong datacenter.")

    @own_fault("bare_403")
    def throttled(self) -> web.Response:
        """Return the 403 of what throttles extreme volumes, which is no problem document."""
        return web.Response(status=403)

    @route("GET", "/3.0/")
    def account(self, request: IncomingRequest) -> Any:
        """Return the account of the key."""
        return {"account_id": "8d3a3db4d97663a9074efcc16", "account_name": "Example GmbH"}

    @route("GET", "/3.0/batches")
    def batches(self, request: IncomingRequest) -> Any:
        """Return the number of batches, the field that the connection test asks for."""
        return {"total_items": len(self.jobs)}

    @route("POST", "/3.0/batches")
    def start_batch(self, request: IncomingRequest) -> Any:
        """Start a batch; the outcome of each operation is in its results only."""
        operations = request.object.get("operations")
        if not isinstance(operations, list) or len(operations) > MAX_OPERATIONS:
            raise self.refuse(400, f"operations must be an array of up to {MAX_OPERATIONS} operations.")
        members = {_hash(contact["email_address"]): str(contact["id"]) for contact in self.contacts}
        return self._batch(self.submit("contacts", [self._execute(each, members) for each in operations]), request)

    @route("GET", "/3.0/batches/{id}")
    def batch(self, request: IncomingRequest) -> Any:
        """Return a batch."""
        job = self.job("contacts", request.params["id"])
        return self.poll(job, lambda word: self._batch(job, request, word))

    @route("DELETE", "/3.0/batches/{id}")
    def delete_batch(self, request: IncomingRequest) -> Any:
        """Delete a batch, in any state."""
        self.expired.add(self.jobs.pop(self.job("contacts", request.params["id"]).id).id)
        return web.Response(status=204)

    def download(self, job: Job, name: str) -> web.Response | None:
        """Return the archive with the responses, in two files."""
        responses, archive = [_response(row) for row in job.rows], io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as files:
            for number, part in enumerate((responses[::2], responses[1::2])):
                data = json.dumps(part).encode()
                info = tarfile.TarInfo(f"{job.id}/{number}.json")
                info.size = len(data)
                files.addfile(info, io.BytesIO(data))
        return web.Response(body=archive.getvalue(), content_type="application/gzip")

    def _execute(self, operation: dict[str, Any], members: dict[str, str]) -> Row:
        """Return the outcome of an operation, with its id as the key.

        :param members: the ids of the contacts by the hashes of their addresses.
        """
        key = str(operation.get("operation_id") or self.new_id())
        found = OPERATION.fullmatch(f"{operation.get('method')} {operation.get('path')}")
        method, member, is_tags = found.groups() if found else ("", "", None)
        if method == "PUT" and not is_tags:
            body = json.loads(operation["body"])
            email = str(body.get("email_address"))
            if _hash(email) != member:
                return Row(key, FAILED, error="The subscriber hash is not that of the email address.")
            row = self.contacts.upsert({**body, "email": email})
            members[member] = row.contact_id
            return row._replace(key=key)
        if member not in members:
            return Row(key, FAILED, error=NOT_FOUND)
        if method == "DELETE":
            return self.contacts.delete(members.pop(member))._replace(key=key)
        self.contacts.update(members[member], json.loads(operation["body"]))
        return Row(key, UPDATED)

    def _batch(self, job: Job, request: IncomingRequest, word: Word = "pending") -> dict[str, Any]:
        is_finished = word == "finished"
        total = 0 if word in ("pending", "preprocessing") else job.items
        return {
            "id": job.id,
            "status": word,
            "total_operations": total,
            "finished_operations": total // 2 if word == "started" else total,
            "errored_operations": job.counts[FAILED] if word in ("finalizing", "finished") else 0,
            "submitted_at": _time(job.created),
            "completed_at": _time(job.tasks[-1].finished) if is_finished else "",
            "response_body_url": self.download_url(job, "response.tar.gz", request) if is_finished else "",
        }


def _hash(email: str) -> str:
    return hashlib.md5(email.lower().encode(), usedforsecurity=False).hexdigest()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def _problem(status: int, detail: str) -> dict[str, Any]:
    page = "https://mailchimp.com/developer/marketing/docs/errors/"
    title = TITLES.get(status, "Internal Server Error")
    return {"type": page, "title": title, "status": status, "detail": detail, "instance": str(uuid.uuid4())}


def _response(row: Row) -> dict[str, Any]:
    """Return the response to an operation; one that archives or tags a contact has none."""
    if row.outcome == FAILED:
        status = 404 if row.error == NOT_FOUND else 400
        return {"status_code": status, "operation_id": row.key, "response": json.dumps(_problem(status, row.error))}
    if row.outcome == DELETED or not row.contact_id:
        return {"status_code": 204, "operation_id": row.key, "response": ""}
    member = {"contact_id": row.contact_id, "status": "subscribed"}
    return {"status_code": 200, "operation_id": row.key, "response": json.dumps(member)}
