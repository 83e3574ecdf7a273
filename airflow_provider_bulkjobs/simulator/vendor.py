# SPDX-License-Identifier: Apache-2.0
"""The base class of the simulated vendors: what all of them have in common.

A simulated vendor is a class ``Simulated<Name>`` in the module ``simulated`` of the vendor's package. It declares its
credentials, limits, job states and settings as data, and its endpoints as methods with
:func:`~airflow_provider_bulkjobs.simulator.routes.route`. The rest is here, once: authentication, the token endpoint,
the job clock, contacts, counts, rate limits, faults, signed file URLs and statistics.
"""

from __future__ import annotations

import math
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote

from aiohttp import web

from airflow_provider_bulkjobs.simulator.authentication import Authentication, OAuth2, Tokens
from airflow_provider_bulkjobs.simulator.contacts import ContactStore
from airflow_provider_bulkjobs.simulator.files import DOWNLOADS, SIGNATURE, UPLOADS, in_range, storage_error
from airflow_provider_bulkjobs.simulator.incoming import IncomingRequest, RefusedError
from airflow_provider_bulkjobs.simulator.jobs import EXPORTED, FAILED, Job, JobStates, Row, Task, Word, scripted_rows
from airflow_provider_bulkjobs.simulator.limits import RateHeaders, RateLimit, RateWindow, Reading
from airflow_provider_bulkjobs.simulator.routes import OwnFault, Route, marked
from airflow_provider_bulkjobs.simulator.settings import Settings
from airflow_provider_bulkjobs.simulator.traffic import Traffic

Handler = Callable[[IncomingRequest], Any]


class SimulatedVendor(ABC):
    """One simulated vendor, served below ``/<name>``. Set the class attributes, and add the endpoints.

    ``label``, ``conn_type``
        The vendor's name for people, and the Airflow connection type.
    ``name``
        The name in paths and controls; default: the connection type.
    ``login``, ``password``, ``extra``
        The values of a connection with the default credentials.
    ``auth``
        The ways to authenticate; one of them has to accept a request.
    ``kinds``
        The states by job kind; the first kind is the default of the controls.
    ``limits``, ``rate_headers``
        The rate limits, and the headers that report them. A request counts for every limit that matches it; the headers
        are those of the first one.
    ``headers``
        The headers of every response.
    ``choices``
        The settings of this vendor: the allowed values by key, the default first. Begin the keys with the name.
    ``identities``
        For each kind of records that the vendor stores, the fields that identify one.

    :param settings: shared by all vendors; may change while the server runs.
    :param now: the clock, in epoch seconds.
    """

    label: ClassVar[str]
    conn_type: ClassVar[str]
    name: ClassVar[str] = ""
    login: ClassVar[str | None] = None
    password: ClassVar[str]
    extra: ClassVar[Mapping[str, Any]] = {}
    auth: ClassVar[tuple[Authentication, ...]]
    kinds: ClassVar[Mapping[str, JobStates]]
    limits: ClassVar[tuple[RateLimit, ...]]
    rate_headers: ClassVar[RateHeaders] = RateHeaders()
    headers: ClassVar[Mapping[str, str]] = {}
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    identities: ClassVar[Mapping[str, tuple[str, ...]]] = {"contacts": ("email",)}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = cls.name or cls.conn_type

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self.settings = settings
        self.now = now
        self.clear()

    def clear(self) -> None:
        """Delete all state."""
        self.traffic = Traffic()
        self.windows: dict[str, RateWindow] = {}
        self.jobs: dict[str, Job] = {}
        self.expired: set[str] = set()
        self.tokens = Tokens()
        self.items_accepted = 0
        self.distinct_items: set[str] = set()
        self.stores = {kind: ContactStore(fields, self.new_contact_id) for kind, fields in self.identities.items()}
        self._last_id = 100

    # What a vendor may override.

    @abstractmethod
    def error(self, status: int, message: str) -> web.Response:
        """Return an error in the vendor's format."""

    def unauthorized(self) -> web.Response:
        """Return the response to missing or invalid credentials."""
        return self.error(401, "The credentials are invalid.")

    def reject_credentials(self, request: IncomingRequest) -> web.Response | None:
        """Return an error response if the credentials of a request are invalid, else ``None``."""
        is_valid = any(way.accepts(request, self.tokens, self.now()) for way in self.auth)
        return None if is_valid else self.unauthorized()

    def too_many_requests(self, reading: Reading) -> web.Response:  # noqa: ARG002
        """Return the response to a request above a rate limit."""
        return self.error(429, "Too many requests.")

    def rate_limit_headers(self, reading: Reading, *, is_rejected: bool) -> Mapping[str, str]:
        """Return the rate limit headers of a response."""
        return self.rate_headers.of(reading, self.now(), is_rejected=is_rejected)

    def token_body(self, token: str, seconds: float) -> dict[str, Any]:
        """Return the response of the token endpoint."""
        return {"access_token": token, "expires_in": math.ceil(seconds), "token_type": "bearer", "scope": ""}

    def token_fields(self, request: IncomingRequest) -> Mapping[str, Any]:  # noqa: ARG002
        """Return what the response of the token endpoint has in addition, such as the address of the API."""
        return {}

    def oauth_error(self, status: int, code: str, description: str) -> web.Response:
        """Return an error of the token endpoint."""
        return web.json_response({"error": code, "error_description": description}, status=status)

    def job_not_found(self, job_id: str) -> web.Response:  # noqa: ARG002
        """Return the response to an unknown job id."""
        return self.error(404, "The job was not found.")

    def new_job_id(self, kind: str) -> str:  # noqa: ARG002
        """Return a job id in the vendor's format; by default a UUID."""
        return str(uuid.uuid4())

    def new_contact_id(self) -> str:
        """Return a contact id in the vendor's format; by default a number."""
        return str(self.new_id())

    def upload(self, job: Job, name: str, request: IncomingRequest) -> web.Response | None:  # noqa: ARG002
        """Accept a file at a signed URL; return ``None`` if there is no such URL."""
        return None

    def download(self, job: Job, name: str) -> web.Response | None:  # noqa: ARG002
        """Return the file of a signed URL; ``None`` if it does not exist (yet)."""
        return None

    # What its endpoints use.

    def new_id(self) -> int:
        """Return a new number."""
        self._last_id += 1
        return self._last_id

    @property
    def contacts(self) -> ContactStore:
        """The first kind of records."""
        return next(iter(self.stores.values()))

    def refuse(self, status: int, message: str, *args: Any) -> RefusedError:
        """Return the exception that answers a request with an error; the arguments are those of ``error``."""
        return RefusedError(self.error(status, message, *args))

    def submit(self, kind: str, rows: Sequence[Row], *, action: str = "", end: Word = None, **extra: Any) -> Job:
        """Start a job with these outcomes.

        :param end: the final state; by default it follows from the outcomes.
        :param extra: vendor-specific data of the job.
        """
        job = self.open_job(kind, action=action, **extra)
        self.start(job, rows, end)
        return job

    def open_job(self, kind: str, *, action: str = "", **extra: Any) -> Job:
        """Create a job that waits for its data, in its first state; see :meth:`start`."""
        job = Job(self.new_job_id(kind), kind, action, self.now(), [], extra=extra)
        job.tasks.append(self._task(kind, [], None, is_waiting=True))
        self.jobs[job.id] = job
        return job

    def start(self, job: Job, rows: Sequence[Row], end: Word = None) -> None:
        """Start a job that waits for its data."""
        job.tasks = []
        self.append(job, rows, end)

    def append(self, job: Job, rows: Sequence[Row], end: Word = None) -> None:
        """Add a task to a job."""
        accepted = [row.key for row in rows if row.outcome != EXPORTED]
        self.items_accepted += len(accepted)
        self.distinct_items.update(accepted)
        job.tasks.append(self._task(job.kind, rows, end))

    def cancel(self, job: Job) -> None:
        """Cancel a job, unless it is finished."""
        if not self.is_finished(job):
            job.canceled, job.script = True, ()

    def find(self, kind: str, job_id: str) -> Job | None:
        """Return a job, unless it is unknown, expired or of another kind."""
        job = self.jobs.get(job_id)
        return job if job and job.kind == kind else None

    def job(self, kind: str, job_id: str) -> Job:
        """Return a job.

        :raises RefusedError: it is unknown, expired or of another kind.
        """
        if job := self.find(kind, job_id):
            return job
        raise RefusedError(self.job_not_found(job_id))

    def poll(self, job: Job, body: Callable[[Word], Any]) -> Any:
        """Count a poll, which advances a scripted job.

        :param body: returns the vendor's body for a state.
        :return: the scripted body of the job, or else the vendor's.
        """
        job.polls += 1
        return body(self.word(job)) if job.body is None else job.body

    def word(self, job: Job) -> Word:
        """Return a job's state without counting a poll."""
        if job.script:
            return job.scripted_word
        return self.kinds[job.kind].canceled if job.canceled else self.natural_word(job)

    def natural_word(self, job: Job) -> Word:
        """Return the state of a job at the current time, without script and cancellation."""
        return job.tasks[-1].word(self.now())

    def is_finished(self, job: Job) -> bool:
        """Return whether a job has finished, without counting a poll."""
        return self.kinds[job.kind].is_final(self.word(job))

    def failures(self, job: Job, start: int, size: int) -> tuple[list[tuple[int, Row]], int | None]:
        """Return a page of the failed items of a job, which has none before it is finished.

        :param start: the number of failed items before this page.
        :return: the failed items with their positions in the job; the start of the next page, if there is one.
        """
        rows = enumerate(job.rows) if self.is_finished(job) else ()
        failed = [(position, row) for position, row in rows if row.outcome == FAILED]
        end = start + size
        return failed[start:end], end if end < len(failed) else None

    def refuse_credentials(self, request: IncomingRequest) -> None:
        """Refuse a request to the file storage that has credentials of the vendor, which are for its API only.

        :raises RefusedError: it has.
        """
        if any(header in request.headers for header in {"Authorization", *(way.header for way in self.auth)}):
            message = "Only one auth mechanism allowed: the signature in the query or the credentials in a header."
            raise storage_error(400, "InvalidArgument", message)

    def upload_url(self, job: Job, name: str, request: IncomingRequest) -> str:
        """Return the signed URL that a file of a job is uploaded to; see :meth:`upload`."""
        return f"{request.origin}/{self.name}-{UPLOADS}/{quote(job.id, safe='')}/{name}?{SIGNATURE}={job.signature}"

    def download_url(self, job: Job, name: str, request: IncomingRequest) -> str:
        """Return the signed URL of a file of a job; see :meth:`download`."""
        return f"{request.origin}/{self.name}-{DOWNLOADS}/{quote(job.id, safe='')}/{name}?{SIGNATURE}={job.signature}"

    # The interface for the server and the controls.

    @classmethod
    def connection(cls, server: str) -> dict[str, Any]:
        """Return a connection with the default credentials, in the JSON format of ``AIRFLOW_CONN_…``.

        :param server: the base URL of the server.
        """
        values = {"login": cls.login, "password": cls.password} | ({"extra": dict(cls.extra)} if cls.extra else {})
        return {"conn_type": cls.conn_type, "host": f"{server}/{cls.name}"} | values

    @classmethod
    def own_faults(cls) -> dict[str, tuple[OwnFault, str]]:
        """Return the faults that only this vendor has, with the names of their methods."""
        return {fault.name: (fault, method) for fault, method in marked(cls, OwnFault)}

    @classmethod
    def limit_names(cls) -> dict[str, RateLimit]:
        """Return the rate limits by name."""
        return {limit.name or cls.name: limit for limit in cls.limits}

    @classmethod
    def credentials(cls) -> str:
        """Return one line with all valid credentials."""
        return "; or ".join(way.describe() for way in cls.auth)

    def routes(self) -> Iterator[tuple[Route, Handler]]:
        """Yield the endpoints, those of tokens and files included."""
        for each, method in marked(type(self), Route):
            yield each, getattr(self, method)
        for way in self.auth:
            if isinstance(way, OAuth2):
                for method in ("GET", "POST") if way.in_query else ("POST",):
                    yield Route(method, way.path, is_open=True, is_outside=False), partial(self._token, way)
        for method, kind in (("PUT", UPLOADS), ("POST", UPLOADS), ("GET", DOWNLOADS)):
            path = f"/{self.name}-{kind}/{{job_id}}/{{name}}"
            yield Route(method, path, is_open=True, is_outside=True), partial(self._file, kind)

    def count(self, request: IncomingRequest) -> tuple[Reading | None, Reading | None]:
        """Count a request for the rate limits that match it.

        :return: the limit that it exceeds, if any; the first matching limit that the headers report, if any.
        """
        reported = None
        for name, rule in self.limit_names().items():
            if not f"{request.method} {request.path}".startswith(self._counted(rule)):
                continue
            enforced = self.settings.limits.get(name)
            window = self.windows.setdefault(name, RateWindow())
            fits, reading = window.count(enforced or rule.limit, self.now(), is_enforced=enforced is not None)
            reading = reading._replace(name=name)
            if reported is None and (enforced or rule.is_advertised):
                reported = reading
            if not fits:
                return reading, reported
        return None, reported

    def script(self, kind: str, words: Sequence[Word], items: int, failed: int, body: Any) -> Job:
        """Store a job with scripted states."""
        states = self.kinds[kind]
        job = self.open_job(kind, action="upsert")
        rows = scripted_rows(items, failed)
        job.tasks = [Task(job.tasks[0].id, rows, states.steps, states.success, job.created, 0, job.created)]
        job.script, job.body = words or (states.steps[0],), body
        return job

    def statistics(self) -> dict[str, Any]:
        """Return the statistics for the control API."""
        return {
            **self.traffic.as_json(),
            "contacts": {"total": self.items_accepted, "distinct": len(self.distinct_items)},
            "stored": {kind: len(store) for kind, store in self.stores.items()},
            "tokens_issued": self.tokens.issued,
            "jobs": [
                {
                    "job_id": job.id,
                    "job_kind": job.kind,
                    "state": self.word(job),
                    "items": job.items,
                    "polls": job.polls,
                }
                for job in self.jobs.values()
            ],
        }

    def _counted(self, rule: RateLimit) -> str:
        method, _, path = rule.route.partition(" ")
        return f"{method} /{self.name}{path}" if rule.route else ""

    def _task(self, kind: str, rows: Sequence[Row], end: Word, *, is_waiting: bool = False) -> Task:
        states, now = self.kinds[kind], self.now()
        end = states.end_of(rows) if end is None else end
        began = None if is_waiting else now
        return Task(f"task_v2_{self.new_id()}", rows, states.steps, end, now, self.settings.duration, began)

    def _token(self, way: OAuth2, request: IncomingRequest) -> web.Response:
        if error := way.error_of(request):
            return self.oauth_error(way.error_status, *error)
        seconds = self.settings.token_seconds
        body = self.token_body(self.tokens.issue(self.now() + seconds), seconds)
        return web.json_response({**body, **self.token_fields(request)})

    def _file(self, kind: str, request: IncomingRequest) -> web.Response:
        self.refuse_credentials(request)
        job = self.jobs.get(request.params["job_id"])
        if job is None or request.query.get(SIGNATURE) != job.signature:
            raise storage_error(403, "SignatureDoesNotMatch", "The signature does not match the URL.")
        name = request.params["name"]
        response = self.upload(job, name, request) if kind == UPLOADS else self.download(job, name)
        if response is None:
            raise storage_error(404, "NoSuchKey", "The specified key does not exist.")
        return response if kind == UPLOADS else in_range(response, request.headers.get("Range", ""))
