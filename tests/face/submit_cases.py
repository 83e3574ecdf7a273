# SPDX-License-Identifier: Apache-2.0
"""Operations to submit, and the fakes around them."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from face.modes import fire

from airflow_provider_bulkjobs._airflow import (
    TaskDeferred,
)
from airflow_provider_bulkjobs.links import PAGE_KEY
from airflow_provider_bulkjobs.operators.bulk_job import BulkJobOperator

SIMULATED = {"acquia_campaign_studio": "acquia"}


def person(number):
    return {"email": f"person-{number}@example.com"}


def known(number):
    return {"id": f"{number:036}"}


def company(number):
    return {"company_id": f"c-{number}", "name": "Example"}


def ticket(number):
    return {"ticket_type_id": "1", "contacts": [{"id": str(number)}]}


class Case(NamedTuple):
    """An operation, and as many records as make three requests, unless ``requests`` says otherwise."""

    vendor: str
    kind: str
    operation: str
    record: Callable[[int], dict[str, Any]]
    number: int
    idempotent: bool
    requests: int = 3

    def arguments(self, number: int | None = None) -> dict[str, Any]:
        records = [self.record(n) for n in range(1, (self.number if number is None else number) + 1)]
        return {"job_kind": self.kind, "operation": self.operation, "records": records}


IN_PIECES = (
    Case("intercom", "contacts", "create", person, 250, idempotent=False),
    Case("intercom", "contacts", "update", known, 250, idempotent=True),
    Case("intercom", "contacts", "delete", known, 250, idempotent=False),
    Case("intercom", "companies", "upsert", company, 250, idempotent=True),
    Case("intercom", "companies", "update", known, 250, idempotent=True),
    Case("intercom", "companies", "delete", known, 250, idempotent=False),
    Case("intercom", "job", "enqueue", ticket, 3, idempotent=False),
    Case("sendgrid", "contacts", "upsert", person, 60_001, idempotent=True),
    Case("sendgrid", "contacts", "delete", known, 250, idempotent=False),
    Case("activecampaign", "contacts", "import", person, 600, idempotent=False),
    Case("acquia", "contacts", "create", person, 20_001, idempotent=False),
    Case("acquia", "contacts", "edit", known, 20_001, idempotent=True),
    Case("acquia", "contacts", "replace", known, 20_001, idempotent=False),
    Case("klaviyo", "profiles", "import", person, 20_001, idempotent=True),
)


# A million rows are one file. SendGrid opens an import before its file is uploaded.
CSV = Case("sendgrid", "contacts", "import_csv", person, 250, idempotent=True, requests=2)
IN_ONE_FILE = (
    CSV,
    Case("hubspot", "import", "upsert", person, 250, idempotent=False, requests=1),
    Case("hubspot", "import", "create", person, 250, idempotent=False, requests=1),
    Case("hubspot", "import", "update", person, 250, idempotent=False, requests=1),
    Case("brevo", "contacts", "import", person, 250, idempotent=False, requests=1),
)


WITH_RECORDS = (*IN_PIECES, *IN_ONE_FILE)


EXPORTS = {
    ("intercom", "export", "export"): {"created_at_after": 1, "created_at_before": 2},
    ("sendgrid", "export", "export"): {"file_type": "json"},
}


IMPORT, CREATE, UPSERT = (
    next(case for case in IN_PIECES if (case.vendor, case.operation) == wanted)
    for wanted in (("activecampaign", "import"), ("acquia", "create"), ("sendgrid", "upsert"))
)


def cases(which):
    return pytest.mark.parametrize("case", which, ids=lambda case: "-".join(case[:3]))


every_case = cases(WITH_RECORDS)


in_pieces = cases(IN_PIECES)


# One operation per way to submit in pieces; test_submit_retries.py has every operation, without sockets.
once_only = cases([case for case in IN_PIECES if not case.idempotent and case.operation in {"import", "create"}])


# A request that was appended to an open job is found there: see test_submit_found.py.
not_found = cases([IMPORT, CREATE])


idempotent = cases([case for case in IN_PIECES if case.idempotent and case[:2] != ("intercom", "companies")])


both_modes = pytest.mark.parametrize("mode", ["poke", "deferrable"])


every_flag = pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])


lost_answers = pytest.mark.parametrize("fault", ["reset", "half_body", "not_json", "slow", "server_error"])


class TaskInstance:
    """As much of a task instance as a submit asks for.

    :param on_id: called when the first job id is there, which is after the first request and before the second.
    """

    def __init__(self, on_id: Callable[[], Any] = lambda: None) -> None:
        self.on_id = on_id
        self.pushed: list[list[str]] = []
        self.page: str | None = None

    def xcom_push(self, key: str, value: Any) -> None:
        if key == PAGE_KEY:
            self.page = value
            return
        if key == "return_value":
            return
        assert key == "job_ids"
        self.pushed.append(json.loads(json.dumps(value)))
        if value and not any(self.pushed[:-1]):
            self.on_id()


class Store:
    """As much of the task's state as Airflow keeps from 3.3 on: JSON, by key.

    :param dies: the worker dies when this is to be noted down.
    """

    def __init__(self, dies: Callable[[Any], bool] = lambda _value: False) -> None:
        self.dies = dies
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any, *, retention: timedelta) -> None:
        assert retention == timedelta.max, "it must not expire before the wait ends"
        if self.dies(value):
            raise WorkerDiedError
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


class WorkerDiedError(BaseException):
    """What no code of the worker survives."""


def make(mode="poke", **arguments):
    arguments = {"task_id": "import", "poke_interval": 0.05, "timeout": 20, **arguments}
    return BulkJobOperator(deferrable=mode == "deferrable", **arguments)


def run(mode="poke", context=None, **arguments):
    """Return what the operator returns; raise what it raises."""
    context = {} if context is None else context
    try:
        return make(mode, **arguments).execute(context)
    except TaskDeferred as deferred:
        event = fire(deferred.trigger)
        kwargs = json.loads(json.dumps(deferred.kwargs))
        # Another worker resumes the task: it has only the arguments and the kwargs.
        return getattr(make(mode, **arguments), deferred.method_name)(context, event, **kwargs)


def submit(context=None, **arguments):
    return run(context=context, wait_for_completion=False, **arguments)


def sent(sim, vendor):
    return [request for request in sim.requests(vendor) if request.method != "GET"]


def books(sim, vendor):
    return sim.state()[vendor]["contacts"]


def create_known(sim, case, number):
    """Create the contacts or companies that the records of a case refer to."""
    records = case.arguments(number)["records"]
    known_ones = [each for record in records for each in record.get("contacts", [record])]
    known_ones = [each for each in known_ones if "id" in each or case.operation == "update"]
    sim.contacts(case.vendor, known_ones, kind="companies" if case.kind == "companies" else None)


def each_once(number):
    return {"total": number, "distinct": number}
