# SPDX-License-Identifier: Apache-2.0
"""The simulated Shopify: bulk operations that run a mutation on customers, over one GraphQL endpoint.

Requests and responses follow https://shopify.dev/docs/api/usage/bulk-operations/imports
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import HeaderKey, OAuth2
from airflow_provider_bulkjobs.simulator.files import storage_error
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest
from airflow_provider_bulkjobs.simulator.jobs import FAILED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateLimit, Reading
from airflow_provider_bulkjobs.simulator.routes import route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

TOKEN = "X-Shopify-Access-Token"  # noqa: S105
STAGED = "/shopify-staged"
POLICY = "eyJleHBpcmF0aW9uIjoi"  # stands for the signature of an upload
FIELD = re.compile(r"\{\s*(\w+)")  # the first field of a query or mutation
MUTATION = re.compile(r"(customerSet|customerCreate)\(.*userErrors", re.DOTALL)
MAX_BYTES = 100_000_000
SCOPES = ("read_customers", "write_customers")


class SimulatedShopify(SimulatedVendor):
    """Shopify. It has one operation at a time, or five; a retired version is answered by another one, as it does."""

    label = "Shopify"
    conn_type = "shopify"
    password = "shpat_simulator"  # noqa: S105
    auth = (
        HeaderKey(TOKEN, password),
        OAuth2(
            "/admin/oauth/access_token",
            {"client_credentials": {"client_id": "shopify-client", "client_secret": "shopify-secret"}},
            scheme="",
            header=TOKEN,
        ),
    )
    kinds = {
        "customers": JobStates(("CREATED", "RUNNING"), "COMPLETED", canceled="CANCELED", others=("FAILED", "EXPIRED"))
    }
    identities = {"customers": ("email", "phone")}
    limits = (RateLimit(Limit(50, 1), is_published=False),)  # Shopify limits the cost of queries
    choices = {
        "shopify_operations": ("5", "1"),
        "shopify_version": ("as requested", "2027-07"),
        "shopify_scopes": (" ".join(SCOPES), SCOPES[0]),
    }

    def clear(self) -> None:
        """Delete the staged files as well."""
        super().clear()
        self.staged: dict[str, bytes] = {}

    def error(self, status: int, message: str) -> web.Response:
        """Return an error, which is text."""
        return web.json_response({"errors": message}, status=status)

    def unauthorized(self) -> web.Response:
        """Return the response to an invalid token."""
        return self.error(401, "[API] Invalid API key or access token (unrecognized login or wrong password)")

    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return the response to a query above the limit, with status 200."""
        rate = 10 / reading.seconds_left(self.now())
        bucket = {"maximumAvailable": 2000.0, "currentlyAvailable": 0, "restoreRate": rate}
        cost = {"requestedQueryCost": 10, "actualQueryCost": None, "throttleStatus": bucket}
        errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
        return web.json_response({"errors": errors, "extensions": {"cost": cost}})

    def token_body(self, token: str, seconds: float) -> dict[str, Any]:
        """Return the response of the token endpoint."""
        return {"access_token": token, "scope": self.settings.choices["shopify_scopes"], "expires_in": int(seconds)}

    def new_job_id(self, kind: str) -> str:
        """Return a global id."""
        return f"gid://shopify/BulkOperation/{self.new_id()}"

    def new_contact_id(self) -> str:
        """Return a global id."""
        return f"gid://shopify/Customer/{self.new_id()}"

    @route("POST", "/admin/api/{version}/graphql.json")
    def graphql(self, request: IncomingRequest) -> Any:
        """Answer a query or a mutation by its first field."""
        found = FIELD.search(str(request.object.get("query")))
        name = found[1] if found else ""
        answer = {
            "shop": self._shop,
            "appInstallation": self._installation,
            "stagedUploadsCreate": self._stage,
            "bulkOperationRunMutation": self._run,
            "bulkOperation": self._operation,
            "bulkOperationCancel": self._cancel,
        }.get(name)
        if answer is None:
            error = {"message": f"Field '{name}' doesn't exist", "extensions": {"code": "undefinedField"}}
            return {"errors": [error]}
        bucket = {"maximumAvailable": 2000.0, "currentlyAvailable": 1990, "restoreRate": 100.0}
        cost = {"requestedQueryCost": 10, "actualQueryCost": 10, "throttleStatus": bucket}
        body = {"data": {name: answer(request, request.object.get("variables") or {})}, "extensions": {"cost": cost}}
        served = self.settings.choices["shopify_version"]
        version = request.params["version"] if served == "as requested" else served
        return web.json_response(body, headers={"X-Shopify-API-Version": version})

    def _shop(self, _request: IncomingRequest, _variables: Mapping[str, Any]) -> Any:
        domain = "example.myshopify.com"
        return {"id": "gid://shopify/Shop/70000000001", "name": "Example", "myshopifyDomain": domain}

    def _installation(self, _request: IncomingRequest, _variables: Mapping[str, Any]) -> Any:
        return {"accessScopes": [{"handle": scope} for scope in self.settings.choices["shopify_scopes"].split()]}

    def _stage(self, request: IncomingRequest, variables: Mapping[str, Any]) -> Any:
        """Return where to upload a file."""
        [file] = variables["input"]
        if file["resource"] != "BULK_MUTATION_VARIABLES" or int(file["fileSize"]) > MAX_BYTES:
            return {"stagedTargets": None, "userErrors": [{"field": ["input"], "message": "The file is not accepted"}]}
        fields = {"Content-Type": file["mimeType"], "success_action_status": "201", "policy": POLICY}
        fields["key"] = f"tmp/70000000001/bulk/{self.new_id()}/{file['filename']}"
        parameters = [{"name": name, "value": value} for name, value in fields.items()]
        return {"stagedTargets": [{"url": request.origin + STAGED, "parameters": parameters}], "userErrors": []}

    @route("POST", STAGED, is_open=True, is_outside=True)
    def upload_file(self, request: IncomingRequest) -> Any:
        """Store a file, the last part of a form."""
        self.refuse_credentials(request)
        parts = request.parts
        is_signed = "key" in parts and "policy" in parts and parts["policy"].data == POLICY.encode()
        if not is_signed or list(parts)[-1] != "file":
            raise storage_error(403, "AccessDenied", "The policy is invalid, or the file is not the last part.")
        self.staged[parts["key"].data.decode()] = parts["file"].data
        return web.Response(status=201, text="<PostResponse/>", content_type="application/xml")

    def _run(self, _request: IncomingRequest, variables: Mapping[str, Any]) -> Any:
        """Start an operation, unless too many are running."""
        running = [job for job in self.jobs.values() if not self.is_finished(job)]
        mutation = MUTATION.search(variables["mutation"])
        if len(running) >= int(self.settings.choices["shopify_operations"]):
            what = "A bulk mutation operation for this app and shop is already in progress"
            return _refusal("OPERATION_IN_PROGRESS", f"{what}: {running[0].id}.")
        if mutation is None:
            return _refusal("INVALID_MUTATION", "The mutation is not supported, or does not select userErrors.")
        if variables["path"] not in self.staged:
            return _refusal("NO_SUCH_FILE", "The file was not uploaded.")
        lines = [json.loads(line) for line in self.staged[variables["path"]].splitlines()]
        rows = [self._write(mutation[1], line["input"]) for line in lines]
        job = self.submit("customers", rows, action=mutation[1])
        return {"bulkOperation": self._body(job, None, "CREATED"), "userErrors": []}

    def _write(self, mutation: str, customer: Mapping[str, Any]) -> Row:
        return self.contacts.create(customer) if mutation == "customerCreate" else self.contacts.upsert(customer)

    def _operation(self, request: IncomingRequest, variables: Mapping[str, Any]) -> Any:
        """Return an operation, or null."""
        job = self.find("customers", str(variables.get("id")))
        return job and self.poll(job, lambda word: self._body(job, request, word))

    def _cancel(self, _request: IncomingRequest, variables: Mapping[str, Any]) -> Any:
        """Cancel an operation that has not ended."""
        job = self.find("customers", str(variables.get("id")))
        if job is None or self.is_finished(job):
            error = {"field": ["id"], "message": "The operation does not exist, or has ended."}
            return {"bulkOperation": job and {"id": job.id, "status": self.word(job)}, "userErrors": [error]}
        self.cancel(job)
        return {"bulkOperation": {"id": job.id, "status": "CANCELING"}, "userErrors": []}

    def download(self, job: Job, name: str) -> web.Response | None:
        """Return the file of results."""
        field = job.action if job.action.startswith("customer") else "customerSet"
        lines = [json.dumps(_result(field, number, row)) for number, row in enumerate(job.rows)]
        return web.Response(text="".join(f"{line}\n" for line in lines), content_type="application/jsonl")

    def _body(self, job: Job, request: IncomingRequest | None, word: Word) -> dict[str, Any]:
        is_ended = self.kinds["customers"].is_final(word)
        url = self.download_url(job, "bulk.jsonl", request) if request and is_ended and word != "EXPIRED" else None
        done = job.items if is_ended else 0
        return {
            "id": job.id,
            "type": "MUTATION",
            "status": word,
            "errorCode": "TIMEOUT" if word == "FAILED" else None,
            "createdAt": _time(job.created),
            "completedAt": _time(job.tasks[-1].finished) if is_ended else None,
            "objectCount": str(done),
            "rootObjectCount": str(done),
            "fileSize": str(done * 100) if url else None,
            "url": url if word == "COMPLETED" else None,
            "partialDataUrl": url if word != "COMPLETED" else None,
        }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _refusal(code: str, message: str) -> dict[str, Any]:
    return {"bulkOperation": None, "userErrors": [{"code": code, "field": None, "message": message}]}


def _result(field: str, number: int, row: Row) -> dict[str, Any]:
    code = {} if field == "customerCreate" else {"code": "INVALID"}
    errors = [{**code, "field": ["input", "email"], "message": row.error}] if row.outcome == FAILED else []
    customer = None if errors else {"id": row.contact_id}
    return {"data": {field: {"customer": customer, "userErrors": errors}}, "__lineNumber": number}
