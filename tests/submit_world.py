# SPDX-License-Identifier: Apache-2.0
"""A vendor whose jobs take three steps (create, upload, start), and a worker that can be killed at any of them."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from airflow_provider_bulkjobs.http.engine import Engine, Send
from airflow_provider_bulkjobs.http.responses import NetworkError
from airflow_provider_bulkjobs.metrics import Metrics
from airflow_provider_bulkjobs.protocol.flow import Request, Response, SaveProgress
from airflow_provider_bulkjobs.submitting.checkpoint import Checkpoint, CheckpointError
from airflow_provider_bulkjobs.submitting.records import Row
from airflow_provider_bulkjobs.submitting.submission import Submission
from airflow_provider_bulkjobs.vendors.spec.errors import Errors, Message
from airflow_provider_bulkjobs.vendors.spec.fields import Account
from airflow_provider_bulkjobs.vendors.spec.operation import Operation, SubmitContext, SubmitFlow
from airflow_provider_bulkjobs.vendors.spec.vendor import Vendor
from airflow_provider_bulkjobs.vendors.toolkit.auth import BEARER

RECORDS = [{"email": "a@example.com"}, {"email": "b@example.com"}]
LOST = NetworkError("reset", sent=True)
UNSENT = NetworkError("refused", sent=False)


class Killed(BaseException):
    """The worker is gone."""


class ThreeSteps(Vendor):
    conn_type, label, docs_url, fields, kinds = "three_steps", "Three Steps", "https://docs.example.com", (), ()

    auth, default_host, errors = BEARER, "https://api.example.com", Errors(messages=(Message("", "message"),))

    def check(self, account: Account) -> Any: ...


def submit(context: SubmitContext, *, empty_is_harmless: bool = False) -> SubmitFlow:
    """Create a job, upload the records, and start it."""
    job_id = context.progress.get("job_id")
    if job_id is None:
        create = Request("POST", "/jobs", idempotent=True if empty_is_harmless else None)
        job_id = (yield create).json["id"]
        yield SaveProgress({"job_id": job_id})
    if "uploaded" not in context.progress:
        yield Request("PUT", f"/jobs/{job_id}/data", body=context.payload.data, idempotent=True)
        yield SaveProgress({"uploaded": 1})
    yield Request("POST", f"/jobs/{job_id}/start", idempotent=True)
    return str(job_id)


@dataclass
class World:
    """The vendor's jobs, and what happens to the requests by their number, from 1.

    :param faults: raised instead of sending the request; or after it, where ``executed`` has its number.
    """

    faults: dict[int, BaseException] = field(default_factory=dict)
    executed: set[int] = field(default_factory=set)
    answers: dict[int, Response] = field(default_factory=dict)  # instead of the vendor's own
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def handle(self, request: Request) -> Response:
        self.requests.append(request)
        number = len(self.requests)
        if number in self.answers:
            return self.answers[number]
        if number in self.faults and number not in self.executed:
            raise self.faults[number]
        response = self._execute(request)
        if number in self.faults:
            raise self.faults[number]
        return response

    def _execute(self, request: Request) -> Response:
        _, _, *rest = request.path.split("/")
        if not rest:
            job_id = f"job-{len(self.jobs) + 1}"
            self.jobs[job_id] = {"data": None, "started": False, "aborted": False}
            return Response(200, {}, json.dumps({"id": job_id}).encode())
        job_id, action = rest
        if action == "data":
            self.jobs[job_id]["data"] = request.body
        else:
            self.jobs[job_id][{"start": "started", "abort": "aborted"}[action]] = True
        return Response(200, {}, b"{}")

    @property
    def open(self) -> list[str]:
        """The jobs that were neither started nor aborted."""
        return [job_id for job_id, job in self.jobs.items() if not (job["started"] or job["aborted"])]

    @property
    def started(self) -> list[str]:
        """The jobs that run, all of which must have the data."""
        started = {job_id: job for job_id, job in self.jobs.items() if job["started"]}
        assert all(job["data"] for job in started.values())
        return list(started)


@dataclass
class Store:
    """A checkpoint store that survives the worker.

    :param dies_after: the number of the write after which the worker is killed.
    :param fails: whether a write fails, by the checkpoint.
    """

    dies_after: int = 0
    fails: Callable[[Checkpoint], bool] = lambda _checkpoint: False
    values: str | None = None
    writes: int = 0

    def save(self, checkpoint: Checkpoint) -> None:
        if self.fails(checkpoint):
            raise CheckpointError("The checkpoint could not be written.")
        self.values = json.dumps(checkpoint.to_json())
        self.writes += 1
        if self.writes == self.dies_after:
            raise Killed

    def publish(self, checkpoint: Checkpoint) -> None:
        """Nobody reads them."""

    def load(self) -> Checkpoint | None:
        return Checkpoint.from_json(json.loads(self.values)) if self.values else None


class _Transport:
    def __init__(self, world: World, vendor: Vendor, account: Account) -> None:
        self._world = world
        limiter = SimpleNamespace(try_acquire=lambda _limit: True, release=lambda: None, pause=lambda *_: None)
        self._engine = Engine(vendor, account, limiter, Metrics("test"))

    def run(self, start: Callable[[], Any], policy: Any) -> Any:
        return self._drive(self._engine.run(start, policy))

    def _drive(self, steps: Any) -> Any:
        try:
            effect = next(steps)
            while True:
                outcome = None
                try:
                    if isinstance(effect, Send):
                        outcome = self._world.handle(effect.request)
                    elif type(effect).__name__ == "Refresh":
                        self._drive(self._engine.refresh())
                except Exception as error:  # noqa: BLE001
                    effect = steps.throw(error)
                else:
                    effect = steps.send(outcome)
        except StopIteration as end:
            return end.value


def operation(flow: Callable[[SubmitContext], SubmitFlow] = submit, **values: Any) -> Operation:
    return Operation("import", flow, max_items=10, **values)


def submission(world: World, of: Operation, records: Any = RECORDS, options: Any = None) -> Submission:
    vendor, account = ThreeSteps(), Account("mine", {"password": "x"})
    client: Any = SimpleNamespace(
        vendor=vendor, account=account, conn_id="mine", transport=_Transport(world, vendor, account)
    )
    made = Submission(client, "contacts", of, options or {}, logging.getLogger("tests"))
    made.prepare((Row(number, record) for number, record in enumerate(records, 1)), None)
    return made


def send(world: World, store: Store, of: Operation, records: Any = RECORDS) -> list[str]:
    """Submit as one try of a task; return the ids of the jobs."""
    with submission(world, of, records) as made:
        return made.send(store, store.load()).job_ids
