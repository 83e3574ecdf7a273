# SPDX-License-Identifier: Apache-2.0
"""The base class of the simulated vendors: state, statistics, jobs, and the interface for the server."""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from aiohttp import web

from airflow_provider_bulkjobs.simulator.jobs import CREATED, UPDATED, Family, Job, Row, Task, Word, scripted_rows
from airflow_provider_bulkjobs.simulator.limits import RateWindow, Reading
from airflow_provider_bulkjobs.simulator.settings import Limit, Settings
from airflow_provider_bulkjobs.simulator.traffic import Traffic

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Route = tuple[str, str, Handler]


class RefusedError(Exception):
    """The vendor rejects a request; has the response."""

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


class Vendor(ABC):
    """One simulated vendor, served below ``/<name>``.

    :param settings: shared by all vendors; may change while the server runs.
    :param now: the clock, in epoch seconds.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    conn_type: ClassVar[str]  # the Airflow connection type
    login: ClassVar[str | None] = None
    password: ClassVar[str]
    credentials: ClassVar[str]  # one line for the help page
    families: ClassVar[Mapping[str, Family]]  # by job kind; the first is the default
    advertised_limit: ClassVar[Limit]  # sent in headers while no limit is enforced
    open_paths: ClassVar[tuple[str, ...]] = ()  # paths without authentication and rate limit

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self.settings = settings
        self.now = now
        self.clear()

    def clear(self) -> None:
        """Delete all state."""
        self.traffic = Traffic()
        self.meter = RateWindow()
        self.jobs: dict[str, Job] = {}
        self.expired: set[str] = set()
        self.tokens: dict[str, float] = {}  # access token -> expiry time
        self.tokens_issued = 0
        self.contacts_accepted = 0
        self.distinct_contacts: set[str] = set()
        self.known: dict[str, int] = {}  # e-mail address -> contact id
        self._last_id = 100

    # The interface for the server.

    @abstractmethod
    def routes(self) -> Iterable[Route]:
        """Return the method, path below the vendor's root, and handler of each route."""

    @abstractmethod
    def reject_credentials(self, request: web.Request) -> web.Response | None:
        """Return an error response if the credentials of a request are invalid, else ``None``."""

    @abstractmethod
    def unauthorized(self) -> web.Response:
        """Return the response to invalid credentials."""

    @abstractmethod
    def error(self, status: int, message: str) -> web.Response:
        """Return an error in the vendor's format."""

    @abstractmethod
    def too_many_requests(self, reading: Reading) -> web.Response:
        """Return the response to a request above the rate limit."""

    @abstractmethod
    def rate_headers(self, reading: Reading) -> Mapping[str, str]:
        """Return the rate limit headers."""

    def own_headers(self) -> Mapping[str, str]:
        """Return the headers of every response."""
        return {}

    # Reading requests.

    async def json_of(self, request: web.Request) -> Any:
        """Return the JSON of a request.

        :raises RefusedError: the body is not JSON.
        """
        try:
            return json.loads(await request.read())
        except ValueError:
            raise RefusedError(self.error(400, "The request body is not JSON.")) from None

    def root(self, request: web.Request) -> str:
        """Return the base URL of this vendor, as the client reached it."""
        return f"{request.url.origin()}/{self.name}"

    # Jobs and contacts.

    def new_id(self) -> int:
        """Return a new id."""
        self._last_id += 1
        return self._last_id

    def upsert_contact(self, email: str) -> tuple[str, int]:
        """Create or update a contact; return the outcome and the contact's id."""
        email = email.strip().lower()
        if email in self.known:
            return UPDATED, self.known[email]
        self.known[email] = self.new_id()
        return CREATED, self.known[email]

    def accept(self, rows: Sequence[Row]) -> None:
        """Count the submitted items in the statistics."""
        self.contacts_accepted += len(rows)
        self.distinct_contacts.update(row.key for row in rows)

    def task(self, kind: str, rows: Sequence[Row], end: Word, *, waits: bool = False) -> Task:
        """Return a task that starts now, or that waits for its data."""
        now = self.now()
        began = None if waits else now
        steps = self.families[kind].steps
        return Task(f"task_v2_{self.new_id()}", rows, steps, end, now, self.settings.duration, began)

    def submit(self, kind: str, action: str, task: Task, job_id: str = "", **extra: Any) -> Job:
        """Store a new job."""
        job = Job(job_id or str(uuid.uuid4()), kind, action, task.created, [task], extra=extra)
        self.jobs[job.id] = job
        return job

    def script(self, kind: str, words: Sequence[Word], items: int, failed: int, body: Any) -> Job:
        """Store a job with scripted states."""
        family = self.families[kind]
        now = self.now()
        task = Task(f"task_v2_{self.new_id()}", scripted_rows(items, failed), family.steps, family.ends[0], now, 0, now)
        job = self.submit(kind, "upsert", task, self.scripted_id(kind))
        job.script, job.body = words or (family.steps[0],), body
        return job

    def scripted_id(self, kind: str) -> str:  # noqa: ARG002
        """Return an id in the vendor's format; by default a UUID."""
        return str(uuid.uuid4())

    def find(self, kind: str, job_id: str) -> Job | None:
        """Return a job, unless it is unknown, expired or of another kind."""
        job = self.jobs.get(job_id)
        return job if job and job.kind == kind else None

    def poll(self, job: Job) -> Word:
        """Count a poll, which advances a scripted job; return the state."""
        job.polls += 1
        return self.word(job)

    def poll_response(self, job: Job, body: Callable[[Word], Any]) -> web.Response:
        """Return the response to a poll: the scripted body of the job, or the vendor's body for the state."""
        word = self.poll(job)
        return web.json_response(body(word) if job.body is None else job.body)

    def word(self, job: Job) -> Word:
        """Return a job's state without counting a poll."""
        return job.scripted_word if job.script else self.natural_word(job)

    def natural_word(self, job: Job) -> Word:
        """Return the state of an unscripted job at the current time."""
        return job.tasks[-1].word(self.now())

    def is_finished(self, job: Job, word: Word) -> bool:
        """Return whether a state is terminal."""
        return word in self.families[job.kind].ends

    def statistics(self) -> dict[str, Any]:
        """Return the statistics for the control API."""
        statuses: Counter[str] = self.traffic.statuses
        return {
            "requests": dict(self.traffic.by_route),
            "total_requests": sum(self.traffic.by_route.values()),
            "statuses": dict(statuses),
            "max_concurrent": self.traffic.max_concurrent,
            "max_per_second": self.traffic.max_per_second,
            "contacts": {"total": self.contacts_accepted, "distinct": len(self.distinct_contacts)},
            "tokens_issued": self.tokens_issued,
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
