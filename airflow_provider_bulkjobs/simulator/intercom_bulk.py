# SPDX-License-Identifier: Apache-2.0
"""Intercom's bulk endpoints for contacts and companies, which differ only in the create operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.jobs import DELETED, FAILED, UPDATED, Family, Job, Row, Task, Word, item_error
from airflow_provider_bulkjobs.simulator.vendor import RefusedError, Route

if TYPE_CHECKING:
    from airflow_provider_bulkjobs.simulator.intercom import Intercom

MAX_ITEMS = 100
BULK = Family(("pending", "running"), ("completed", "completed_with_errors"))
# The first numbered version with the bulk endpoints; before it, only "Preview" has them.
BULK_SINCE = (2, 17)


class BulkCalls:
    """The bulk endpoints of one noun; the HTTP method selects the operation.

    :param noun: ``contacts`` or ``companies``.
    """

    def __init__(self, vendor: Intercom, noun: str) -> None:
        self.vendor = vendor
        self.noun = noun
        self.single = "contact" if noun == "contacts" else "company"

    def routes(self) -> Iterable[Route]:
        """Return the method, path and handler of each route."""
        yield "POST", f"/{self.noun}/bulk", partial(self.submit, "create")
        yield "PUT", f"/{self.noun}/bulk", partial(self.submit, "update")
        yield "POST", f"/{self.noun}/bulk/delete", partial(self.submit, "delete")
        yield "GET", f"/{self.noun}/bulk/{{id}}", self.status

    async def submit(self, verb: str, request: web.Request) -> web.Response:
        """Create a bulk job, or append a task to an open one."""
        self._check_version(request)
        body = await self.vendor.json_of(request)
        items = self._items(verb, body if isinstance(body, dict) else {})
        rows = [self._row(verb, item) for item in items]
        end = BULK.ends[any(row.outcome == FAILED for row in rows)]
        job = self._open_job(body["job"]) if body.get("job") else None
        task = self.vendor.task(self.noun, rows, end)
        self.vendor.accept(rows)
        if job:
            job.tasks.append(task)
        else:
            job = self.vendor.submit(self.noun, verb, task, self.vendor.scripted_id(self.noun))
        return web.json_response(self._body(request, job, self.vendor.word(job)), status=202)

    async def status(self, request: web.Request) -> web.Response:
        """Return the state of a bulk job; Intercom does not report which items failed."""
        self._check_version(request)
        job = self.vendor.job_of(self.noun, request)
        return self.vendor.poll_response(job, lambda word: self._body(request, job, word))

    def _check_version(self, request: web.Request) -> None:
        version = request.headers.get("Intercom-Version", "Preview")
        parts = version.split(".")
        if all(part.isdecimal() for part in parts) and tuple(map(int, parts)) < BULK_SINCE:
            raise RefusedError(self.vendor.error(404, f"Version {version} of the API has no bulk calls."))

    def _items(self, verb: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        items = body.get(self.noun)
        if items is None:
            code, message = "field_not_found", f"{self.noun} field must be supplied"
        elif not isinstance(items, list):
            code, message = "type_mismatch", f"{self.noun} must be an array"
        elif len(items) > MAX_ITEMS:
            code, message = "parameter_invalid", f"maximum number of {self.noun} per request is {MAX_ITEMS}"
        elif not all(isinstance(item, dict) for item in items):
            code, message = "type_mismatch", f"each {self.single} must be an object"
        elif verb != "create" and not all(item.get("id") for item in items):
            code, message = "field_not_found", f"each {self.single} must have an id"
        else:
            return items
        raise RefusedError(self.vendor.error(422, message, code))

    def _open_job(self, reference: Any) -> Job:
        job_id = str(reference.get("id")) if isinstance(reference, dict) else str(reference)
        job = self.vendor.find(self.noun, job_id)
        if job is None:
            raise RefusedError(self.vendor.error(404, f"job {job_id} not found", "job_not_found"))
        if job.script or self.vendor.is_finished(job, self.vendor.word(job)):
            raise RefusedError(self.vendor.error(403, f"job {job_id} is closed for new task updates"))
        return job

    def _row(self, verb: str, item: Mapping[str, Any]) -> Row:
        key = str(item.get("email") or item.get("external_id") or item.get("company_id") or item.get("id") or "")
        if error := item_error(item):
            return Row(key, FAILED, error=error)
        if verb != "create":
            return Row(key, UPDATED if verb == "update" else DELETED)
        if not key:
            return Row(f"without identity {self.vendor.new_id()}", FAILED, error="No identity.")
        outcome, contact_id = self.vendor.upsert_contact(f"{self.noun}:{key}")
        # A create never updates a contact; only leads may share an address. Companies are upserted.
        if self.noun == "contacts" and outcome == UPDATED and item.get("role") != "lead":
            return Row(key, FAILED, contact_id, "A contact matching those details already exists.")
        return Row(key, outcome, contact_id)

    def _body(self, request: web.Request, job: Job, word: Word) -> dict[str, Any]:
        tasks = [self._task_body(task, word if job.script else task.word(self.vendor.now())) for task in job.tasks]
        times = [task[key] for task in tasks for key in ("created_at", "started_at", "completed_at") if task[key]]
        return {
            "id": job.id,
            "type": f"{job.kind}.bulk.job",
            "state": word,
            "created_at": int(job.created),
            "updated_at": max(times),
            "completed_at": max(times) if word in BULK.ends else None,
            "tasks": tasks,
            "url": f"{self.vendor.root(request)}/{job.kind}/bulk/{job.id}",
        }

    def _task_body(self, task: Task, word: Word) -> dict[str, Any]:
        return {
            "id": task.id,
            "item_count": len(task.rows),
            "state": word,
            "created_at": int(task.created),
            "started_at": None if word == "pending" else int(task.started),
            "completed_at": int(task.finished) if word in BULK.ends else None,
        }
