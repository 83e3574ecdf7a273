# SPDX-License-Identifier: Apache-2.0
"""The simulated Zendesk: bulk jobs on users, organizations, memberships and tickets.

Requests and responses follow the published specification: https://developer.zendesk.com/zendesk/oas.yaml
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import Basic, OAuth2
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest
from airflow_provider_bulkjobs.simulator.jobs import FAILED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

MAX_ITEMS, MAX_OPEN_JOBS = 100, 30
JOBS = "/api/v2/job_statuses"
CODES = {400: "BadRequest", 404: "RecordNotFound", 429: "TooManyRequests"}
CLIENT = {"client_id": "zendesk-client", "client_secret": "zendesk-secret"}
STATES = JobStates(("queued", "working"), "completed", others=("failed", "killed"))
IDENTITIES: dict[str, tuple[str, ...]] = {
    "users": ("email", "external_id"),
    "organizations": ("name", "external_id"),
    "organization_memberships": ("pair",),
    "tickets": (),
}
KIND = f"{{kind:{'|'.join(IDENTITIES)}}}"


class SimulatedZendesk(SimulatedVendor):
    """Zendesk Support, API version 2, with a Team plan."""

    label = "Zendesk"
    conn_type = "zendesk_bulk"
    login = "ann@example.com"
    password = "zendesk-token"  # noqa: S105
    extra = {"requests_per_second": 0}
    auth = (
        Basic(f"{login}/token", password),
        OAuth2("/oauth/tokens", {"client_credentials": CLIENT}, in_json=True, error_status=401),
    )
    kinds = dict.fromkeys(IDENTITIES, STATES)
    limits = (RateLimit(Limit(200, 60)),)
    rate_headers = RateHeaders("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "seconds", "Retry-After")
    identities = IDENTITIES

    def error(self, status: int, message: str, code: str = "") -> web.Response:
        """Return an error; that of a permission is an object."""
        if status == 403:
            return web.json_response({"error": {"title": "Forbidden", "message": message}}, status=403)
        body = {"error": code or CODES.get(status, "InternalError"), "description": message}
        return web.json_response(body, status=status)

    def unauthorized(self) -> web.Response:
        """Return the response to a wrong token."""
        return web.json_response({"error": "Couldn't authenticate you"}, status=401)

    def job_not_found(self, job_id: str) -> web.Response:
        """Return the response to an unknown or expired job."""
        return self.error(404, "Not found")

    def new_job_id(self, kind: str) -> str:
        """Return an id of 32 digits."""
        return f"V3-{super().new_job_id(kind).replace('-', '')}"

    @own_fault("bulk_imports_off", "/api/v2/users/")
    def bulk_imports_off(self) -> web.Response:
        """Return the response of an account whose bulk imports of users are not switched on."""
        return self.error(403, "You do not have access to this page.")

    @route("GET", "/api/v2/users/me.json", is_open=True)
    @route("GET", "/api/v2/users/me", is_open=True)
    def me(self, request: IncomingRequest) -> Any:
        """Return the user: an anonymous one without valid credentials."""
        if self.reject_credentials(request):
            user: dict[str, Any] = {
                "id": None,
                "name": "Anonymous user",
                "email": "invalid@example.com",
                "role": "end-user",
            }
        else:
            user = {"id": 19000000, "name": "Ann Lee", "email": self.login, "role": "admin"}
        return {"user": user}

    @route("POST", "/api/v2/users/create_or_update_many")
    def upsert(self, request: IncomingRequest) -> Any:
        """Create or update users."""
        return self._start("users", "upsert", self._items(request, "users"), self.contacts.upsert)

    @route("POST", f"/api/v2/imports/{KIND}/create_many")
    @route("POST", f"/api/v2/{KIND}/create_many")
    def create(self, request: IncomingRequest) -> Any:
        """Create records."""
        kind = request.params["kind"]
        return self._start(kind, "create", self._items(request, kind), partial(self._create, kind))

    @route("PUT", f"/api/v2/{KIND}/update_many")
    def update(self, request: IncomingRequest) -> Any:
        """Update records."""
        kind = request.params["kind"]
        items, store = self._items(request, kind), self.stores[kind]
        return self._start(kind, "update", items, lambda item: store.update(str(item.get("id")), item))

    @route("DELETE", f"/api/v2/{KIND}/destroy_many")
    def delete(self, request: IncomingRequest) -> Any:
        """Delete records."""
        kind, ids = request.params["kind"], list(filter(None, request.query.get("ids", "").split(",")))
        return self._start(kind, "delete", ids, self.stores[kind].delete)

    @route("GET", f"{JOBS}/show_many.json")
    def several(self, request: IncomingRequest) -> Any:
        """Return the jobs with the given ids, without those that do not exist."""
        found = [self.jobs[each] for each in request.query.get("ids", "").split(",") if each in self.jobs]
        return {"job_statuses": [self._poll(job) for job in found], "count": len(found)}

    @route("GET", f"{JOBS}.json")
    def newest(self, request: IncomingRequest) -> Any:
        """Return a page of the jobs, the newest first."""
        size = request.integer("page[size]", MAX_ITEMS, minimum=1, maximum=MAX_ITEMS)
        page = list(reversed(self.jobs.values()))[:size]
        meta = {"has_more": len(page) < len(self.jobs), "after_cursor": None, "before_cursor": None}
        statuses = [self._status(job, self.word(job)) for job in page]
        return {"job_statuses": statuses, "meta": meta, "links": {"next": None, "prev": None}}

    @route("GET", f"{JOBS}/{{id}}")
    def one(self, request: IncomingRequest) -> Any:
        """Return a job, whatever its kind."""
        job_id = request.params["id"].removesuffix(".json")
        if job := self.jobs.get(job_id):
            return {"job_status": self._poll(job)} if job.body is None else self._poll(job)
        raise self.refuse(404, "Not found")

    def _items(self, request: IncomingRequest, kind: str) -> list[Any]:
        items = request.object.get(kind)
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self.refuse(400, f"Parameter {kind} is required")
        return items

    def _start(self, kind: str, action: str, items: list[Any], store: Callable[[Any], Row]) -> Any:
        if len(items) > MAX_ITEMS:
            raise self.refuse(400, f"Maximum {MAX_ITEMS} {kind} may be created per call", "TooManyValues")
        if sum(not self.is_finished(job) for job in self.jobs.values()) >= MAX_OPEN_JOBS:
            raise self.refuse(429, f"Maximum {MAX_OPEN_JOBS} jobs may be open")  # the words are not documented
        job = self.submit(kind, [store(item) for item in items], action=action)
        return {"job_status": self._status(job, "queued")}

    def _create(self, kind: str, item: dict[str, Any]) -> Row:
        if kind == "tickets" and not (item.get("comment") or item.get("comments")):
            return Row(f"ticket {self.new_id()}", FAILED, error="Description: cannot be blank")
        pair = f"{item.get('user_id')}/{item.get('organization_id')}"  # identifies a membership
        return self.stores[kind].create({**item, "pair": pair}, is_unique=kind != "tickets")

    def _poll(self, job: Job) -> Any:
        return self.poll(job, lambda word: self._status(job, word))

    def _status(self, job: Job, word: Word) -> dict[str, Any]:
        done = job.items if self.kinds[job.kind].is_final(word) else job.items // 2
        results = [self._result(job, *each) for each in enumerate(job.rows)]
        return {
            "id": job.id,
            "job_type": f"Bulk {job.action.title()} {job.kind[:-1].title()}",
            "url": f"https://example.zendesk.com{JOBS}/{job.id}.json",
            "total": job.items,
            "progress": None if word == "queued" else done,
            "status": word,
            "message": None if word == "queued" else f"{str(word).title()} at 2026-03-14 12:00:09 +0000",
            "results": results if word in {"completed", "failed"} else None,
        }

    def _result(self, job: Job, index: int, row: Row) -> dict[str, Any]:
        """Return the result of an item; each operation has its own format."""
        if row.outcome == FAILED:
            error = {"error": f"{job.kind[:-1].title()}{job.action.title()}Error", "details": row.error}
            return {"id": index, "status": "Failed", **error} if job.action == "upsert" else {"index": index, **error}
        number, word = int(row.contact_id), row.outcome.title()
        if job.action in {"update", "delete"}:
            return {"action": job.action, "id": number, "status": word, "success": True}
        if job.kind == "tickets":
            return {"index": index, "id": number, "account_id": 2136156}
        return {"id": number, "status": word, **({"email": row.key} if job.action == "upsert" else {})}
