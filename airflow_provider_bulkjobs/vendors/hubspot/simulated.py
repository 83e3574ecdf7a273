# SPDX-License-Identifier: Apache-2.0
"""The simulated HubSpot: imports of contacts and companies.

Request and response bodies and the types of the errors follow the specification of the Imports API, v3:
https://github.com/HubSpot/HubSpot-public-api-spec-collection. The rest is from the pages in ``vendor.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import bearer
from airflow_provider_bulkjobs.simulator.contacts import EXISTS, INVALID_EMAIL, NO_IDENTITY, NOT_FOUND
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, csv_lines, nested
from airflow_provider_bulkjobs.simulator.jobs import FAILED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

IMPORTS = "/crm/v3/imports"
CORRELATION_ID = "aeb5f871-7f07-4993-9211-075dc63e7cbf"
CATEGORIES = {
    400: "VALIDATION_ERROR",
    401: "INVALID_AUTHENTICATION",
    403: "MISSING_SCOPES",
    404: "OBJECT_NOT_FOUND",
    429: "RATE_LIMITS",
}
OBJECT_TYPES = {"0-1": ("contacts", "CONTACT"), "0-2": ("companies", "COMPANY")}  # HubSpot has more
OPERATIONS = ("UPSERT", "CREATE", "UPDATE")
OBJECT_ID, ALTERNATE_ID = "HUBSPOT_OBJECT_ID", "HUBSPOT_ALTERNATE_ID"
WRONG_WIDTH = "The row does not have one cell for each column."
ERROR_TYPES = {
    INVALID_EMAIL: "INVALID_EMAIL",
    NO_IDENTITY: "MISSING_REQUIRED_PROPERTY",
    EXISTS: "CREATE_ONLY_IMPORT",
    NOT_FOUND: "UPDATE_ONLY_IMPORT",
    WRONG_WIDTH: "INCORRECT_NUMBER_OF_COLUMNS",
}
MAX_ERRORS = MAX_IMPORTS = 100  # per page


class SimulatedHubSpot(SimulatedVendor):
    """HubSpot, CRM API version 3, with a Free or Starter subscription."""

    label = "HubSpot"
    conn_type = "hubspot"
    password = "pat-na1-hubspot"  # noqa: S105
    auth = (bearer(password),)
    kinds = {"import": JobStates(("STARTED", "PROCESSING"), "DONE", canceled="CANCELED", others=("FAILED", "REVERTED"))}
    limits = (RateLimit(Limit(100, 10)),)
    rate_headers = RateHeaders("X-HubSpot-RateLimit-Max", "X-HubSpot-RateLimit-Remaining")
    identities = {"contacts": ("email",), "companies": ("domain",)}

    def error(self, status: int, message: str, *details: str) -> web.Response:
        """Return an error with a category, and with details if there are any."""
        category = CATEGORIES.get(status, "INTERNAL_ERROR")
        body = {"status": "error", "message": message, "correlationId": CORRELATION_ID, "category": category}
        errors = {"errors": [{"message": detail} for detail in details]} if details else {}
        return web.json_response(body | errors, status=status)

    def unauthorized(self) -> web.Response:
        """Return a 401."""
        return self.error(401, "Authentication credentials not found.")

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return a 429, which names the policy."""
        body = {"status": "error", "message": "You have reached your ten_secondly_rolling limit."}
        body |= {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING", "correlationId": CORRELATION_ID}
        return web.json_response(body | {"category": CATEGORIES[429]}, status=429)

    def rate_limit_headers(self, reading: Reading, *, is_rejected: bool) -> Mapping[str, str]:
        """Return the headers; none has the time of the reset, and a rejection has no Retry-After."""
        headers = {"X-HubSpot-RateLimit-Interval-Milliseconds": str(int(reading.limit.per_seconds * 1000))}
        return headers | dict(super().rate_limit_headers(reading, is_rejected=is_rejected))

    def job_not_found(self, job_id: str) -> web.Response:
        """Return a 404, or a 400 for what is not an id."""
        return self.error(404, "No import with that id") if job_id.isdecimal() else self.error(400, "invalid importId")

    def new_job_id(self, kind: str) -> str:
        """Return a number."""
        return str(self.new_id())

    @route("GET", "/account-info/v3/details")
    def details(self, request: IncomingRequest) -> Any:
        """Return the account of the token."""
        return {"portalId": 1234567, "accountType": "STANDARD", "timeZone": "US/Eastern", "companyCurrency": "USD"}

    @route("GET", IMPORTS)
    @route("GET", f"{IMPORTS}/")
    def active_imports(self, request: IncomingRequest) -> Any:
        """Return the active imports, page by page."""
        jobs = [job for job in self.jobs.values() if not self.is_finished(job)]
        begin = request.integer("after", 0)
        end = begin + request.integer("limit", MAX_IMPORTS, minimum=1, maximum=MAX_IMPORTS)
        paging = {"paging": {"next": {"after": str(end)}}} if end < len(jobs) else {}
        return {"results": [self._body(job, self.word(job)) for job in jobs[begin:end]]} | paging

    @route("POST", IMPORTS)
    @route("POST", f"{IMPORTS}/")
    def start_import(self, request: IncomingRequest) -> Any:
        """Start the import of a file."""
        parts = request.parts
        if missing := {"importRequest", "files"} - parts.keys():
            raise self.refuse(400, "Invalid input", *(f"{name} is required" for name in sorted(missing)))
        body = replace(request, body=parts["importRequest"].data).object
        [file, *others] = _list(body.get("files")) or [None]
        page = nested(file, "fileImportPage")
        mappings = _list(nested(page, "columnMappings"))
        types = {str(nested(mapping, "columnObjectTypeId")) for mapping in mappings}
        operations = body.get("importOperations", dict.fromkeys(types, "UPSERT"))
        problems = {
            "files": bool(others) or nested(file, "fileName") != parts["files"].filename,
            "columnName": not all(nested(mapping, "columnName") for mapping in mappings),
            "columnObjectTypeId": len(types) != 1 or not types <= OBJECT_TYPES.keys(),
            "importOperations": not _is_allowed(operations, types),
        }
        if details := [f"{name} is invalid" for name, is_bad in problems.items() if is_bad]:
            raise self.refuse(400, "Invalid input", *details)
        [(object_type, operation)] = operations.items()
        lines = csv_lines(parts["files"].data)
        if lines and page.get("hasHeader"):
            lines = lines[1:]
        rows = [self._import(OBJECT_TYPES[object_type][0], operation, mappings, line) for line in lines or ()]
        extra = {"name": body.get("name"), "type": object_type, "lines": lines, "request": body}
        job = self.submit("import", rows, action=operation, end="FAILED" if lines is None else None, **extra)
        return self._body(job, self.word(job))

    @route("GET", f"{IMPORTS}/{{id}}")
    def status(self, request: IncomingRequest) -> Any:
        """Return the state of an import."""
        job = self.job("import", request.params["id"])
        return self.poll(job, lambda word: self._body(job, word))

    @route("POST", f"{IMPORTS}/{{id}}/cancel")
    def cancel_import(self, request: IncomingRequest) -> Any:
        """Cancel an active import."""
        job = self.job("import", request.params["id"])
        if self.is_finished(job):
            raise self.refuse(400, "Import is not active")
        self.cancel(job)
        return {"status": "CANCELED", "startedAt": _time(job.created), "completedAt": _time(self.now())}

    @route("GET", f"{IMPORTS}/{{id}}/errors")
    def errors(self, request: IncomingRequest) -> Any:
        """Return the errors of a finished import, page by page."""
        job = self.job("import", request.params["id"])
        size = request.integer("limit", MAX_ERRORS, minimum=1, maximum=MAX_ERRORS)
        failed, after = self.failures(job, request.integer("after", 0), size)
        link = f"{request.root}{IMPORTS}/{job.id}/errors?after={after}"
        paging = {"paging": {"next": {"after": str(after), "link": link}}} if after else {}
        return {"results": [self._error(job, position, row, request.query) for position, row in failed]} | paging

    def _import(self, kind: str, operation: str, mappings: Sequence[Mapping[str, Any]], line: Sequence[str]) -> Row:
        """Import a row: it is matched by the column that is marked as the identifier, and empty cells are ignored."""
        store = self.stores[kind]
        if len(line) != len(mappings):
            return Row(f"without identifier {self.new_id()}", FAILED, error=WRONG_WIDTH)
        cells = [(mapping, cell.strip()) for mapping, cell in zip(mappings, line, strict=True) if cell.strip()]
        item = {name: cell for mapping, cell in cells if (name := mapping.get("propertyName"))}
        keys = {mapping.get("columnType"): mapping.get("propertyName") for mapping in mappings}
        object_id = item.pop(keys[OBJECT_ID], None) if OBJECT_ID in keys else None
        if operation == "CREATE" or (ALTERNATE_ID not in keys and object_id is None):
            # Without an identifier nothing is matched; only contacts are unique all the same, by their address.
            return store.create(item, is_unique=kind == "contacts" or ALTERNATE_ID in keys)
        if object_id is not None or operation == "UPDATE":
            return store.update(object_id or store.find(item), item)
        return store.upsert(item)

    def _body(self, job: Job, word: Word) -> dict[str, Any]:
        counters = {} if word == "STARTED" else {"TOTAL_ROWS": job.items}  # an open map; no other name is documented
        return {
            "id": job.id,
            "state": word,
            **({"importRequestJson": job.extra["request"]} if "request" in job.extra else {}),
            "importName": job.extra.get("name") or "import",
            "createdAt": _time(job.created),
            "updatedAt": _time(self.now()),
            "optOutImport": False,
            "mappedObjectTypeIds": [job.extra.get("type", "0-1")],
            "metadata": {"counters": counters, "fileIds": [job.id], "objectLists": []},
        }

    def _error(self, job: Job, position: int, row: Row, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the error of a row; its line number counts the header."""
        lines, object_type = job.extra.get("lines"), job.extra.get("type", "0-1")
        cells = lines[position] if lines else [row.key]
        source = {
            "fileId": int(job.id),
            "lineNumber": position + 2,
            "rowData": cells if query.get("includeRowData") == "true" else [],
            "containsEncryptedProperties": False,
        }
        return {
            "id": f"{job.id}-{position}",
            "createdAt": int(job.created * 1000),
            "errorType": ERROR_TYPES[row.error],
            "objectType": OBJECT_TYPES[object_type][1],
            "objectTypeId": object_type,
            "sourceData": source,
        } | ({"errorMessage": row.error} if query.get("includeErrorMessage") == "true" else {})


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_allowed(operations: Any, object_types: set[str]) -> bool:
    is_complete = isinstance(operations, dict) and operations.keys() == object_types
    return is_complete and all(operation in OPERATIONS for operation in operations.values())


def _time(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
