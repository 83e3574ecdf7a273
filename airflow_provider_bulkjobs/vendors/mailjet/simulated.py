# SPDX-License-Identifier: Apache-2.0
"""The simulated Mailjet: imports of contacts as JSON, and of CSV files.

Requests and responses are those of https://dev.mailjet.com/reference/email/contacts/bulk-contact-management
Only the content of the file of failed contacts is made up.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import Basic
from airflow_provider_bulkjobs.simulator.files import csv_response
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, csv_lines
from airflow_provider_bulkjobs.simulator.jobs import FAILED, Job, JobStates, Row, Word
from airflow_provider_bulkjobs.simulator.limits import Limit, RateLimit
from airflow_provider_bulkjobs.simulator.routes import own_fault, route
from airflow_provider_bulkjobs.simulator.vendor import SimulatedVendor

LISTS = {57: "Newsletter", 58: "Customers"}
ACTIONS = {"addforce", "addnoforce", "remove", "unsub"}
METHODS = ACTIONS | {"excludemarketing", "includemarketing"}
PROPERTIES = {"age", "first_name", "last_name"}  # those that are defined
CONTACTS = "/v3/REST/contact/managemanycontacts"
BAD_KEY = "API key authentication/authorization failure."
TOO_MANY = "You have sent too many requests in a given amount of time."
ENDS = ("Error", "Abort")


class SimulatedMailjet(SimulatedVendor):
    """Mailjet, API version 3."""

    label = "Mailjet"
    conn_type = "mailjet"
    login = "mailjet-api-key"
    password = "mailjet-secret-key"  # noqa: S105
    auth = (Basic(login, password),)
    kinds = {
        "contacts": JobStates(("Allocated", "Upload", "Prepare", "Importing", "In Progress"), "Completed", others=ENDS),
        "csv_import": JobStates(("Upload", "Prepare", "Importing"), "Completed", others=(*ENDS, "Aborted")),
    }
    limits = (RateLimit(Limit(100, 1), is_published=False),)

    def clear(self) -> None:
        """Delete all state."""
        super().clear()
        self.files: dict[int, bytes] = {}

    def error(self, status: int, message: str, errors: Any = None) -> web.Response:
        """Return an error; some have an object with a list of errors instead of a message."""
        body = {"ErrorInfo": "", "ErrorMessage": errors or message, "StatusCode": status}
        return web.json_response(body, status=status)

    def unauthorized(self) -> web.Response:
        """Return the response to unknown keys."""
        return self.error(401, BAD_KEY)

    def new_job_id(self, kind: str) -> str:
        """Return a number; those of the kinds are unrelated."""
        return str({"contacts": 35_000, "csv_import": 1_000}[kind] + self.new_id())

    @own_fault("too_many_requests_page")
    def too_many_requests_page(self) -> web.Response:
        """Return the 429 of the front end, which is a web page."""
        return web.Response(status=429, text=f"<html><body>{TOO_MANY}</body></html>", content_type="text/html")

    @route("GET", "/v3/REST/contactslist")
    def lists(self, request: IncomingRequest) -> Any:
        """Return the first contact list."""
        newsletter = {"ID": 57, "Name": LISTS[57], "SubscriberCount": 210, "IsDeleted": False}
        return {**_wrapped(newsletter), "Total": len(LISTS)}

    @route("POST", CONTACTS)
    def manage(self, request: IncomingRequest) -> Any:
        """Start an import; its job fails if a contact has an undefined property."""
        contacts, lists = request.object.get("Contacts"), request.object.get("ContactsLists", [])
        if not isinstance(contacts, list) or not all(isinstance(each, dict) for each in contacts):
            raise self.refuse(400, 'Invalid json input: "Contacts" is not a list of objects')
        if wrong := [each for each in lists if each["ListID"] not in LISTS or each["Action"] not in ACTIONS]:
            errors = [{**each, "Error": "listID missing or not valid"} for each in wrong]
            raise self.refuse(400, "", {"ContactsLists": errors})
        if {name for contact in contacts for name in contact.get("Properties", ())} <= PROPERTIES:
            job = self.submit(
                "contacts", [self.contacts.upsert({**one, "email": one.get("Email")}) for one in contacts]
            )
        else:
            rows = [Row(str(one.get("Email")), FAILED, error="invalid property") for one in contacts]
            job = self.submit("contacts", rows, end="Error")
        job.extra = {"lists": lists}
        return web.json_response(_wrapped({"JobID": int(job.id)}), status=201)

    @route("GET", f"{CONTACTS}/{{id}}")
    def status(self, request: IncomingRequest) -> Any:
        """Return the state of an import."""
        job = self.job("contacts", request.params["id"])
        return self.poll(job, lambda word: _wrapped(self._status(job, word)))

    @route("GET", "/v3/DATA/Batchjob/{id}/JSONError/application:json/LAST")
    def failed_contacts(self, request: IncomingRequest) -> Any:
        """Return the file of failed contacts."""
        job = self.job("contacts", request.params["id"])
        failed, _ = self.failures(job, 0, job.items)
        return web.json_response([{"Email": row.key, "Error": row.error} for _, row in failed])

    @route("POST", "/v3/DATA/contactslist/{list}/CSVData/text:plain")
    def upload_file(self, request: IncomingRequest) -> Any:
        """Store a CSV file, which starts nothing."""
        if request.params["list"] not in map(str, LISTS):
            raise self.refuse(404, "Object not found")
        data_id = 98_000 + self.new_id()
        self.files[data_id] = request.body
        return {"ID": data_id}

    @route("POST", "/v3/REST/csvimport")
    def import_file(self, request: IncomingRequest) -> Any:
        """Start the import of a file."""
        body = request.object
        file = self.files.get(body.get("DataID", 0))
        if file is None or body.get("ContactsListID") not in LISTS or body.get("Method") not in METHODS:
            raise self.refuse(400, "Invalid value for DataID, ContactsListID or Method")
        header, *lines = csv_lines(file) or [["email"]]
        rows = [self.contacts.upsert(dict(zip(header, line, strict=False))) for line in lines]
        job = self.submit("csv_import", rows, header=header, lines=lines, request=body)
        return web.json_response(_wrapped(self._csv_status(job, "Upload")), status=201)

    @route("GET", "/v3/REST/csvimport/{id}")
    def csv_status(self, request: IncomingRequest) -> Any:
        """Return the state of the import of a file."""
        job = self.job("csv_import", request.params["id"])
        return self.poll(job, lambda word: _wrapped(self._csv_status(job, word)))

    @route("GET", "/v3/DATA/BatchJob/{id}/CSVError/text:csv")
    def failed_lines(self, request: IncomingRequest) -> Any:
        """Return the file of failed lines, as they were uploaded."""
        job = self.job("csv_import", request.params["id"])
        failed, _ = self.failures(job, 0, job.items)
        lines = job.extra.get("lines") or [[row.key] for row in job.rows]
        errors = [[*lines[position], f" ###{row.error}###email"] for position, row in failed]
        return csv_response((*job.extra.get("header", ["email"]), "error"), errors)

    def _status(self, job: Job, word: Word) -> dict[str, Any]:
        has_file = self.kinds[job.kind].is_final(word) and job.counts[FAILED]
        file = f"DATA/Batchjob/{job.id}/JSONError/application:json/LAST" if has_file else ""
        errors = {"Error": "invalid property" if word == "Error" else "", "ErrorFile": file}
        return {"ContactsLists": job.extra.get("lists", []), "Status": word, **self._progress(job, word), **errors}

    def _csv_status(self, job: Job, word: Word) -> dict[str, Any]:
        """Return the state of the import of a file, with some numbers as text."""
        request = {"ContactsListID": 57, "DataID": 98_000, "Method": "addnoforce", **job.extra.get("request", {})}
        progress = self._progress(job, word)
        failed = job.counts[FAILED] if word == "Completed" else 0
        numbers = {
            "ID": int(job.id),
            "Count": str(progress["Count"]),
            "Current": progress["Count"],
            "Errcount": str(failed),
        }
        others = {"AliveAt": "", "ErrTreshold": 0, "ImportOptions": "", "RequestAt": _time(job.created) + "Z"}
        return {**request, **progress, **numbers, **others, "Status": word}

    def _progress(self, job: Job, word: Word) -> dict[str, Any]:
        """Return the times, and the number of contacts processed so far."""
        states, task = self.kinds[job.kind], job.tasks[-1]
        is_over = states.is_final(word)
        processed = job.items if is_over else job.items // 2 if word == "Importing" else 0
        start = "" if word == states.steps[0] else _time(task.started)
        return {"JobStart": start, "JobEnd": _time(task.finished) if is_over else "", "Count": processed}


def _wrapped(value: dict[str, Any]) -> dict[str, Any]:
    return {"Count": 1, "Data": [value], "Total": 1}


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None).isoformat(timespec="seconds")
