# SPDX-License-Identifier: Apache-2.0
"""The simulated Dotdigital: imports and deletions of contacts.

https://developer.dotdigital.com/reference/importcontacts-1
https://developer.dotdigital.com/reference/getimportstatus
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import Basic
from airflow_provider_bulkjobs.simulator.contacts import INVALID_EMAIL, NOT_FOUND
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, nested
from airflow_provider_bulkjobs.simulator.jobs import CREATED, FAILED, UPDATED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateHeaders, RateLimit
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

IMPORTS, DELETIONS = "/contacts/v3/import", "/contacts/v3/delete"
MAX_BYTES, MAX_DELETED = 50_000_000, 5000
MAX_ACTIVE = 25  # for deletions, the number is not documented
UNKNOWN_LIST = "The list ids are unrecognized"
LISTS = frozenset({345579, 345580})
TOO_MANY = {"contacts": "contacts:tooManyActiveImports", "deletions": "contacts:tooManyBulkDeleteJobs"}
CODES = {400: "contacts:badJson", 404: "contacts:importNotFound"}
FAILURE_CODES = {INVALID_EMAIL: "invalidEmail", NOT_FOUND: "contactNotFound", UNKNOWN_LIST: "invalidAddressBookIds"}
FLAT_RATE = "Your account is temporarily capped because of its API activity. ERROR_APIUSAGE_EXCEEDED"
LOGIN = "apiuser-simulated@apiconnector.com"


class SimulatedDotdigital(SimulatedVendor):
    """Dotdigital, API version 3."""

    label = "Dotdigital"
    conn_type = "dotdigital"
    login = LOGIN
    password = "dotdigital-password"  # noqa: S105
    auth = (Basic(LOGIN, password),)
    kinds = {
        "contacts": JobStates(
            ("NotFinished",), "Finished", others=("RejectedByWatchdog", "Failed", "ExceedsAllowedContactLimit")
        ),
        "deletions": JobStates(("NotStarted", "NotFinished"), "Finished", others=("Failed",)),
    }
    limits = (RateLimit(Limit(35, 60), "dotdigital_low", f"PUT {IMPORTS}", is_published=False),)
    rate_headers = RateHeaders("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    headers = {"X-RateLimit-Scope": "lowCallRate"}
    identities = {"contacts": ("email", "mobileNumber")}

    def error(self, status: int, message: str, code: str = "", details: Sequence[Any] = ()) -> web.Response:
        """Return an error of API v3."""
        body = {"errorCode": code or CODES.get(status, "contacts:error"), "description": message}
        return web.json_response({**body, **({"details": details} if details else {})}, status=status)

    def unauthorized(self) -> web.Response:
        """Return a 401, which has no body."""
        return web.Response(status=401)

    def job_not_found(self, job_id: str) -> web.Response:
        """Return a 404, the same for both kinds of jobs."""
        return self.error(404, "The import request could not be found")

    @own_fault("flat_rate")
    def flat_rate(self) -> web.Response:
        """Return the 400 of an API user whose calls of this hour are used up."""
        return web.json_response({"message": FLAT_RATE}, status=400)

    @own_fault("too_many_imports", IMPORTS)
    def too_many_imports(self) -> web.Response:
        """Return the 429 for an import above the limit of active ones."""
        return self.error(429, "Too many imports are being processed", TOO_MANY["contacts"])

    @own_fault("access_denied", "/contacts/v3")
    def access_denied(self) -> web.Response:
        """Return the 403 for a missing permission, and for an account in another region."""
        return self.error(403, "Access is denied", "contacts:accessDenied")

    @route("GET", "/v2/account-info")
    def account(self, request: IncomingRequest) -> Any:
        """Return the account, with its region."""
        values = {"Name": "Example GmbH", "ApiEndpoint": "https://r1-api.dotdigital.com/"}
        properties = [{"name": name, "type": "String", "value": value} for name, value in values.items()]
        return {"id": 1, "properties": properties}

    @route("PUT", IMPORTS)
    def start_import(self, request: IncomingRequest) -> Any:
        """Start an import."""
        contacts = request.object.get("contacts")
        if len(request.body) > MAX_BYTES or not isinstance(contacts, list) or not contacts:
            raise self.refuse(400, "The request JSON is badly formed, or larger than 50 MB")
        for number, contact in enumerate(contacts):
            if nested(contact, "identifiers", nested(contact, "matchIdentifier")) in (None, ""):
                detail = {"item": f"contacts[{number}].identifiers", "description": "lacks the matchIdentifier"}
                raise self.refuse(400, "The request JSON is badly formed", "", [detail])
        return self._start("contacts", contacts, self._import, "importId")

    @route("GET", f"{IMPORTS}/{{id}}")
    def import_status(self, request: IncomingRequest) -> Any:
        """Return the state of an import; once it is finished, with all results."""
        job = self.job("contacts", request.params["id"])
        return self.poll(job, lambda word: {"importId": job.id, "status": word, **_import_results(job, word)})

    @route("POST", DELETIONS)
    def start_deletion(self, request: IncomingRequest) -> Any:
        """Start a deletion."""
        contacts = request.json
        if not isinstance(contacts, list) or not 1 <= len(contacts) <= MAX_DELETED:
            raise self.refuse(400, f"Specify 1 to {MAX_DELETED} contacts", "contacts:noContactsSpecified")
        return self._start("deletions", [{"identifiers": each} for each in contacts], self._delete, "deleteId")

    @route("GET", f"{DELETIONS}/{{id}}")
    def delete_status(self, request: IncomingRequest) -> Any:
        """Return the state of a deletion; once it is finished, with all results."""
        job = self.job("deletions", request.params["id"])
        return self.poll(job, lambda word: {"deleteId": job.id, "status": word, **_delete_results(job, word)})

    def _start(self, kind: str, contacts: list[Any], book: Callable[[Any], Row], name: str) -> web.Response:
        if sum(job.kind == kind and not self.is_finished(job) for job in self.jobs.values()) >= MAX_ACTIVE:
            raise self.refuse(429, "Too many jobs are being processed", TOO_MANY[kind])
        job = self.submit(kind, [book(each) for each in contacts], contacts=contacts)
        return web.json_response({name: job.id}, status=202)

    def _import(self, contact: Mapping[str, Any]) -> Row:
        """Create or update a contact; a contact id only finds one that exists."""
        identifiers = contact["identifiers"]
        item = {**contact.get("dataFields", {}), **identifiers, "lists": contact.get("lists", [])}
        if contact["matchIdentifier"] == "contactId":
            return self.contacts.update(str(item.pop("contactId")), item)
        return self.contacts.upsert(item)

    def _delete(self, contact: Mapping[str, Any]) -> Row:
        identifiers = contact["identifiers"]
        return self.contacts.delete(str(identifiers.get("contactId") or self.contacts.find(identifiers) or ""))


def _booked(job: Job) -> Iterator[tuple[Row, Mapping[str, Any]]]:
    """Yield the outcomes with the contacts of the request, which a scripted job does not have."""
    contacts = job.extra.get("contacts")
    for number, row in enumerate(job.rows):
        yield row, contacts[number] if contacts else {"matchIdentifier": "email", "identifiers": {"email": row.key}}


def _import_results(job: Job, word: Word) -> dict[str, Any]:
    """Return the results: a contact for a list that does not exist is imported, and a failure as well."""
    if word != "Finished":
        return {}
    lists: dict[str, list[Any]] = {CREATED: [], UPDATED: [], "failures": []}
    for row, contact in _booked(job):
        is_imported = row.outcome != FAILED
        identifiers = dict(contact["identifiers"])
        contact_id = identifiers.pop("contactId", None)  # in responses, it is not among the identifiers
        contact_id = int(row.contact_id) if is_imported else contact_id
        entry = {"identifiers": identifiers, **({} if contact_id is None else {"contactId": contact_id})}
        if is_imported:
            lists[row.outcome].append(entry)
        if not is_imported or not LISTS.issuperset(contact.get("lists", [])):
            match = {"matchIdentifier": contact["matchIdentifier"]}
            lists["failures"].append({**match, **entry, "failures": [_reason(row)]})
    counts = {"newContacts": job.counts[CREATED], "updatedContacts": job.counts[UPDATED]}
    lost = {"globallySuppressed": 0, "invalidEntries": job.counts[FAILED], "duplicateIdentifiers": 0}
    return {"summary": {**counts, **lost}, **lists}


def _delete_results(job: Job, word: Word) -> dict[str, Any]:
    if word != "Finished":
        return {}
    deleted = [contact["identifiers"] for row, contact in _booked(job) if row.outcome != FAILED]
    failures = [
        {"identifier": contact["identifiers"], "failures": [_reason(row)]}
        for row, contact in _booked(job)
        if row.outcome == FAILED
    ]
    summary = {"requestedContacts": job.items, "deletedContacts": len(deleted), "unknownContacts": len(failures)}
    return {"summary": {**summary, "invalidEntries": 0}, "deleted": deleted, "failures": failures}


def _reason(row: Row) -> dict[str, str]:
    error = row.error or UNKNOWN_LIST
    return {"failureCode": FAILURE_CODES.get(error, "invalidContact"), "description": error}
