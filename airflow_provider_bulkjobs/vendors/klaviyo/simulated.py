# SPDX-License-Identifier: Apache-2.0
"""The simulated Klaviyo: bulk import jobs for profiles.

https://developers.klaviyo.com/en/reference/bulk_import_profiles
https://developers.klaviyo.com/en/docs/use_klaviyos_bulk_profile_import_api
https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import HeaderKey
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, nested
from airflow_provider_bulkjobs.simulator.jobs import FAILED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

JOBS = "/api/profile-bulk-import-jobs"
MEDIA_TYPE = "application/vnd.api+json"
REVISION = re.compile(r"\d{4}-\d{2}-\d{2}(\.pre)?")
MAX_PROFILES, MAX_BYTES, MAX_PROFILE_BYTES = 10_000, 5_000_000, 100_000
PROFILES = "/data/attributes/profiles/data"
IDENTITIES = ("email", "phone_number", "external_id", "_kx")
ERRORS = {
    400: ("invalid", "Invalid input."),
    401: ("not_authenticated", "Authentication credentials were not provided or are invalid."),
    404: ("not_found", "Not found."),
    415: ("unsupported_media_type", "Unsupported media type."),
    429: ("throttled", "Request was throttled."),
}
DEFAULT_PAGE, MAX_PAGE = 20, 100
ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
RETENTION = 7 * 24 * 3600  # seconds; jobs have an expires_at, but the retention is undocumented


class SimulatedKlaviyo(SimulatedVendor):
    """Klaviyo, with a private API key."""

    label = "Klaviyo"
    conn_type = "klaviyo"
    password = "pk_klaviyo"  # noqa: S105
    auth = (HeaderKey("Authorization", f"Klaviyo-API-Key {password}"),)
    kinds = {"profiles": JobStates(("queued", "processing"), "complete", others=("cancelled",))}
    # The limits per minute, which are those in the headers.
    limits = (RateLimit(Limit(150, 60)), RateLimit(Limit(15, 60), "klaviyo_accounts", "GET /api/accounts"))
    rate_headers = RateHeaders("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", reset_unit="seconds")
    identities = {"profiles": IDENTITIES}

    def error(self, status: int, message: str, pointer: str = "/data/") -> web.Response:
        """Return a JSON:API document with one error."""
        code, title = ERRORS.get(status, ("error", "A server error occurred."))
        error = {"id": str(self.new_id()), "status": status, "code": code, "title": title, "detail": message}
        return _document({"errors": [error | {"source": {"pointer": pointer}, "links": {}, "meta": {}}]}, status)

    def unauthorized(self) -> web.Response:
        """Return a 401."""
        return self.error(401, "Missing or invalid private key.")

    def reject_credentials(self, request: IncomingRequest) -> web.Response | None:
        """Return a 401, or a 400 without a valid revision, which every request needs."""
        revision = request.headers.get("revision", "")
        rejection = super().reject_credentials(request)
        if rejection is not None or REVISION.fullmatch(revision):
            return rejection
        return self.error(400, f"'{revision}' is not a valid revision")

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return a 429."""
        seconds = reading.seconds_left(self.now())
        return self.error(429, f"Request was throttled. Expected available in {seconds} seconds.")

    def rate_limit_headers(self, reading: Reading, *, is_rejected: bool) -> Mapping[str, str]:
        """Return the headers; a rejection has a Retry-After instead of the others."""
        headers = RateHeaders(retry_after="Retry-After") if is_rejected else self.rate_headers
        return headers.of(reading, self.now(), is_rejected=is_rejected)

    def job_not_found(self, job_id: str) -> web.Response:
        """Return a 404."""
        return self.error(404, f"A job with id {job_id} does not exist.")

    @route("GET", "/api/accounts")
    def accounts(self, request: IncomingRequest) -> Any:
        """Return the account of the key."""
        account = {"type": "account", "id": "AbC123", "attributes": {"public_api_key": "AbC123", "test_account": True}}
        links = {"self": f"{request.root}/api/accounts", "next": None, "prev": None}
        return _document({"data": [account | {"links": links}], "links": links})

    @route("POST", JOBS)
    def bulk_import(self, request: IncomingRequest) -> Any:
        """Start the import of profiles."""
        if request.headers.get("Content-Type", "").partition(";")[0].strip() != MEDIA_TYPE:
            raise self.refuse(415, f"The content type must be {MEDIA_TYPE}")
        if len(request.body) > MAX_BYTES:
            raise self.refuse(400, f"The payload must be at most {MAX_BYTES} bytes", "/data")
        data = request.object.get("data")
        profiles = nested(data, "attributes", "profiles", "data")
        if nested(data, "type") != "profile-bulk-import-job":
            raise self.refuse(400, "The type must be profile-bulk-import-job", "/data/type")
        if not isinstance(profiles, list) or not 1 <= len(profiles) <= MAX_PROFILES:
            raise self.refuse(400, f"There must be 1 to {MAX_PROFILES} profiles", PROFILES)
        for number, profile in enumerate(profiles):
            self._check(profile, f"{PROFILES}/{number}")
        lists = nested(data, "relationships", "lists", "data") or []
        if not all(nested(each, "type") == "list" and nested(each, "id") for each in lists):
            raise self.refuse(400, "Each list must have the type list and an id", "/data/relationships/lists/data")
        job = self.submit("profiles", [self._import(profile) for profile in profiles], profiles=profiles)
        return _document(self._body(job, self.word(job), request), 202)

    @route("GET", f"{JOBS}/{{id}}")
    def status(self, request: IncomingRequest) -> Any:
        """Return the state of a job."""
        job = self.job("profiles", request.params["id"])
        return _document(self.poll(job, lambda word: self._body(job, word, request)))

    @route("GET", f"{JOBS}/{{id}}/import-errors")
    def import_errors(self, request: IncomingRequest) -> Any:
        """Return the errors of a finished job, page by page; the cursor is the offset."""
        job = self.job("profiles", request.params["id"])
        size = request.integer("page[size]", DEFAULT_PAGE, minimum=1, maximum=MAX_PAGE)
        failed, cursor = self.failures(job, request.integer("page[cursor]", 0), size)
        path = f"{request.root}{JOBS}/{job.id}/import-errors?page%5Bsize%5D={size}"
        links = {"self": path, "next": f"{path}&page%5Bcursor%5D={cursor}" if cursor else None, "prev": None}
        return _document({"data": [_error(job, position, row) for position, row in failed], "links": links})

    def _check(self, profile: Any, pointer: str) -> None:
        attributes = nested(profile, "attributes")
        if nested(profile, "type") != "profile" or not isinstance(attributes, dict):
            raise self.refuse(400, "Each profile must have the type profile and attributes", pointer)
        if len(ENCODE(profile).encode()) > MAX_PROFILE_BYTES:
            raise self.refuse(400, f"A profile must have at most {MAX_PROFILE_BYTES} bytes", pointer)
        identifiers = {name: attributes[name] for name in IDENTITIES if attributes.get(name) is not None}
        for name, value in identifiers.items():
            if not isinstance(value, str) or not value:
                raise self.refuse(400, f"'{name}' must be a string", f"{pointer}/attributes/{name}")
        if not identifiers and not profile.get("id"):
            raise self.refuse(400, "A profile needs an identifier", f"{pointer}/attributes")

    def _import(self, profile: Mapping[str, Any]) -> Row:
        """Create a profile, or update the one that it identifies; null values change nothing."""
        item = {name: value for name, value in profile["attributes"].items() if value is not None}
        return self.contacts.update(profile["id"], item) if profile.get("id") else self.contacts.upsert(item)

    def _body(self, job: Job, word: Word, request: IncomingRequest) -> dict[str, Any]:
        is_finished, [task] = self.kinds[job.kind].is_final(word), job.tasks
        failed = job.counts[FAILED] if is_finished else 0
        attributes = {
            "status": word,
            "created_at": _time(job.created),
            "total_count": job.items,
            "completed_count": job.items - failed if is_finished else 0,
            "failed_count": failed,
            "started_at": None if word == "queued" else _time(task.started),
            "completed_at": _time(task.finished) if is_finished else None,
            "expires_at": _time(job.created + RETENTION),
        }
        links = {"self": f"{request.root}{JOBS}/{job.id}"}
        return {"data": {"type": "profile-bulk-import-job", "id": job.id, "attributes": attributes, "links": links}}


def _error(job: Job, position: int, row: Row) -> dict[str, Any]:
    profiles = job.extra.get("profiles")
    attributes = {
        "code": "invalid",
        "title": "Invalid input.",
        "detail": row.error,
        "source": {"pointer": f"{PROFILES}/{position}"},
        "original_payload": profiles[position]["attributes"] if profiles else {"email": row.key},
    }
    return {"type": "import-error", "id": f"{job.id}-{position}", "attributes": attributes}


def _document(body: Any, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, content_type=MEDIA_TYPE)


def _time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="seconds")
